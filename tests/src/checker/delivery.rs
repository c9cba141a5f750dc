//! What every connection was sent, entry by entry, against the log that remains.

use std::collections::BTreeMap;

use super::log::{Log, Logs};
use super::trace::{Answer, Body, Device, Entry, Intent, Step, Trace, What};
use super::violation::{NEVER_CAME, Violation};

/// Behind this many entries the server may give up a resumption (PROTOCOL §3).
const RESUME_ENTRIES_MAX: u64 = salon_core::limits::RESUME_ENTRIES_MAX;
/// One's own log is private by construction, but not part of an aftermath.
const ME: &str = "@me";

pub(super) fn check(trace: &Trace, logs: &Logs, violations: &mut Vec<Violation>) {
    let mut devices: BTreeMap<Device, Connection> = BTreeMap::new();
    for step in &trace.steps {
        if matches!(step.what, What::Told(_)) {
            continue;
        }
        let connection = devices.entry(step.device).or_default();
        connection.step(step, logs, violations);
    }
    for (device, connection) in devices {
        connection.at_rest(device, logs, violations);
    }
}

/// The present connection of a device.
#[derive(Debug, Default)]
struct Connection {
    number: u64,
    open: bool,
    user: String,
    /// Joins and leaves that wait for their answer.
    asked: BTreeMap<i64, Intent>,
    rooms: BTreeMap<String, Cursor>,
}

#[derive(Debug)]
struct Cursor {
    head_at_join: u64,
    /// The last entry that came, or the position that was asked for.
    at: Option<u64>,
    caught_up: bool,
    /// Membership has ended here: nothing behind it may come.
    fence: Option<u64>,
}

impl Connection {
    fn step(&mut self, step: &Step, logs: &Logs, violations: &mut Vec<Violation>) {
        match &step.what {
            What::Opened => *self = Self { number: step.connection, open: true, ..Self::default() },
            What::Closed => self.open = false,
            What::Welcomed { user } => self.user.clone_from(user),
            What::Sends { command, intent } => {
                if matches!(intent, Intent::Join { .. } | Intent::Leave { .. } | Intent::Part { .. }) {
                    self.asked.insert(*command, intent.clone());
                }
            }
            What::Acked { command, answer } => {
                if let Some(intent) = self.asked.remove(command) {
                    self.acked(step.device, &intent, answer, logs, violations);
                }
            }
            What::Hears(entry) => self.hears(step.device, entry, logs, violations),
            What::CaughtUp { room, seq } => self.caught_up(step.device, room, *seq, violations),
            What::Refused { .. } | What::Told(_) => {}
        }
    }

    fn acked(&mut self, device: Device, intent: &Intent, answer: &Answer, logs: &Logs, violations: &mut Vec<Violation>) {
        match (intent, answer) {
            (Intent::Join { room, since }, Answer::Joined { epoch, head, gap }) => {
                if self.rooms.get(room).is_some_and(|cursor| cursor.is_live(room, &self.user, *head, logs)) {
                    // A second join changes nothing.
                    return;
                }
                let since = since.as_ref().filter(|(asked, _)| asked == epoch).map(|(_, seq)| *seq);
                if let (Some(since), true) = (since, *gap) {
                    self.check_gap(device, room, since, *head, logs, violations);
                }
                let at = since.filter(|_| !gap);
                self.rooms.insert(room.clone(), Cursor { head_at_join: *head, at, caught_up: false, fence: None });
            }
            (Intent::Leave { room }, Answer::Left) => {
                self.rooms.remove(room);
            }
            (Intent::Part { room }, Answer::Parted { seq }) => {
                if let Some(cursor) = self.rooms.get_mut(room) {
                    cursor.fence = Some(*seq);
                }
            }
            (_, _) => {}
        }
    }

    fn check_gap(&self, device: Device, room: &str, since: u64, head: u64, logs: &Logs, violations: &mut Vec<Violation>) {
        let Some(log) = logs.get(room) else { return };
        let hidden = log.room.since_join && log.member_since(&self.user, head).is_none_or(|from| since + 1 < from);
        if since <= head && head - since <= RESUME_ENTRIES_MAX && !hidden {
            let (connection, room) = (self.number, room.to_owned());
            violations.push(Violation::NeedlessGap { device, connection, room, since, head });
        }
    }

    fn hears(&mut self, device: Device, entry: &Entry, logs: &Logs, violations: &mut Vec<Violation>) {
        let (connection, room, seq) = (self.number, entry.room.clone(), entry.seq);
        let outsider = |why| Violation::Outsider { device, connection, room: room.clone(), seq, why };
        let Some(cursor) = self.rooms.get_mut(&entry.room) else {
            violations.push(outsider("this connection has not joined the room"));
            return;
        };
        if cursor.fence.is_some_and(|fence| seq > fence) {
            violations.push(outsider("the membership had ended before"));
        }
        if let Some(violation) = cursor.advance(device, connection, entry) {
            violations.push(violation);
        }
        if let Body::Member { target, change } = &entry.body
            && *target == self.user
            && matches!(&**change, "left" | "removed" | "banned")
            && seq > cursor.head_at_join
        {
            cursor.fence = Some(seq);
        }
        let head_at_join = cursor.head_at_join;
        let Some(log) = logs.get(&entry.room) else { return };
        if let Some(why) = may_not_see(log, &self.user, entry, head_at_join) {
            violations.push(outsider(why));
        }
        if let Some(what) = differs(log, entry) {
            violations.push(Violation::Disagreement { device, connection, room, seq, what });
        }
    }

    fn caught_up(&mut self, device: Device, room: &str, at: u64, violations: &mut Vec<Violation>) {
        let mut wrong = |why| {
            violations.push(Violation::CaughtUp { device, connection: self.number, room: room.to_owned(), at, why });
        };
        let Some(cursor) = self.rooms.get_mut(room) else {
            wrong("this connection has not joined the room");
            return;
        };
        if cursor.caught_up {
            wrong("it comes once");
        }
        if at != cursor.head_at_join {
            wrong("it names the head of the join");
        }
        if cursor.at.is_some_and(|last| last != at) {
            wrong("it comes right behind the last entry of the catch-up");
        }
        cursor.caught_up = true;
        cursor.at = Some(at);
    }

    /// Nothing is on its way any more: whoever listens has everything.
    fn at_rest(&self, device: Device, logs: &Logs, violations: &mut Vec<Violation>) {
        for (room, cursor) in self.rooms.iter().filter(|(_, cursor)| self.open && cursor.fence.is_none()) {
            let Some(log) = logs.get(room) else { continue };
            let (head, at) = (log.room.head(), cursor.at.unwrap_or(0));
            if !cursor.is_live(room, &self.user, head, logs) {
                continue;
            }
            let (connection, room) = (self.number, room.clone());
            if at < head {
                violations.push(Violation::NotDrained { device, connection, room, at, head });
            } else if !cursor.caught_up {
                let why = NEVER_CAME;
                violations.push(Violation::CaughtUp { device, connection, room, at: cursor.head_at_join, why });
            }
        }
    }
}

impl Cursor {
    /// Whoever cannot be written to at once does not learn of its own removal: the log tells.
    fn is_live(&self, room: &str, user: &str, head: u64, logs: &Logs) -> bool {
        let at = self.at.unwrap_or(0).max(self.head_at_join);
        self.fence.is_none() && !logs.get(room).is_some_and(|log| log.ended_within(user, at, head))
    }

    fn advance(&mut self, device: Device, connection: u64, entry: &Entry) -> Option<Violation> {
        let (room, seq) = (entry.room.clone(), entry.seq);
        let was = self.at;
        let violation = match was {
            Some(at) if seq == at => Some(Violation::Repeated { device, connection, room, seq }),
            Some(at) if seq < at => Some(Violation::Disordered { device, connection, room, seq, after: at }),
            Some(at) if seq > at + 1 => Some(Violation::Hole { device, connection, room, expected: at + 1, got: seq }),
            None if seq > self.head_at_join + 1 => {
                Some(Violation::Hole { device, connection, room, expected: self.head_at_join + 1, got: seq })
            }
            Some(_) | None if seq > self.head_at_join && !self.caught_up => {
                // Said once, not for every entry that follows.
                self.caught_up = true;
                let why = "it comes before the first live entry";
                Some(Violation::CaughtUp { device, connection, room, at: self.head_at_join, why })
            }
            Some(_) | None => None,
        };
        self.at = Some(was.unwrap_or(0).max(seq));
        violation
    }
}

/// Membership is read from the log itself, so it is exact: the entry that ends it is the last one that may come.
fn may_not_see(log: &Log, user: &str, entry: &Entry, head_at_join: u64) -> Option<&'static str> {
    if entry.room == ME {
        return None;
    }
    if entry.seq <= head_at_join {
        let since = log.member_since(user, head_at_join);
        return match since {
            None => Some("no member when the join was acknowledged"),
            Some(since) if log.room.since_join && entry.seq < since => Some("older than what a newcomer may see"),
            Some(_) => None,
        };
    }
    let member = log.is_member(user, entry.seq) || log.is_member(user, entry.seq - 1);
    (!member).then_some("no member at that time")
}

/// Position, author, kind and target never change; the content is one that the message has had.
fn differs(log: &Log, entry: &Entry) -> Option<String> {
    if entry.epoch != log.room.epoch {
        return Some(format!("epoch {} instead of {}", entry.epoch, log.room.epoch));
    }
    let Some(kept) = log.at(entry.seq) else {
        return Some("there is nothing".to_owned());
    };
    if (&kept.actor, &kept.at) != (&entry.actor, &entry.at) {
        return Some(format!("by {} at {}", kept.actor, kept.at));
    }
    let same = match (&kept.body, &entry.body) {
        (Body::Message { id, client_id, .. }, Body::Message { id: their_id, client_id: theirs, content }) => {
            id == their_id && client_id == theirs && log.has_had(id, content.as_deref(), 0)
        }
        // The content of an edit is erased together with its message.
        (Body::Edit { id, content }, Body::Edit { id: their_id, content: theirs }) => {
            id == their_id && (content == theirs || content.is_empty() || theirs.is_empty())
        }
        (kept, theirs) => kept == theirs,
    };
    (!same).then(|| format!("{:?} instead of {:?}", entry.body, kept.body))
}
