//! Who is there, and who is typing.

use std::time::Duration;

use salon_client::Event;
use salon_proto::v1;
use salon_tests::support::{Person, World};
use tokio::time::Instant;

fn status_of<'a>(person: &'a Person, status: &'a str) -> impl FnMut(&Event) -> Option<v1::Presence> + 'a {
    move |event| match event {
        Event::Presence(it) if it.user.as_deref() == Some(&*person.id) && it.status.as_deref() == Some(status) => {
            Some(it.clone())
        }
        _ => None,
    }
}

#[tokio::test]
async fn people_come_change_and_go() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let came = |event: &Event| match event {
        Event::Presence(it) if it.user.as_deref() == Some(&*bob.id) && it.change.as_deref() == Some("came") => Some(it.clone()),
        _ => None,
    };
    let came = alice.notices("bob's coming", came).await;
    assert_eq!(came.room.as_deref(), Some("general"));
    bob.device.client.presence("busy", Some("in a meeting")).await.unwrap();
    let busy = alice.notices("bob's being busy", status_of(&bob, "busy")).await;
    assert_eq!(busy.text.as_deref(), Some("in a meeting"));
    let members = alice.members("general").await;
    let status = |id: &str| members.iter().find(|member| member.user == id).map(|member| member.status.clone());
    assert_eq!((status(&bob.id).as_deref(), status(&alice.id).as_deref()), (Some("busy"), Some("online")));
    let left = Instant::now();
    bob.hangs_up().await;
    let gone = alice.notices("bob's going", status_of(&bob, "offline")).await;
    assert!(gone.last_seen.is_some());
    assert!(left.elapsed() >= Duration::from_secs(9), "ten seconds after the last connection, not {:?}", left.elapsed());
    alice.hears_nothing().await;
}

#[tokio::test]
async fn a_short_absence_is_not_told() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    alice.device.journal.skip();
    bob.device.line.hiccup();
    bob.comes_back().await;
    let offline = |event: &Event| matches!(event, Event::Presence(it) if it.status.as_deref() == Some("offline"));
    alice.notices_no("bob offline", offline).await;
}

#[tokio::test]
async fn over_several_devices_busy_wins_and_away_loses() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let phone = world.another_device(&bob).await;
    alice.joins("general").await;
    bob.joins("general").await;
    phone.joins("general").await;
    phone.device.client.presence("away", None).await.unwrap();
    bob.device.client.presence("away", None).await.unwrap();
    alice.notices("bob away on both", status_of(&bob, "away")).await;
    phone.device.client.presence("online", None).await.unwrap();
    alice.notices("bob online on one", status_of(&bob, "online")).await;
    bob.device.client.presence("busy", None).await.unwrap();
    alice.notices("bob busy on one", status_of(&bob, "busy")).await;
    let refused = bob.device.client.presence("asleep", None).await.unwrap_err();
    assert_eq!(refused.code(), Some("invalid"));
}

#[tokio::test]
async fn typing_reaches_the_others_in_the_room() {
    let world = World::start().await;
    let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    alice.joins("general").await;
    bob.joins("general").await;
    alice.device.client.typing("general", true).await;
    let types = |event: &Event| matches!(event, Event::Typing(it) if it.user == alice.id && it.typing).then_some(());
    bob.notices("alice typing", types).await;
    let any = |event: &Event| matches!(event, Event::Typing(_));
    alice.notices_no("one's own typing", any).await;
    carol.notices_no("typing in a room that is not joined", any).await;
}
