//! Commands without an answer: which wait, which were sent, which have to be sent again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use salon_proto::v1::{self, Ack, ClientFrame, ack, client_frame::Command};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::Error;

/// Where an answer goes.
pub(crate) type ReplyTo = oneshot::Sender<Result<Ack, Error>>;

/// First wait before a command that was refused for the moment is sent again; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// No wait before such a repetition is longer, unless the server asks for it.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Who wants the answer.
#[derive(Debug)]
pub(crate) enum Origin {
    Application(ReplyTo),
    /// The machine itself, to continue a room on a new connection.
    Resume,
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) frame: ClientFrame,
    pub(crate) origin: Origin,
    expires: Option<Instant>,
    repetitions: u32,
    sent: bool,
}

impl Pending {
    /// Tells the application, if that is who asked.
    pub(crate) fn finish(self, result: Result<Ack, Error>) {
        match self.origin {
            // Nobody waits any more if this fails, which is their right.
            Origin::Application(reply) => drop(reply.send(result)),
            Origin::Resume => {}
        }
    }

    pub(crate) fn was_repeated(&self) -> bool {
        self.repetitions > 0
    }
}

/// The commands of one client, in the order in which they were given.
#[derive(Debug)]
pub(crate) struct Commands {
    all: BTreeMap<i64, Pending>,
    ready: VecDeque<i64>,
    held: BTreeSet<(Instant, i64)>,
    next_id: i64,
    in_flight: usize,
    timeout: Duration,
}

impl Commands {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { all: BTreeMap::new(), ready: VecDeque::new(), held: BTreeSet::new(), next_id: 1, in_flight: 0, timeout }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn add(&mut self, now: Instant, command: Command, origin: Origin) {
        let id = self.next_id;
        self.next_id += 1;
        let (expires, resume) = match &origin {
            Origin::Application(_) => (Some(now + self.timeout), false),
            Origin::Resume => (None, true),
        };
        let frame = ClientFrame { id: Some(id), command: Some(command) };
        self.all.insert(id, Pending { frame, origin, expires, repetitions: 0, sent: false });
        if resume { self.ready.push_front(id) } else { self.ready.push_back(id) }
    }

    /// The next command to be sent, if the server accepts another one.
    pub(crate) fn next_to_send(&mut self, in_flight_max: usize) -> Option<&ClientFrame> {
        if self.in_flight >= in_flight_max {
            return None;
        }
        let id = loop {
            let id = self.ready.pop_front()?;
            if self.all.contains_key(&id) {
                break id;
            }
        };
        let pending = self.all.get_mut(&id)?;
        pending.sent = true;
        self.in_flight += 1;
        Some(&pending.frame)
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Pending> {
        self.all.get(&id)
    }

    /// Takes out a command that is finished.
    pub(crate) fn take(&mut self, id: i64) -> Option<Pending> {
        let pending = self.all.remove(&id)?;
        if pending.sent {
            self.in_flight -= 1;
        }
        Some(pending)
    }

    /// True where the same command, sent again, can only do what the first would have done and the server has said
    /// that this may help.
    pub(crate) fn may_repeat(&self, id: i64, error: &v1::Error) -> bool {
        let Some(pending) = self.all.get(&id) else { return false };
        match (&pending.origin, &pending.frame.command) {
            (Origin::Resume, _) => error.retryable,
            (Origin::Application(_), Some(Command::Message(message))) => {
                error.code == "unavailable" && message.client_id.is_some()
            }
            (Origin::Application(_), _) => false,
        }
    }

    /// Sends a refused command again after a while.
    pub(crate) fn hold(&mut self, now: Instant, id: i64, error: &v1::Error) {
        let Some(pending) = self.all.get_mut(&id) else { return };
        let own = RETRY_FIRST.saturating_mul(1 << pending.repetitions.min(8)).min(RETRY_MAX);
        let wait = error.retry_after_ms.map_or(own, Duration::from_millis);
        pending.repetitions += 1;
        pending.sent = false;
        self.in_flight -= 1;
        self.held.insert((now + wait, id));
    }

    /// What was decided about a room meanwhile takes the place of a resumption that waits to be sent: later it would
    /// begin where the room no longer stands, or enter a room that was left.
    pub(crate) fn forget_resumption(&mut self, room: &str) {
        self.all.retain(|_, pending| match (&pending.origin, &pending.frame.command) {
            (Origin::Resume, Some(Command::Join(join))) => pending.sent || join.room != room,
            (Origin::Resume | Origin::Application(_), _) => true,
        });
    }

    /// Everything that has to happen by `now`: what was held is ready again, what is too old fails.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some((until, id)) = self.held.first().copied().filter(|(until, _)| *until <= now) {
            self.held.remove(&(until, id));
            self.ready.push_front(id);
        }
        while let Some((id, _)) = self.first_expiry().filter(|(_, expires)| *expires <= now) {
            if let Some(pending) = self.take(id) {
                pending.finish(Err(Error::TimedOut));
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let held = self.held.first().map(|(until, _)| *until);
        let expires = self.first_expiry().map(|(_, expires)| expires);
        [held, expires].into_iter().flatten().min()
    }

    /// All commands wait equally long, so the oldest is the first to expire.
    fn first_expiry(&self) -> Option<(i64, Instant)> {
        self.all.iter().find_map(|(id, pending)| pending.expires.map(|expires| (*id, expires)))
    }

    /// The connection is gone: what can be repeated waits for the next one, in the old order.
    pub(crate) fn disconnected(&mut self) {
        self.ready.clear();
        self.held.clear();
        self.in_flight = 0;
        let ids: Vec<i64> = self.all.keys().copied().collect();
        for id in ids {
            let Some(pending) = self.all.get_mut(&id) else { continue };
            let again = match (&pending.origin, &pending.frame.command) {
                (Origin::Resume, _) | (_, None) => false,
                (Origin::Application(_), Some(command)) => !pending.sent || is_repeatable(command),
            };
            if again {
                pending.repetitions += u32::from(pending.sent);
                pending.sent = false;
                self.ready.push_back(id);
            } else if let Some(pending) = self.all.remove(&id) {
                pending.finish(Err(Error::Interrupted));
            }
        }
    }

    /// The client stops: nothing waits any longer.
    pub(crate) fn fail_all(&mut self, error: &Error) {
        for (_, pending) in std::mem::take(&mut self.all) {
            pending.finish(Err(error.clone()));
        }
        self.ready.clear();
        self.held.clear();
        self.in_flight = 0;
    }
}

/// True for commands that, sent twice, take effect once.
fn is_repeatable(command: &Command) -> bool {
    match command {
        Command::Message(message) => message.client_id.is_some(),
        Command::Join(_)
        | Command::Leave(_)
        | Command::Edit(_)
        | Command::Delete(_)
        | Command::React(_)
        | Command::History(_)
        | Command::Read(_)
        | Command::Rooms(_)
        | Command::Members(_)
        | Command::Presence(_)
        | Command::Ping(_) => true,
        Command::Hello(_) | Command::Part(_) | Command::Typing(_) | Command::Signal(_) | Command::Location(_) => false,
    }
}

/// What a leave that was sent twice is told when the first one has worked already.
pub(crate) fn left(room: &str) -> Ack {
    Ack { data: Some(ack::Data::Leave(v1::RoomAck { room: room.to_owned() })) }
}
