//! The log that remains, prepared for questions.

use std::collections::{BTreeMap, BTreeSet};

use super::aftermath::{Aftermath, FinalRoom};
use super::commands::Commands;
use super::trace::{Body, Entry, Intent};
use super::violation::Violation;

#[derive(Debug)]
pub(super) struct Logs<'a> {
    rooms: BTreeMap<&'a str, Log<'a>>,
}

#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) room: &'a FinalRoom,
    by_seq: BTreeMap<u64, &'a Entry>,
    by_client_id: BTreeMap<(&'a str, &'a str), u64>,
    edits: BTreeMap<(&'a str, &'a str, &'a str), u64>,
    /// Per person, where membership began and ended.
    membership: BTreeMap<&'a str, Vec<(u64, bool)>>,
    /// Per message: every content it ever had, with the position of the change; `None` for a deletion.
    states: BTreeMap<&'a str, Vec<(u64, Option<&'a str>)>>,
    /// Per message: what anybody tried to edit it into.
    attempts: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Logs<'a> {
    pub(super) fn of(aftermath: &'a Aftermath, commands: &'a Commands, violations: &mut Vec<Violation>) -> Self {
        let mut rooms: BTreeMap<&str, Log<'_>> = BTreeMap::new();
        let sent = Sent::of(commands);
        for (name, room) in &aftermath.rooms {
            let mut log = Log::new(room);
            log.index(name, violations);
            log.states_of(&sent);
            log.check_origin(name, &sent, violations);
            rooms.insert(name, log);
        }
        // The content of an edit whose message was deleted since is erased from the log; whoever sent it still knows.
        for asked in &commands.all {
            let Intent::Edit { room, id, content } = &asked.intent else { continue };
            let seq = asked.answers.iter().find_map(super::trace::Answer::change_seq);
            let Some(log) = rooms.get_mut(&**room) else { continue };
            log.attempts.entry(id).or_default().insert(content);
            let states = log.states.entry(id).or_default();
            if let Some(state) = states.iter_mut().find(|(at, _)| Some(*at) == seq) {
                state.1 = Some(content);
            }
        }
        Self { rooms }
    }

    pub(super) fn get(&self, room: &str) -> Option<&Log<'a>> {
        self.rooms.get(room)
    }
}

/// Every message that anybody tried to send.
struct Sent<'a> {
    /// By sender and `client_id`: the rooms it was meant for, and the content.
    messages: BTreeMap<(&'a str, &'a str), Vec<(&'a str, &'a str)>>,
}

impl<'a> Sent<'a> {
    fn of(commands: &'a Commands) -> Self {
        let mut messages: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for asked in &commands.all {
            if let Intent::Message { room, client_id, content } = &asked.intent {
                messages.entry((&*asked.user, &**client_id)).or_default().push((&**room, &**content));
            }
        }
        Self { messages }
    }
}

impl<'a> Log<'a> {
    fn new(room: &'a FinalRoom) -> Self {
        Self {
            room,
            by_seq: BTreeMap::new(),
            by_client_id: BTreeMap::new(),
            edits: BTreeMap::new(),
            membership: BTreeMap::new(),
            states: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    fn index(&mut self, name: &str, violations: &mut Vec<Violation>) {
        let (mut last_at, mut expected) = ("", 1);
        for entry in &self.room.entries {
            if entry.seq != expected {
                violations.push(Violation::LogHole { room: name.to_owned(), seq: expected });
            }
            expected = entry.seq + 1;
            if *entry.at < *last_at {
                violations.push(Violation::TimeWentBack { room: name.to_owned(), seq: entry.seq });
            }
            last_at = &entry.at;
            self.by_seq.insert(entry.seq, entry);
            self.index_body(name, entry, violations);
        }
    }

    fn index_body(&mut self, name: &str, entry: &'a Entry, violations: &mut Vec<Violation>) {
        match &entry.body {
            Body::Message { client_id: Some(client_id), .. } => {
                if let Some(first) = self.by_client_id.insert((&entry.actor, client_id), entry.seq) {
                    let client_id = client_id.clone();
                    violations.push(Violation::Doubled { room: name.to_owned(), client_id, first, second: entry.seq });
                }
            }
            Body::Edit { id, content } => {
                self.edits.insert((&entry.actor, id, content), entry.seq);
            }
            Body::Member { target, change } => {
                let membership = self.membership.entry(target).or_default();
                match &**change {
                    "joined" => membership.push((entry.seq, true)),
                    "left" | "removed" | "banned" => membership.push((entry.seq, false)),
                    _ => {}
                }
            }
            Body::Message { client_id: None, .. } | Body::Delete { .. } | Body::React { .. } | Body::Other(_) => {}
        }
    }

    fn states_of(&mut self, sent: &Sent<'a>) {
        for entry in &self.room.entries {
            let (id, state) = match &entry.body {
                Body::Message { id, client_id, content } => {
                    let original = client_id
                        .as_deref()
                        .and_then(|client_id| sent.messages.get(&(&*entry.actor, client_id))?.first())
                        .map(|(_, content)| *content);
                    (id, original.or(content.as_deref()))
                }
                Body::Edit { id, content } => (id, Some(&**content)),
                Body::Delete { id } => (id, None),
                Body::React { .. } | Body::Member { .. } | Body::Other(_) => continue,
            };
            self.states.entry(id).or_default().push((entry.seq, state));
        }
    }

    /// Whatever stands here was sent by its author, to this room, while a member.
    fn check_origin(&self, name: &str, sent: &Sent<'_>, violations: &mut Vec<Violation>) {
        for entry in &self.room.entries {
            let (room, seq) = (name.to_owned(), entry.seq);
            match &entry.body {
                Body::Message { client_id: Some(client_id), .. } => match sent.messages.get(&(&*entry.actor, &**client_id)) {
                    None => violations.push(Violation::Invented { room, seq, what: format!("{client_id} by {}", entry.actor) }),
                    Some(meant) if meant.iter().all(|(meant, _)| *meant != name) => {
                        let (client_id, intended) = (client_id.clone(), meant[0].0.to_owned());
                        violations.push(Violation::WrongRoom { room, seq, client_id, intended });
                    }
                    Some(_) => {}
                },
                Body::Message { client_id: None, .. }
                | Body::Edit { .. }
                | Body::Delete { .. }
                | Body::React { .. }
                | Body::Member { .. }
                | Body::Other(_) => {}
            }
            let writes = matches!(entry.body, Body::Message { .. } | Body::Edit { .. } | Body::React { .. });
            if writes && !self.is_member(&entry.actor, entry.seq) {
                violations.push(Violation::Intruder { room: name.to_owned(), seq, user: entry.actor.clone() });
            }
        }
    }

    pub(super) fn at(&self, seq: u64) -> Option<&'a Entry> {
        self.by_seq.get(&seq).copied()
    }

    pub(super) fn by_client_id(&self, user: &str, client_id: &str) -> Option<u64> {
        self.by_client_id.get(&(user, client_id)).copied()
    }

    pub(super) fn edit(&self, user: &str, id: &str, content: &str) -> Option<u64> {
        self.edits.get(&(user, id, content)).copied()
    }

    /// Did this person belong to the room when the entry at `seq` had been appended?
    pub(super) fn is_member(&self, user: &str, seq: u64) -> bool {
        let changes = self.membership.get(user).map(Vec::as_slice).unwrap_or_default();
        changes.iter().take_while(|(at, _)| *at <= seq).last().is_some_and(|(_, member)| *member)
    }

    /// Where this person's membership, as it was at `seq`, had begun.
    pub(super) fn member_since(&self, user: &str, seq: u64) -> Option<u64> {
        let changes = self.membership.get(user).map(Vec::as_slice).unwrap_or_default();
        changes.iter().take_while(|(at, _)| *at <= seq).last().filter(|(_, member)| *member).map(|(at, _)| *at)
    }

    /// Every content that the message had, oldest first.
    pub(super) fn states(&self, id: &str) -> &[(u64, Option<&'a str>)] {
        self.states.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Did the message have this content at `floor` or later?
    ///
    /// Of an edit without an ack, on a message that was deleted since, nobody can tell where it stood: its content is erased.
    pub(super) fn has_had(&self, id: &str, content: Option<&str>, floor: u64) -> bool {
        let states = self.states(id);
        let erased = || {
            let unknown = states.iter().any(|(_, state)| *state == Some(""));
            unknown && content.is_some_and(|content| self.attempts.get(id).is_some_and(|tried| tried.contains(content)))
        };
        states.iter().any(|(seq, state)| *seq >= floor && *state == content) || erased()
    }

    /// Did this person's membership end behind `after`, and not behind `through`?
    pub(super) fn ended_within(&self, user: &str, after: u64, through: u64) -> bool {
        let changes = self.membership.get(user).map(Vec::as_slice).unwrap_or_default();
        changes.iter().any(|(at, member)| !member && *at > after && *at <= through)
    }
}
