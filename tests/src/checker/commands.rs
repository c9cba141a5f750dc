//! What was asked and what was answered, against the log that remains.

use std::collections::BTreeMap;

use super::log::Logs;
use super::trace::{Answer, Body, Device, Intent, Trace, What};
use super::violation::Violation;

/// One command, through all its repetitions.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) device: Device,
    pub(super) command: i64,
    pub(super) user: String,
    pub(super) intent: Intent,
    /// When it was first sent, as an index into the trace.
    pub(super) sent: usize,
    /// When it was first acknowledged.
    pub(super) acked: Option<usize>,
    pub(super) answers: Vec<Answer>,
}

#[derive(Debug)]
pub(super) struct Commands {
    pub(super) all: Vec<Asked>,
}

impl Commands {
    pub(super) fn of(trace: &Trace) -> Self {
        let mut users: BTreeMap<Device, String> = BTreeMap::new();
        let mut found: BTreeMap<(Device, i64), usize> = BTreeMap::new();
        // A message under a `client_id` that was used before is the old one again.
        let mut first_sent: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut all: Vec<Asked> = Vec::new();
        for (at, step) in trace.steps.iter().enumerate() {
            match &step.what {
                What::Welcomed { user } => {
                    users.insert(step.device, user.clone());
                }
                What::Sends { command, intent } => {
                    found.entry((step.device, *command)).or_insert_with(|| {
                        let user = users.get(&step.device).cloned().unwrap_or_default();
                        let sent = match intent.client_id() {
                            Some(client_id) => *first_sent.entry((user.clone(), client_id.to_owned())).or_insert(at),
                            None => at,
                        };
                        all.push(Asked {
                            device: step.device,
                            command: *command,
                            user,
                            intent: intent.clone(),
                            sent,
                            acked: None,
                            answers: Vec::new(),
                        });
                        all.len() - 1
                    });
                }
                What::Acked { command, answer } => {
                    if let Some(asked) = found.get(&(step.device, *command)).and_then(|at| all.get_mut(*at)) {
                        asked.acked.get_or_insert(at);
                        asked.answers.push(answer.clone());
                    }
                }
                What::Opened | What::Closed | What::Refused { .. } | What::Hears(_) | What::CaughtUp { .. } | What::Told(_) => {}
            }
        }
        Self { all }
    }

    /// Acks against the log, and against one another in time.
    pub(super) fn check(&self, logs: &Logs, violations: &mut Vec<Violation>) {
        let mut placed: BTreeMap<&str, Vec<Placed<'_>>> = BTreeMap::new();
        for asked in &self.all {
            asked.check_acks(logs, violations);
            if let Some((room, seq)) = asked.position(logs) {
                placed.entry(room).or_default().push(Placed { asked, seq });
            }
        }
        for (room, placed) in placed {
            check_real_time(room, placed, violations);
        }
    }
}

struct Placed<'a> {
    asked: &'a Asked,
    seq: u64,
}

impl Asked {
    /// Where the log has what this command did, if it did something that can be told apart.
    pub(super) fn position<'a>(&'a self, logs: &Logs) -> Option<(&'a str, u64)> {
        let acked = self.answers.iter().find_map(|answer| match answer {
            Answer::Message { seq, .. } => Some(*seq),
            Answer::Change { seq } => *seq,
            Answer::Joined { .. } | Answer::Left | Answer::Parted { .. } | Answer::Page(_) | Answer::Other => None,
        });
        match &self.intent {
            Intent::Message { room, client_id, .. } => {
                Some((room, acked.or_else(|| logs.get(room)?.by_client_id(&self.user, client_id))?))
            }
            // An edit that changed nothing has no position of its own.
            Intent::Edit { room, id, content } => match self.answers.first() {
                Some(_) => Some((room, acked?)),
                None => Some((room, logs.get(room)?.edit(&self.user, id, content)?)),
            },
            Intent::Delete { room, .. } | Intent::React { room, .. } => Some((room, acked?)),
            Intent::Join { .. } | Intent::Leave { .. } | Intent::Part { .. } | Intent::History { .. } | Intent::Other => None,
        }
    }

    fn check_acks(&self, logs: &Logs, violations: &mut Vec<Violation>) {
        let mut first = None;
        for answer in &self.answers {
            let seq = match (answer, &self.intent) {
                (Answer::Message { seq, id, .. }, Intent::Message { room, client_id, .. }) => {
                    self.check_message(logs, room, client_id, *seq, id, violations);
                    *seq
                }
                (Answer::Change { seq: Some(seq) }, intent) => {
                    self.check_change(logs, intent, *seq, violations);
                    *seq
                }
                (Answer::Parted { seq }, Intent::Part { room }) => {
                    let mine = |body: &Body| matches!(body, Body::Member { target, .. } if *target == self.user);
                    self.expect(logs, room, *seq, mine, violations);
                    *seq
                }
                (_, _) => continue,
            };
            let room = self.intent.room().unwrap_or_default().to_owned();
            match first {
                None => first = Some(seq),
                Some(first) if first != seq => {
                    violations.push(Violation::AckMoved { device: self.device, command: self.command, room, first, second: seq });
                }
                Some(_) => {}
            }
        }
    }

    fn check_message(&self, logs: &Logs, room: &str, client_id: &str, seq: u64, id: &str, violations: &mut Vec<Violation>) {
        let body = logs.get(room).and_then(|log| log.at(seq)).map(|entry| (&entry.actor, &entry.body));
        let there = match body {
            Some((actor, Body::Message { id: there, client_id: theirs, .. })) => {
                *actor == self.user && there == id && theirs.as_deref() == Some(client_id)
            }
            Some((_, Body::Edit { .. } | Body::Delete { .. } | Body::React { .. } | Body::Member { .. } | Body::Other(_)))
            | None => false,
        };
        if !there {
            let client_id = client_id.to_owned();
            violations.push(Violation::LostAck { device: self.device, room: room.to_owned(), seq, client_id });
        }
    }

    fn check_change(&self, logs: &Logs, intent: &Intent, seq: u64, violations: &mut Vec<Violation>) {
        match intent {
            Intent::Edit { room, id, content } => {
                // Once the message is deleted, the content of its edits is erased.
                let mine = |body: &Body| matches!(body, Body::Edit { id: at, content: there } if at == id && (there == content || there.is_empty()));
                self.expect(logs, room, seq, mine, violations);
            }
            Intent::Delete { room, id } => {
                self.expect(logs, room, seq, |body| matches!(body, Body::Delete { id: at } if at == id), violations);
            }
            Intent::React { room, id, emoji, remove } => {
                let mine = |body: &Body| matches!(body, Body::React { id: at, emoji: e, remove: r } if at == id && e == emoji && r == remove);
                self.expect(logs, room, seq, mine, violations);
            }
            Intent::Message { .. }
            | Intent::Join { .. }
            | Intent::Leave { .. }
            | Intent::Part { .. }
            | Intent::History { .. }
            | Intent::Other => {}
        }
    }

    fn expect(&self, logs: &Logs, room: &str, seq: u64, mine: impl Fn(&Body) -> bool, violations: &mut Vec<Violation>) {
        let entry = logs.get(room).and_then(|log| log.at(seq));
        if entry.is_some_and(|entry| entry.actor == self.user && mine(&entry.body)) {
            return;
        }
        let found =
            entry.map_or_else(|| "there is nothing".to_owned(), |entry| format!("there is {:?} by {}", entry.body, entry.actor));
        violations.push(Violation::AckMismatch { device: self.device, command: self.command, room: room.to_owned(), seq, found });
    }
}

impl Intent {
    fn client_id(&self) -> Option<&str> {
        match self {
            Self::Message { client_id, .. } => Some(client_id),
            Self::Edit { .. }
            | Self::Delete { .. }
            | Self::React { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Part { .. }
            | Self::History { .. }
            | Self::Other => None,
        }
    }

    pub(super) fn room(&self) -> Option<&str> {
        match self {
            Self::Message { room, .. }
            | Self::Edit { room, .. }
            | Self::Delete { room, .. }
            | Self::React { room, .. }
            | Self::Join { room, .. }
            | Self::Leave { room }
            | Self::Part { room }
            | Self::History { room } => Some(room),
            Self::Other => None,
        }
    }
}

/// What was acked before something else was sent stands before it in the log, whoever asked.
fn check_real_time(room: &str, mut placed: Vec<Placed<'_>>, violations: &mut Vec<Violation>) {
    placed.sort_by_key(|placed| placed.asked.sent);
    let mut by_ack: Vec<(usize, u64, usize)> =
        placed.iter().enumerate().filter_map(|(at, placed)| Some((placed.asked.acked?, placed.seq, at))).collect();
    by_ack.sort_unstable();
    // The furthest position among everything that was acked so far.
    let mut furthest: Option<(u64, usize)> = None;
    let mut acked = by_ack.into_iter().peekable();
    for (at, later) in placed.iter().enumerate() {
        while let Some((_, seq, earlier)) = acked.next_if(|(acked, _, _)| *acked < later.asked.sent) {
            if furthest.is_none_or(|(most, _)| seq > most) {
                furthest = Some((seq, earlier));
            }
        }
        if let Some((seq, earlier)) = furthest.filter(|(seq, earlier)| *seq > later.seq && *earlier != at) {
            let name = |asked: &Asked, seq: u64| format!("{}/{} at {seq}", asked.device, asked.command);
            let (earlier, later) = (name(placed[earlier].asked, seq), name(later.asked, later.seq));
            violations.push(Violation::Overtaken { room: room.to_owned(), earlier, later });
        }
    }
}
