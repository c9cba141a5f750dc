//! Reads what remains and lets the checker judge.

use std::collections::BTreeMap;
use std::time::Duration;

use salon_client::{Client, ClientConfig, Credential, Event, Events, JoinFrom};
use salon_proto::v1;
use tokio::time::Instant;

use super::{soon, within};
use crate::checker::{Aftermath, Entry, FinalRoom, PageMessage, Recorder, Violation, assert_kept, check};

/// How long the last entries may be on their way.
const REST_MAX: Duration = Duration::from_secs(30);
/// Between two looks whether everybody has everything.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Messages in a page.
const PAGE_MESSAGES: u32 = 200;

pub(super) async fn inspect(url: &str, credential: Credential, rooms: &[&str], recorder: &Recorder) {
    let (client, mut events) = soon("the inspector", Client::connect(ClientConfig::new(url, credential))).await.unwrap();
    let mut aftermath = Aftermath::default();
    for room in rooms {
        let kept = within(REST_MAX, "the whole log", read(&client, &mut events, room)).await;
        aftermath.rooms.insert((*room).to_owned(), kept);
    }
    client.close().await;
    let deadline = Instant::now() + REST_MAX;
    loop {
        let trace = recorder.trace();
        let resting = !check(&trace, &aftermath).iter().any(|violation| {
            matches!(violation, Violation::NotDrained { .. } | Violation::CaughtUp { why: "it never came", .. })
        });
        if resting || Instant::now() >= deadline {
            return assert_kept(&trace, &aftermath);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The whole log, then the whole history.
pub(crate) async fn read(client: &Client, events: &mut Events, room: &str) -> FinalRoom {
    // Without messages to begin with, this only makes the inspector a member and tells the epoch.
    let epoch = client.join_from(room, JoinFrom::Last(0)).await.unwrap().epoch;
    client.leave(room).await.unwrap();
    let first = v1::Position { epoch: epoch.clone(), seq: 0 };
    let ack = client.join_from(room, JoinFrom::Since(first)).await.unwrap();
    assert!(!ack.gap, "{room} cannot be read from its beginning");
    // What came before the second join is sent again by it, as it is now.
    let mut entries = BTreeMap::new();
    loop {
        match events.next().await {
            Some(Event::Entry(entry)) if entry.room == room => drop(entries.insert(entry.seq, Entry::from(&*entry))),
            Some(Event::CaughtUp(at)) if at.room == room && at.seq == ack.seq => break,
            Some(_) => {}
            None => panic!("the inspector was thrown out"),
        }
    }
    let entries = entries.into_values().collect();
    client.leave(room).await.unwrap();
    FinalRoom { epoch, entries, messages: pages(client, room).await, since_join: false }
}

async fn pages(client: &Client, room: &str) -> Vec<PageMessage> {
    let mut messages = Vec::new();
    let mut before = None;
    loop {
        let query = v1::GetHistory { room: room.to_owned(), before, limit: Some(PAGE_MESSAGES), ..Default::default() };
        let page = client.history(query).await.unwrap();
        messages.splice(0..0, page.messages.iter().map(PageMessage::from));
        match page.prev {
            Some(prev) if !page.messages.is_empty() => before = Some(prev),
            Some(_) | None => return messages,
        }
    }
}
