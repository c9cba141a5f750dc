//! Reads what remains and lets the checker judge.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
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
        let resting = !check(&trace, &aftermath).iter().any(Violation::may_pass);
        if resting || Instant::now() >= deadline {
            return assert_kept(&trace, &aftermath);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The whole log, then the whole history.
pub(crate) async fn read(client: &Client, events: &mut Events, room: &str) -> FinalRoom {
    let mut heard = Vec::new();
    // Without messages to begin with, this only makes the inspector a member and tells the epoch.
    let epoch = listening(events, &mut heard, client.join_from(room, JoinFrom::Last(0))).await.unwrap().epoch;
    listening(events, &mut heard, client.leave(room)).await.unwrap();
    heard.clear();
    let first = v1::Position { epoch: epoch.clone(), seq: 0 };
    let ack = listening(events, &mut heard, client.join_from(room, JoinFrom::Since(first))).await.unwrap();
    assert!(!ack.gap, "{room} cannot be read from its beginning");
    // Not `caught_up`: the one of the first join, with the same position, may still be on its way.
    let done = |event: &Event| matches!(event, Event::Entry(entry) if entry.room == room && entry.seq == ack.seq);
    while !heard.iter().any(done) {
        heard.push(events.next().await.expect("the inspector is not thrown out"));
    }
    listening(events, &mut heard, client.leave(room)).await.unwrap();
    let mut entries = BTreeMap::new();
    for event in &heard {
        if let Event::Entry(entry) = event
            && entry.room == room
        {
            entries.insert(entry.seq, Entry::from(&**entry));
        }
    }
    let messages = listening(events, &mut heard, pages(client, room)).await;
    FinalRoom { epoch, entries: entries.into_values().collect(), messages, since_join: false }
}

/// Answers come behind events on one socket: whoever waits for an answer has to go on listening.
async fn listening<T>(events: &mut Events, heard: &mut Vec<Event>, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            event = events.next() => heard.push(event.expect("the inspector is not thrown out")),
        }
    }
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
