//! `kill -9` in mid-flow: nothing acked is lost, doubled or reordered, and every client resumes by itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use salon_tests::support::{Person, World};

/// What the issue asks for: 200 clients, 20 rooms, 20,000 messages, ten kills. `SALON_KILL_CLIENTS` and its like make it smaller.
const CLIENTS: usize = 200;
const ROOMS: usize = 20;
const MESSAGES: usize = 20_000;
const KILLS: usize = 10;
/// Rooms that each client has joined.
const ROOMS_EACH: usize = 2;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acked_is_lost_however_often_the_process_is_killed() {
    let (clients, rooms) = (setting("SALON_KILL_CLIENTS", CLIENTS), setting("SALON_KILL_ROOMS", ROOMS));
    let (messages, kills) = (setting("SALON_KILL_MESSAGES", MESSAGES), setting("SALON_KILL_KILLS", KILLS));
    let mut world = World::start().await;
    let people = world.people("person", clients).await;
    let names: Vec<String> = (0..rooms).map(|n| format!("room-{n}")).collect();
    for name in &names {
        people[0].creates_room(name, "public").await;
    }
    let join = people.iter().enumerate().map(|(n, person)| {
        let names = &names;
        async move {
            for place in 0..ROOMS_EACH {
                person.joins(&names[(n + place) % names.len()]).await;
            }
        }
    });
    futures_util::future::join_all(join).await;
    let said = AtomicUsize::new(0);
    let talk = people.iter().enumerate().map(|(n, person)| speak(person, n, messages / clients, &names, &said));
    let kill = async {
        for round in 1..=kills {
            // Spread evenly over the conversation, wherever in it each message is.
            while said.load(Ordering::Relaxed) < messages * round / (kills + 1) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            world.is_killed().await;
            world.starts_again().await;
        }
    };
    let (_, ()) = tokio::join!(futures_util::future::join_all(talk), kill);
    assert!(said.load(Ordering::Relaxed) >= messages / clients * clients);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.kept_every_promise(&names).await;
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

/// Says so many messages, whatever happens meanwhile. The client repeats what was interrupted; only a refusal for being
/// too fast is left to us.
async fn speak(person: &Person, n: usize, count: usize, names: &[String], said: &AtomicUsize) {
    for number in 0..count {
        let room = &names[(n + number % ROOMS_EACH) % names.len()];
        let content = format!("{} {number}", person.name);
        let client_id = Some(person.device.client.new_client_id());
        let message = salon_proto::v1::SendMessage { room: room.clone(), content, client_id, ..Default::default() };
        loop {
            match person.device.client.message(message.clone()).await {
                Ok(_) => break,
                Err(error) if error.code() == Some("rate_limited") => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{} says {number}: {error}", person.name),
            }
        }
        said.fetch_add(1, Ordering::Relaxed);
    }
}
