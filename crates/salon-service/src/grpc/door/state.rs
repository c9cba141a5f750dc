//! Everything that the door knows, and what the frames of the link do to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use salon_proto::link::frames::{Attach, Block, DetachMember, EndSession, LogEntry, ReadBlock, Reply, RoomEvent, SessionEvent};
use salon_proto::link::{gateway_frame, reply, service_frame::Frame};
use salon_proto::v1::{CaughtUp, Entry, ServerFrame};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::subscriber::{Cursor, End, Fence, Subscriber};
use super::tail::Tail;

/// Content of all tails together, in bytes. The oldest entries go first, whatever log they are of.
const TAILS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The same in entries.
const TAILS_ENTRIES_MAX: usize = 64 * 1024;
/// Entries that a stream reads from the store at once.
const BLOCK_ENTRIES_MAX: u64 = 64;
/// A stream that had to end and was not even looked at for this long, in milliseconds, has a client that does not read:
/// its connection is closed, because what waits in it may not be sent any more (G7: 2 s).
const END_MS_MAX: u64 = 1_500;

#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` before the first link, and after the last.
    pub(super) link: Option<mpsc::Sender<gateway_frame::Frame>>,
    pub(super) subscribers: BTreeMap<u64, Subscriber>,
    pub(super) logs: BTreeMap<Arc<str>, Tail>,
    /// The logs of the entries in all tails, in the order of their arrival.
    order: VecDeque<Arc<str>>,
    tails_bytes: usize,
    /// Streams that have to notice something, and until when.
    overdue: VecDeque<(Instant, u64)>,
}

/// What a stream does next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "passes through one match; a box would be an allocation for each reply")]
pub(super) enum Next {
    End(End),
    Reply(Reply),
    Run(Vec<Arc<Entry>>),
    CaughtUp(CaughtUp),
    /// To be read from the store, of this life of the log.
    Read {
        block: ReadBlock,
        epoch: String,
    },
    /// The stream hears a room no longer.
    Lost {
        room_deleted: bool,
    },
    Event(Arc<ServerFrame>),
    Nothing,
}

impl State {
    /// Takes a frame from the service.
    pub(super) fn take(&mut self, frame: Frame, now: Instant) {
        match frame {
            Frame::Opened(opened) => {
                if let Some(subscriber) = self.subscribers.get_mut(&opened.session) {
                    subscriber.user.clone_from(&opened.user);
                    subscriber.opened = Some(Ok(opened));
                    subscriber.bell.wake.notify_one();
                }
            }
            Frame::Refused(refused) => {
                if let Some(subscriber) = self.subscribers.get_mut(&refused.session) {
                    subscriber.opened = Some(Err(refused.error.unwrap_or_default()));
                    subscriber.bell.wake.notify_one();
                }
            }
            Frame::Reply(reply) => self.reply(reply),
            Frame::Entry(LogEntry { log, entry: Some(entry) }) => self.entry(&log, entry),
            Frame::RoomEvent(event) => self.room_event(event),
            Frame::SessionEvent(event) => self.session_event(event),
            Frame::End(end) => self.end(end, now),
            Frame::Detach(detach) => self.fence(&detach, now),
            // The door reads its blocks directly and has no requests.
            Frame::Entry(LogEntry { entry: None, .. }) | Frame::Block(_) | Frame::Api(_) => {}
        }
    }

    fn reply(&mut self, mut reply: Reply) {
        let number = reply.session;
        match reply.effect.take() {
            Some(reply::Effect::Attach(attach)) => self.attach(number, attach),
            Some(reply::Effect::Detach(detach)) => self.detach(number, &detach.log),
            // The stream looks at it itself.
            effect @ (Some(reply::Effect::Renewed(_)) | None) => reply.effect = effect,
        }
        if let Some(subscriber) = self.subscribers.get_mut(&number) {
            subscriber.reply(reply);
        }
    }

    fn attach(&mut self, number: u64, attach: Attach) {
        let Some(subscriber) = self.subscribers.get_mut(&number) else { return };
        let log: Arc<str> = attach.log.into();
        if subscriber.cursors.get(&log).is_some_and(|cursor| cursor.fence.is_none()) {
            return;
        }
        let tail = self.logs.entry(Arc::clone(&log)).or_default();
        tail.head = tail.head.max(attach.caught_up_at);
        tail.listeners.insert(number);
        let cursor = Cursor {
            room: attach.room,
            epoch: attach.epoch,
            // Who does not want entries is ahead of them all.
            at: if subscriber.interest.entries { attach.cursor } else { u64::MAX },
            caught_up_at: Some(attach.caught_up_at),
            ..Cursor::default()
        };
        subscriber.cursors.insert(Arc::clone(&log), cursor);
        subscriber.queue(&log);
    }

    fn detach(&mut self, number: u64, log: &str) {
        if let Some(subscriber) = self.subscribers.get_mut(&number) {
            subscriber.cursors.remove(log);
        }
        self.unlisten(number, log);
    }

    fn unlisten(&mut self, number: u64, log: &str) {
        let Some(tail) = self.logs.get_mut(log) else { return };
        tail.listeners.remove(&number);
        if tail.listeners.is_empty() {
            self.tails_bytes -= tail.clear();
            self.logs.remove(log);
        }
    }

    fn entry(&mut self, log: &str, entry: Entry) {
        let Some((log, _)) = self.logs.get_key_value(log) else { return };
        let log = Arc::clone(log);
        let Some(tail) = self.logs.get_mut(&log) else { return };
        let growth = tail.push(Arc::new(entry));
        for number in &tail.listeners {
            if let Some(subscriber) = self.subscribers.get_mut(number) {
                subscriber.queue(&log);
            }
        }
        self.tails_bytes = self.tails_bytes + growth.added_bytes - growth.dropped_bytes;
        if growth.added_bytes > 0 {
            self.order.push_back(log);
        }
        while self.tails_bytes > TAILS_BYTES_MAX || self.order.len() > TAILS_ENTRIES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            self.tails_bytes -= self.logs.get_mut(&oldest).map_or(0, Tail::pop);
        }
    }

    fn room_event(&mut self, event: RoomEvent) {
        let (Some(tail), Some(frame)) = (self.logs.get(&*event.log), event.frame) else { return };
        let frame = Arc::new(frame);
        for number in tail.listeners.iter().filter(|number| event.except != Some(**number)) {
            if let Some(subscriber) = self.subscribers.get_mut(number) {
                subscriber.event(&event.key, &frame);
            }
        }
    }

    fn session_event(&mut self, event: SessionEvent) {
        let Some(frame) = event.frame.map(Arc::new) else { return };
        for number in &event.sessions {
            if let Some(subscriber) = self.subscribers.get_mut(number) {
                subscriber.event("", &frame);
            }
        }
    }

    fn end(&mut self, end: EndSession, now: Instant) {
        let number = end.session;
        let EndSession { code, reason, reconnect_after_ms, .. } = end;
        self.end_session(number, End::Closed { code, reason, reconnect_after_ms });
        self.watch(number, now);
    }

    fn end_session(&mut self, number: u64, end: End) {
        let Some(subscriber) = self.subscribers.get_mut(&number) else { return };
        let logs: Vec<Arc<str>> = std::mem::take(&mut subscriber.cursors).into_keys().collect();
        subscriber.behind.clear();
        subscriber.events.clear();
        subscriber.end = Some(end);
        subscriber.bell.ended.store(true, Ordering::Release);
        subscriber.bell.wake.notify_one();
        for log in logs {
            self.unlisten(number, &log);
        }
    }

    /// Somebody's streams, or everybody's, end in this log.
    fn fence(&mut self, detach: &DetachMember, now: Instant) {
        let Some((log, tail)) = self.logs.get_key_value(&*detach.log) else { return };
        let (log, listeners) = (Arc::clone(log), tail.listeners.clone());
        for number in listeners {
            let Some(subscriber) = self.subscribers.get_mut(&number) else { continue };
            if !detach.user.is_empty() && detach.user != subscriber.user {
                continue;
            }
            let Some(cursor) = subscriber.cursors.get_mut(&log) else { continue };
            cursor.fence = Some(Fence { at: detach.fence, room_deleted: detach.user.is_empty() });
            subscriber.queue(&log);
            self.watch(number, now);
        }
    }

    /// The stream has to notice, or its connection ends.
    fn watch(&mut self, number: u64, now: Instant) {
        if let Some(subscriber) = self.subscribers.get_mut(&number) {
            subscriber.unseen = true;
            subscriber.bell.wake.notify_one();
            self.overdue.push_back((now + Duration::from_millis(END_MS_MAX), number));
        }
    }

    pub(super) fn end_overdue(&mut self, now: Instant) {
        while let Some((_, number)) = self.overdue.front().copied().filter(|(due, _)| *due <= now) {
            self.overdue.pop_front();
            let Some(subscriber) = self.subscribers.get_mut(&number) else { continue };
            if subscriber.unseen {
                tracing::debug!(session = number, "a stream that had to end is not read: its connection is closed");
                subscriber.connection.kill.cancel();
            }
        }
    }

    /// All sessions of this link are over.
    pub(super) fn link_lost(&mut self) {
        self.link = None;
        let numbers: Vec<u64> = self.subscribers.keys().copied().collect();
        for number in numbers {
            self.end_session(number, End::LinkLost);
        }
    }

    /// The stream is gone. True if the service has to be told.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let Some(subscriber) = self.subscribers.remove(&number) else { return false };
        for log in subscriber.cursors.keys() {
            self.unlisten(number, log);
        }
        subscriber.end.is_none()
    }

    /// What a stream does next. While deliveries are `held`, it is told only what is its own.
    pub(super) fn next(&mut self, number: u64, held: bool) -> Next {
        let Some(subscriber) = self.subscribers.get_mut(&number) else { return Next::End(End::LinkLost) };
        subscriber.unseen = false;
        if let Some(end) = &subscriber.end {
            return Next::End(end.clone());
        }
        if let Some(reply) = subscriber.replies.pop_front() {
            return Next::Reply(reply);
        }
        if held {
            return Next::Nothing;
        }
        while let Some(log) = self.subscribers.get_mut(&number).and_then(|subscriber| subscriber.behind.pop_front()) {
            if let Some(next) = self.next_of_log(number, &log) {
                return next;
            }
        }
        let event = self.subscribers.get_mut(&number).and_then(|subscriber| subscriber.events.pop_front());
        event.map_or(Next::Nothing, |(_, event)| Next::Event(event))
    }

    fn next_of_log(&mut self, number: u64, log: &Arc<str>) -> Option<Next> {
        let subscriber = self.subscribers.get_mut(&number)?;
        let cursor = subscriber.cursors.get_mut(log)?;
        cursor.queued = false;
        let tail = self.logs.get(log)?;
        let end = cursor.fence.map_or(tail.head, |fence| fence.at);
        let until = cursor.caught_up_at.unwrap_or(u64::MAX).min(end);
        if cursor.at < until {
            let run = tail.run(cursor.at, until);
            if let Some(last) = run.last() {
                cursor.at = last.seq;
                subscriber.queue(log);
                return Some(Next::Run(run));
            }
            if cursor.fence.is_none() {
                cursor.reading = true;
                let through = until.min(cursor.at + BLOCK_ENTRIES_MAX);
                let block = ReadBlock { request: 0, log: log.as_ref().to_owned(), after: cursor.at, through };
                return Some(Next::Read { block, epoch: cursor.epoch.clone() });
            }
            // What is left before the fence is not at hand: it is not sent any more.
        } else if cursor.caught_up_at.is_some_and(|at| cursor.at >= at) && cursor.fence.is_none() {
            let seq = cursor.caught_up_at.take().unwrap_or_default();
            let room = cursor.room.clone();
            subscriber.queue(log);
            return Some(Next::CaughtUp(CaughtUp { room, seq }));
        }
        let fence = cursor.fence?;
        self.detach(number, log);
        Some(Next::Lost { room_deleted: fence.room_deleted })
    }

    /// A block was read for a stream, possibly in vain. Returns what of it is to be sent.
    pub(super) fn filled(&mut self, number: u64, block: Block) -> Vec<Entry> {
        let log: Arc<str> = block.log.into();
        let Some(subscriber) = self.subscribers.get_mut(&number) else { return Vec::new() };
        let Some(cursor) = subscriber.cursors.get_mut(&log) else { return Vec::new() };
        cursor.reading = false;
        let last = cursor.fence.map_or(u64::MAX, |fence| fence.at);
        let mut entries = block.entries;
        entries.retain(|entry| entry.seq > cursor.at && entry.seq <= last);
        if let Some(entry) = entries.last() {
            cursor.at = entry.seq;
        }
        subscriber.queue(&log);
        entries
    }

    /// Does the stream listen to anything?
    pub(super) fn listens(&self, number: u64) -> bool {
        self.subscribers.get(&number).is_some_and(|subscriber| !subscriber.cursors.is_empty())
    }
}
