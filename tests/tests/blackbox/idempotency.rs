//! One message, however often it is sent.

use salon_proto::v1;
use salon_tests::support::World;

fn message(client_id: &str, content: &str) -> v1::SendMessage {
    let client_id = Some(client_id.to_owned());
    v1::SendMessage { room: "general".into(), content: content.into(), client_id, ..Default::default() }
}

#[tokio::test]
async fn a_retry_gets_the_original_ack() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let first = alice.sends(message("c1", "once")).await;
    assert!(!first.duplicate);
    alice.says("between").await;
    for device in [&alice, &world.another_device(&alice).await] {
        let again = device.sends(message("c1", "once")).await;
        assert_eq!(again, v1::MessageAck { duplicate: true, ..first.clone() });
    }
    bob.hears("once").await;
    bob.hears("between").await;
    bob.hears_nothing().await;
    let theirs = bob.sends(message("c1", "another sender, another scope")).await;
    assert!(!theirs.duplicate);
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn a_retry_with_another_body_is_a_conflict() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    let first = alice.sends(message("c1", "one")).await;
    alice.cannot_send(message("c1", "two"), "conflict").await;
    let with_extra = v1::SendMessage { extra: Some("{}".into()), ..message("c1", "one") };
    alice.cannot_send(with_extra, "conflict").await;
    alice.edits(&first, "two").await;
    let again = alice.sends(message("c1", "one")).await;
    assert!(again.duplicate && again.seq == first.seq, "the original body counts, not the present one");
    alice.cannot_send(message("c1", "two"), "conflict").await;
    alice.deletes(&first).await;
    let again = alice.sends(message("c1", "one")).await;
    assert!(again.duplicate && again.seq == first.seq, "even after a deletion");
}

#[tokio::test]
async fn a_retry_is_not_rate_limited() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    let first = alice.sends(message("c1", "one")).await;
    let limited = async {
        for n in 0..1000 {
            match alice.device.client.say("general", &n.to_string()).await {
                Ok(_) => {}
                Err(error) => return error.code().map(str::to_owned),
            }
        }
        None
    };
    // Sent one after the other they may never be too fast, so many are sent at once.
    let burst = futures_util::future::join_all((0..300).map(|n| {
        let content = format!("burst {n}");
        let client = alice.device.client.clone();
        async move { client.say("general", &content).await }
    }));
    let refused = burst.await.into_iter().filter_map(Result::err).find_map(|error| error.code().map(str::to_owned));
    let refused = if refused.is_none() { limited.await } else { refused };
    assert_eq!(refused.as_deref(), Some("rate_limited"));
    let again = alice.sends(message("c1", "one")).await;
    assert!(again.duplicate && again.seq == first.seq);
}

#[tokio::test]
async fn many_retries_at_once_are_one_message() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    let tries = futures_util::future::join_all((0..20).map(|_| alice.sends(message("c1", "once")))).await;
    assert_eq!(tries.iter().filter(|ack| !ack.duplicate).count(), 1);
    assert!(tries.iter().all(|ack| ack.seq == tries[0].seq));
    world.kept_every_promise(&["general"]).await;
}
