//! What the door knows of one streaming call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use salon_proto::link::frames::{Reply, SessionOpened};
use salon_proto::v1::{self, ServerFrame};
use tokio::sync::Notify;

use crate::grpc::connection::Connection;

/// Ephemeral events that wait for a client that does not read; further ones are dropped.
const EVENTS_MAX: usize = 32;

/// What a call wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) struct Interest {
    pub(in crate::grpc) entries: bool,
    pub(in crate::grpc) events: bool,
}

/// Rings when there is something for a stream.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) wake: Notify,
    /// The session has ended: what was taken and not yet sent is not sent any more.
    pub(super) ended: AtomicBool,
}

/// Why a session has ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    Closed { code: u32, reason: String, reconnect_after_ms: Option<u64> },
    LinkLost,
}

#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) bell: Arc<Bell>,
    pub(super) connection: Arc<Connection>,
    pub(super) interest: Interest,
    /// The person's id: fences name it. Empty until the session is open.
    pub(super) user: String,
    pub(super) opened: Option<Result<SessionOpened, v1::Error>>,
    /// Bounded by the commands that may be in flight.
    pub(super) replies: VecDeque<Reply>,
    pub(super) cursors: BTreeMap<Arc<str>, Cursor>,
    /// The logs in which there may be something to send, each once, in the order in which they get their turn.
    pub(super) behind: VecDeque<Arc<str>>,
    pub(super) events: VecDeque<(String, Arc<ServerFrame>)>,
    pub(super) end: Option<End>,
    /// The stream has not looked since something ended: the session, or a membership.
    pub(super) unseen: bool,
}

/// Where a stream is in a log.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// Clients' name of the log.
    pub(super) room: String,
    pub(super) epoch: String,
    /// The last entry that was taken.
    pub(super) at: u64,
    /// `caught_up` is to be told when the cursor is there.
    pub(super) caught_up_at: Option<u64>,
    /// The cursor ends here.
    pub(super) fence: Option<Fence>,
    /// Its log is among those that are `behind`.
    pub(super) queued: bool,
    /// The stream reads a block from the store.
    pub(super) reading: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Fence {
    pub(super) at: u64,
    /// Everybody has to go: the room is no more.
    pub(super) room_deleted: bool,
}

impl Subscriber {
    pub(super) fn new(bell: Arc<Bell>, connection: Arc<Connection>, interest: Interest) -> Self {
        Self {
            bell,
            connection,
            interest,
            user: String::new(),
            opened: None,
            replies: VecDeque::new(),
            cursors: BTreeMap::new(),
            behind: VecDeque::new(),
            events: VecDeque::new(),
            end: None,
            unseen: false,
        }
    }

    /// There may be something to send in this log.
    pub(super) fn queue(&mut self, log: &Arc<str>) {
        let Some(cursor) = self.cursors.get_mut(log).filter(|cursor| !cursor.queued && !cursor.reading) else { return };
        cursor.queued = true;
        self.behind.push_back(Arc::clone(log));
        self.bell.wake.notify_one();
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        self.replies.push_back(reply);
        self.bell.wake.notify_one();
    }

    /// Best effort: of two events with one key the later one counts.
    pub(super) fn event(&mut self, key: &str, frame: &Arc<ServerFrame>) {
        if !self.interest.events || self.opened.is_none() {
            return;
        }
        match self.events.iter().position(|(other, _)| !key.is_empty() && other == key) {
            Some(at) => self.events[at].1 = Arc::clone(frame),
            None if self.events.len() < EVENTS_MAX => self.events.push_back((key.to_owned(), Arc::clone(frame))),
            None => return,
        }
        self.bell.wake.notify_one();
    }
}
