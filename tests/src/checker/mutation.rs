//! Planted faults: a good trace is spoiled in one way, and the checker has to notice. A checker that finds nothing
//! proves nothing until it has found these.

mod stored;

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::aftermath::Aftermath;
use super::trace::{Answer, Body, Entry, Intent, Step, Trace, What};
use super::violation::Violation;

/// A way to break a guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An entry does not arrive; the ones behind it do.
    Drop,
    /// An entry arrives twice.
    Duplicate,
    /// Two entries arrive in the wrong order.
    Reorder,
    /// One device sees two entries in each other's place.
    Swap,
    /// An entry arrives as one of another room.
    WrongRoom,
    /// A message is stored in another room.
    StoredElsewhere,
    /// The log has lost its end, of which messages were acknowledged.
    LostAck,
    /// An acknowledgement names another place.
    AckMoved,
    /// A connection that has not joined the room gets an entry.
    Leak,
    /// A person who was removed gets the entry behind the removal.
    LeakAfterRemoval,
    /// Somebody writes who was removed.
    Intruder,
    /// History and catch-up show a message as it was before its last edit.
    StaleEdit,
    /// A page that was asked for after an edit shows the message as it was before.
    StalePage,
    /// A message is stored twice.
    Doubled,
    /// Something is stored that nobody sent.
    Invented,
    /// A resumption leaves out what happened meanwhile.
    SilentResume,
    /// A resumption is given up without need.
    NeedlessGap,
    /// The last entry never arrives.
    MissingTail,
    /// Two messages are stored in the wrong order for everybody.
    Overtaken,
    /// The end of the catch-up is announced too early.
    EarlyCaughtUp,
    /// A message is in the log and not in the history.
    NotInHistory,
}

impl Fault {
    pub const ALL: [Self; 21] = [
        Self::Drop,
        Self::Duplicate,
        Self::Reorder,
        Self::Swap,
        Self::WrongRoom,
        Self::StoredElsewhere,
        Self::LostAck,
        Self::AckMoved,
        Self::Leak,
        Self::LeakAfterRemoval,
        Self::Intruder,
        Self::StaleEdit,
        Self::StalePage,
        Self::Doubled,
        Self::Invented,
        Self::SilentResume,
        Self::NeedlessGap,
        Self::MissingTail,
        Self::Overtaken,
        Self::EarlyCaughtUp,
        Self::NotInHistory,
    ];

    /// Is this the breach that the fault is?
    #[must_use]
    pub fn is_found_in(self, violations: &[Violation]) -> bool {
        violations.iter().any(|violation| match self {
            // Right before the end of a catch-up, it is that end which comes too early.
            Self::Drop | Self::SilentResume => matches!(violation, Violation::Hole { .. } | Violation::CaughtUp { .. }),
            Self::Duplicate => matches!(violation, Violation::Repeated { .. } | Violation::Disordered { .. }),
            Self::Reorder => matches!(violation, Violation::Disordered { .. } | Violation::Hole { .. }),
            Self::Swap => matches!(violation, Violation::Disagreement { .. }),
            Self::WrongRoom => matches!(violation, Violation::Disagreement { .. } | Violation::Outsider { .. }),
            Self::StoredElsewhere => matches!(violation, Violation::WrongRoom { .. }),
            Self::LostAck => matches!(violation, Violation::LostAck { .. }),
            Self::AckMoved => matches!(violation, Violation::LostAck { .. } | Violation::AckMoved { .. }),
            Self::Leak | Self::LeakAfterRemoval => matches!(violation, Violation::Outsider { .. }),
            Self::Intruder => matches!(violation, Violation::Intruder { .. }),
            Self::StaleEdit | Self::StalePage => matches!(violation, Violation::StaleEdit { .. }),
            Self::Doubled => matches!(violation, Violation::Doubled { .. }),
            Self::Invented => matches!(violation, Violation::Invented { .. }),
            Self::NeedlessGap => matches!(violation, Violation::NeedlessGap { .. }),
            Self::MissingTail => matches!(violation, Violation::NotDrained { .. }),
            Self::Overtaken => matches!(violation, Violation::Overtaken { .. }),
            Self::EarlyCaughtUp => matches!(violation, Violation::CaughtUp { .. }),
            Self::NotInHistory => matches!(violation, Violation::HistoryMismatch { .. }),
        })
    }

    /// Plants the fault somewhere. False: this trace offers no place for it.
    pub fn plant(self, trace: &mut Trace, aftermath: &mut Aftermath, rng: &mut StdRng) -> bool {
        let planted = match self {
            Self::Drop => drop_one(trace, rng),
            Self::Duplicate => duplicate(trace, rng),
            Self::Reorder => reorder(trace, rng),
            Self::Swap => swap(trace, rng),
            Self::WrongRoom => wrong_room(trace, rng),
            Self::Leak => leak(trace, rng),
            Self::LeakAfterRemoval => leak_after_removal(trace, aftermath, rng),
            Self::SilentResume => silent_resume(trace, rng),
            Self::NeedlessGap => needless_gap(trace, rng),
            Self::MissingTail => missing_tail(trace, aftermath, rng),
            Self::EarlyCaughtUp => early_caught_up(trace, rng),
            Self::StalePage => stale_page(trace, rng),
            Self::AckMoved => ack_moved(trace, rng),
            Self::StoredElsewhere => stored::elsewhere(aftermath, rng),
            Self::LostAck => stored::lost_ack(trace, aftermath, rng),
            Self::Intruder => stored::intruder(aftermath, rng),
            Self::StaleEdit => stored::stale_edit(trace, aftermath, rng),
            Self::Doubled => stored::doubled(aftermath, rng),
            Self::Invented => stored::invented(aftermath, rng),
            Self::Overtaken => stored::overtaken(trace, aftermath, rng),
            Self::NotInHistory => stored::not_in_history(aftermath, rng),
        };
        planted.is_some()
    }
}

pub(super) fn pick<T: Copy>(from: &[T], rng: &mut StdRng) -> Option<T> {
    (!from.is_empty()).then(|| from[rng.random_range(0..from.len())])
}

fn heard(step: &Step) -> Option<&Entry> {
    if let What::Hears(entry) = &step.what { Some(entry) } else { None }
}

fn heard_mut(step: &mut Step) -> Option<&mut Entry> {
    if let What::Hears(entry) = &mut step.what { Some(entry) } else { None }
}

/// Entries that a device hears, each with the next one of the same room on the same connection, no join between them.
fn pairs(trace: &Trace) -> Vec<(usize, usize)> {
    let mut last = BTreeMap::new();
    let mut joins = BTreeMap::new();
    let mut pairs = Vec::new();
    for (at, step) in trace.steps.iter().enumerate() {
        let key = |room: &str| (step.device, step.connection, room.to_owned());
        match &step.what {
            What::Hears(entry) => pairs.extend(last.insert(key(&entry.room), at).map(|before| (before, at))),
            What::Sends { command, intent: Intent::Join { room, .. } } => {
                joins.insert((step.device, *command), room.clone());
            }
            What::Acked { command, answer: Answer::Joined { .. } } => {
                if let Some(room) = joins.get(&(step.device, *command)) {
                    last.remove(&key(room));
                }
            }
            What::Opened
            | What::Closed
            | What::Welcomed { .. }
            | What::Sends { .. }
            | What::Acked { .. }
            | What::Refused { .. }
            | What::CaughtUp { .. }
            | What::Told(_) => {}
        }
    }
    pairs
}

fn pick_pair(trace: &Trace, rng: &mut StdRng) -> Option<(usize, usize)> {
    pick(&pairs(trace), rng)
}

fn drop_one(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    // The first entry of a fresh join may be any, so the one that is missing has to have one before it.
    let pairs = pairs(trace);
    let second: BTreeSet<usize> = pairs.iter().map(|(_, second)| *second).collect();
    let middle: Vec<usize> = pairs.iter().map(|(first, _)| *first).filter(|first| second.contains(first)).collect();
    trace.steps.remove(pick(&middle, rng)?);
    Some(())
}

fn duplicate(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let (first, second) = pick_pair(trace, rng)?;
    let copy = trace.steps[first].clone();
    let at = if rng.random() { first + 1 } else { second + 1 };
    trace.steps.insert(at, copy);
    Some(())
}

fn reorder(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let (first, second) = pick_pair(trace, rng)?;
    trace.steps.swap(first, second);
    Some(())
}

fn swap(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let (first, second) = pick_pair(trace, rng)?;
    let (one, other) = (heard(&trace.steps[first])?.clone(), heard(&trace.steps[second])?.clone());
    if (&one.actor, &one.body) == (&other.actor, &other.body) {
        return None;
    }
    let put = |step: &mut Step, from: &Entry| {
        if let Some(entry) = heard_mut(step) {
            (entry.actor, entry.body) = (from.actor.clone(), from.body.clone());
        }
    };
    put(&mut trace.steps[first], &other);
    put(&mut trace.steps[second], &one);
    Some(())
}

fn wrong_room(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let (_, at) = pick_pair(trace, rng)?;
    let room = heard(&trace.steps[at])?.room.clone();
    let others: Vec<usize> =
        (0..trace.steps.len()).filter(|step| heard(&trace.steps[*step]).is_some_and(|entry| entry.room != room)).collect();
    let other = heard(&trace.steps[pick(&others, rng)?])?.room.clone();
    heard_mut(&mut trace.steps[at])?.room = other;
    Some(())
}

/// Connections as they are right behind a step: device, number, and the rooms that they have joined.
fn joined_at(trace: &Trace, until: usize) -> Vec<(Step, Vec<String>)> {
    let mut open: BTreeMap<_, (Step, Vec<String>)> = BTreeMap::new();
    let mut joins = BTreeMap::new();
    for step in &trace.steps[..=until] {
        match &step.what {
            What::Opened => drop(open.insert(step.device, (step.clone(), Vec::new()))),
            What::Closed => drop(open.remove(&step.device)),
            What::Sends { command, intent: Intent::Join { room, .. } } => {
                joins.insert((step.device, *command), room.clone());
            }
            What::Acked { command, answer: Answer::Joined { .. } } => {
                if let (Some(room), Some((_, rooms))) = (joins.get(&(step.device, *command)), open.get_mut(&step.device)) {
                    rooms.push(room.clone());
                }
            }
            What::Welcomed { .. }
            | What::Sends { .. }
            | What::Acked { .. }
            | What::Refused { .. }
            | What::Hears(_)
            | What::CaughtUp { .. }
            | What::Told(_) => {}
        }
    }
    open.into_values().collect()
}

fn leak(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let heard_at: Vec<usize> = (0..trace.steps.len()).filter(|at| heard(&trace.steps[*at]).is_some()).collect();
    let at = pick(&heard_at, rng)?;
    let entry = heard(&trace.steps[at])?.clone();
    let connections = joined_at(trace, at);
    let outsiders: Vec<&Step> =
        connections.iter().filter(|(_, rooms)| !rooms.contains(&entry.room)).map(|(step, _)| step).collect();
    let outsider = pick(&outsiders, rng)?;
    trace.steps.insert(at + 1, Step { what: What::Hears(entry), at_ms: trace.steps[at].at_ms, ..outsider.clone() });
    Some(())
}

fn leak_after_removal(trace: &mut Trace, aftermath: &Aftermath, rng: &mut StdRng) -> Option<()> {
    let mut users = BTreeMap::new();
    let mut joins = BTreeMap::new();
    let mut heads = BTreeMap::new();
    let mut places = Vec::new();
    for (at, step) in trace.steps.iter().enumerate() {
        match &step.what {
            What::Welcomed { user } => drop(users.insert(step.device, user.clone())),
            What::Sends { command, intent: Intent::Join { room, .. } } => {
                joins.insert((step.device, *command), room.clone());
            }
            What::Acked { command, answer: Answer::Joined { head, .. } } => {
                heads.extend(joins.get(&(step.device, *command)).map(|room| ((step.device, room.clone()), *head)));
            }
            What::Hears(Entry { room, seq, body: Body::Member { target, change }, .. }) => {
                let ends = matches!(&**change, "left" | "removed" | "banned") && users.get(&step.device) == Some(target);
                // A removal in a catch-up is an old one: the person has come back since.
                let live = heads.get(&(step.device, room.clone())).is_some_and(|head| seq > head);
                let next = aftermath.rooms.get(room).and_then(|room| room.entries.iter().find(|entry| entry.seq == seq + 1));
                places.extend(next.filter(|_| ends && live).map(|next| (at, next)));
            }
            What::Opened
            | What::Closed
            | What::Sends { .. }
            | What::Acked { .. }
            | What::Refused { .. }
            | What::Hears(_)
            | What::CaughtUp { .. }
            | What::Told(_) => {}
        }
    }
    let (at, next) = pick(&places, rng)?;
    let leaked = Step { what: What::Hears(next.clone()), ..trace.steps[at].clone() };
    trace.steps.insert(at + 1, leaked);
    Some(())
}

/// Resumptions: the acknowledgement, the room, and whether anything comes behind it on that connection.
fn resumptions(trace: &Trace) -> Vec<(usize, String)> {
    let mut joins = BTreeMap::new();
    let mut found = Vec::new();
    for (at, step) in trace.steps.iter().enumerate() {
        match &step.what {
            What::Sends { command, intent: Intent::Join { room, since: Some(_) } } => {
                joins.insert((step.device, *command), room.clone());
            }
            What::Acked { command, answer: Answer::Joined { gap: false, .. } } => {
                if let Some(room) = joins.get(&(step.device, *command)) {
                    found.push((at, room.clone()));
                }
            }
            What::Opened
            | What::Closed
            | What::Welcomed { .. }
            | What::Sends { .. }
            | What::Acked { .. }
            | What::Refused { .. }
            | What::Hears(_)
            | What::CaughtUp { .. }
            | What::Told(_) => {}
        }
    }
    found
}

fn silent_resume(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let pairs = pairs(trace);
    let first_of_resumption: Vec<usize> = resumptions(trace)
        .into_iter()
        .filter_map(|(ack, room)| {
            let step = &trace.steps[ack];
            let here = |other: &Step| (other.device, other.connection) == (step.device, step.connection);
            let again = |other: &Step| {
                matches!(&other.what, What::Sends { intent: Intent::Join { room: of, .. }, .. } if here(other) && *of == room)
            };
            let first = (ack + 1..trace.steps.len())
                .take_while(|at| !again(&trace.steps[*at]))
                .find(|at| here(&trace.steps[*at]) && heard(&trace.steps[*at]).is_some_and(|entry| entry.room == room))?;
            pairs.iter().any(|(before, _)| *before == first).then_some(first)
        })
        .collect();
    trace.steps.remove(pick(&first_of_resumption, rng)?);
    Some(())
}

fn needless_gap(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let acks: Vec<usize> = resumptions(trace).into_iter().map(|(at, _)| at).collect();
    let at = pick(&acks, rng)?;
    if let What::Acked { answer: Answer::Joined { gap, .. }, .. } = &mut trace.steps[at].what {
        *gap = true;
    }
    Some(())
}

fn missing_tail(trace: &mut Trace, aftermath: &Aftermath, rng: &mut StdRng) -> Option<()> {
    let connections = joined_at(trace, trace.steps.len() - 1);
    let last: Vec<usize> = (0..trace.steps.len())
        .filter(|at| {
            let step = &trace.steps[*at];
            let open = connections.iter().any(|(c, _)| (c.device, c.connection) == (step.device, step.connection));
            // Whoever is removed by the last entry does not have to get it.
            let is_head = |entry: &Entry| {
                let head = aftermath.rooms.get(&entry.room).is_some_and(|room| room.head() == entry.seq);
                head && !matches!(entry.body, Body::Member { .. })
            };
            open && heard(step).is_some_and(is_head)
        })
        .collect();
    let at = pick(&last, rng)?;
    // Where it was part of a catch-up, the announcement of its end goes with it.
    let (lost, room) = (trace.steps[at].clone(), heard(&trace.steps[at])?.room.clone());
    trace.steps.retain(|step| {
        let here = (step.device, step.connection) == (lost.device, lost.connection);
        let announces =
            matches!(&step.what, What::CaughtUp { room: of, seq } if *of == room && Some(*seq) == heard(&lost).map(|e| e.seq));
        !here || (step.what != lost.what && !announces)
    });
    Some(())
}

fn early_caught_up(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let swaps: Vec<(usize, usize)> = pairs(trace)
        .into_iter()
        .filter_map(|(_, last)| {
            let (step, entry) = (&trace.steps[last], heard(&trace.steps[last])?);
            let next = (last + 1..trace.steps.len()).find(|at| {
                let other = &trace.steps[*at];
                (other.device, other.connection) == (step.device, step.connection) && !matches!(other.what, What::Told(_))
            })?;
            let announced =
                matches!(&trace.steps[next].what, What::CaughtUp { room, seq } if *room == entry.room && *seq == entry.seq);
            announced.then_some((last, next))
        })
        .collect();
    let (last, next) = pick(&swaps, rng)?;
    trace.steps.swap(last, next);
    Some(())
}

fn stale_page(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let mut changed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut edits = BTreeMap::new();
    let mut pages = BTreeSet::new();
    let mut places = Vec::new();
    for (at, step) in trace.steps.iter().enumerate() {
        match &step.what {
            What::Sends { command, intent: Intent::Edit { id, .. } } => {
                edits.insert((step.device, *command), &**id);
            }
            // Only what was asked for after the edit was acknowledged has to show it.
            What::Sends { command, intent: Intent::History { .. } } => {
                pages.extend(changed.keys().map(|id| (step.device, *command, *id)));
            }
            What::Acked { command, answer: Answer::Change { seq: Some(_) } } => {
                if let Some(id) = edits.get(&(step.device, *command)) {
                    changed.insert(id, at);
                }
            }
            What::Acked { command, answer: Answer::Page(messages) } => {
                for (place, message) in messages.iter().enumerate() {
                    if pages.contains(&(step.device, *command, &*message.id)) && message.content.is_some() {
                        places.push((at, place));
                    }
                }
            }
            What::Opened
            | What::Closed
            | What::Welcomed { .. }
            | What::Sends { .. }
            | What::Acked { .. }
            | What::Refused { .. }
            | What::Hears(_)
            | What::CaughtUp { .. }
            | What::Told(_) => {}
        }
    }
    let (at, place) = pick(&places, rng)?;
    let original = trace.original_of(at, place)?;
    if let What::Acked { answer: Answer::Page(messages), .. } = &mut trace.steps[at].what {
        messages[place].content = Some(original);
    }
    Some(())
}

impl Trace {
    /// What the message that a page shows was when it was sent.
    fn original_of(&self, at: usize, place: usize) -> Option<String> {
        let What::Acked { answer: Answer::Page(messages), .. } = &self.steps[at].what else { return None };
        self.original(&messages[place].id)
    }

    fn original(&self, message: &str) -> Option<String> {
        let (device, acked) = self.steps.iter().find_map(|step| {
            let What::Acked { command, answer: Answer::Message { id, .. } } = &step.what else { return None };
            (id == message).then_some((step.device, *command))
        })?;
        self.steps.iter().find_map(|step| {
            let What::Sends { command, intent: Intent::Message { content, .. } } = &step.what else { return None };
            ((step.device, *command) == (device, acked)).then(|| content.clone())
        })
    }
}

fn ack_moved(trace: &mut Trace, rng: &mut StdRng) -> Option<()> {
    let acks: Vec<usize> = (0..trace.steps.len())
        .filter(|at| matches!(trace.steps[*at].what, What::Acked { answer: Answer::Message { .. }, .. }))
        .collect();
    let at = pick(&acks, rng)?;
    if let What::Acked { answer: Answer::Message { seq, .. }, .. } = &mut trace.steps[at].what {
        *seq += 1;
    }
    Some(())
}
