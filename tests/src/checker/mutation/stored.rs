//! Faults of the store: what remains is not what was promised.

use rand::rngs::StdRng;

use super::pick;
use crate::checker::aftermath::{Aftermath, FinalRoom};
use crate::checker::trace::{Answer, Body, Entry, Intent, PageMessage, Trace, What};

/// Every message that remains: its room, and its place among the entries.
fn messages(aftermath: &Aftermath) -> Vec<(&str, usize)> {
    let in_room = |(name, room): (&'_ String, &'_ FinalRoom)| {
        let places: Vec<(usize, String)> = (0..room.entries.len())
            .filter(|at| matches!(room.entries[*at].body, Body::Message { client_id: Some(_), .. }))
            .map(|at| (at, name.clone()))
            .collect();
        places
    };
    let places: Vec<(usize, String)> = aftermath.rooms.iter().flat_map(in_room).collect();
    places.into_iter().filter_map(|(at, name)| Some((&**aftermath.rooms.get_key_value(&name)?.0, at))).collect()
}

fn append(room: &mut FinalRoom, template: &Entry, body: Body) {
    let seq = room.head() + 1;
    let at = room.entries.last().map_or_else(|| template.at.clone(), |last| last.at.clone());
    if let Body::Message { id, content, .. } = &body {
        room.messages.push(PageMessage { id: id.clone(), seq, content: content.clone() });
    }
    let name = room.entries.first().map_or_else(|| template.room.clone(), |first| first.room.clone());
    room.entries.push(Entry { room: name, epoch: room.epoch.clone(), seq, at, actor: template.actor.clone(), body });
}

fn pick_message(aftermath: &Aftermath, rng: &mut StdRng) -> Option<(String, Entry)> {
    let (room, at) = pick(&messages(aftermath), rng)?;
    Some((room.to_owned(), aftermath.rooms[room].entries[at].clone()))
}

pub(super) fn doubled(aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let (room, entry) = pick_message(aftermath, rng)?;
    let body = entry.body.clone();
    append(aftermath.rooms.get_mut(&room)?, &entry, body);
    Some(())
}

pub(super) fn invented(aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let (room, entry) = pick_message(aftermath, rng)?;
    let body = Body::Message { id: "m_none".into(), client_id: Some("nobody's".into()), content: Some("boo".into()) };
    append(aftermath.rooms.get_mut(&room)?, &entry, body);
    Some(())
}

pub(super) fn elsewhere(aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let (room, entry) = pick_message(aftermath, rng)?;
    let others: Vec<String> = aftermath.rooms.keys().filter(|name| **name != room).cloned().collect();
    let other = pick(&others.iter().collect::<Vec<_>>(), rng)?.clone();
    append(aftermath.rooms.get_mut(&other)?, &entry, entry.body.clone());
    Some(())
}

pub(super) fn not_in_history(aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let (room, entry) = pick_message(aftermath, rng)?;
    aftermath.rooms.get_mut(&room)?.messages.retain(|message| message.seq != entry.seq);
    Some(())
}

/// Somebody's removal moves to before a message of theirs.
pub(super) fn intruder(aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let mut places = Vec::new();
    for (name, room) in &aftermath.rooms {
        for (at, pair) in room.entries.windows(2).enumerate() {
            let [first, second] = pair else { continue };
            let joins = matches!(&first.body, Body::Member { target, change } if change == "joined" && *target == second.actor);
            if matches!(second.body, Body::Message { .. }) && !joins {
                places.push((name.clone(), at));
            }
        }
    }
    let (name, at) = pick(&places.iter().collect::<Vec<_>>(), rng)?.clone();
    let room = aftermath.rooms.get_mut(&name)?;
    let target = room.entries[at + 1].actor.clone();
    room.entries[at].body = Body::Member { target, change: "banned".into() };
    Some(())
}

/// The end of a log is gone, and nobody had been sent it yet; only the acknowledgement is out.
pub(super) fn lost_ack(trace: &mut Trace, aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let acked: Vec<(String, u64)> = trace
        .steps
        .iter()
        .filter_map(|step| {
            let What::Acked { command, answer: Answer::Message { seq, .. } } = &step.what else { return None };
            Some((trace.room_of(step.device, *command)?.to_owned(), *seq))
        })
        .collect();
    let (room, lost) = pick(&acked.iter().collect::<Vec<_>>(), rng)?.clone();
    let kept = aftermath.rooms.get_mut(&room)?;
    kept.entries.retain(|entry| entry.seq < lost);
    kept.messages.retain(|message| message.seq < lost);
    trace.steps.retain(|step| !matches!(&step.what, What::Hears(entry) if entry.room == room && entry.seq >= lost));
    Some(())
}

pub(super) fn stale_edit(trace: &Trace, aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let edited: Vec<(String, String)> = aftermath
        .rooms
        .iter()
        .flat_map(|(name, room)| {
            room.entries.iter().filter_map(|entry| {
                let Body::Edit { id, .. } = &entry.body else { return None };
                Some((name.clone(), id.clone()))
            })
        })
        .filter(|(name, id)| aftermath.rooms[name].messages.iter().any(|m| m.id == *id && m.content.is_some()))
        .collect();
    let (room, id) = pick(&edited.iter().collect::<Vec<_>>(), rng)?.clone();
    let original = trace.original(&id)?;
    let room = aftermath.rooms.get_mut(&room)?;
    let message = room.messages.iter_mut().find(|message| message.id == id)?;
    message.content = Some(original.clone());
    let seq = message.seq;
    let entry = room.entries.iter_mut().find(|entry| entry.seq == seq)?;
    if let Body::Message { content, .. } = &mut entry.body {
        *content = Some(original);
    }
    Some(())
}

/// Two messages, the first acknowledged before the second was sent, change places everywhere.
pub(super) fn overtaken(trace: &mut Trace, aftermath: &mut Aftermath, rng: &mut StdRng) -> Option<()> {
    let mut found = Vec::new();
    let mut acked: Vec<(String, u64)> = Vec::new();
    let mut sent = std::collections::BTreeMap::new();
    for step in &trace.steps {
        if let What::Sends { command, intent: Intent::Message { room, .. } } = &step.what {
            let before = acked.iter().rev().find(|(other, _)| other == room).map(|(_, seq)| *seq);
            sent.entry((step.device, *command)).or_insert((room.clone(), before));
        }
        if let What::Acked { command, answer: Answer::Message { seq, .. } } = &step.what {
            let Some((room, before)) = sent.get(&(step.device, *command)).cloned() else { continue };
            found.extend(before.filter(|before| before < seq).map(|before| (room.clone(), before, *seq)));
            acked.push((room, *seq));
        }
    }
    let (room, one, other) = pick(&found.iter().collect::<Vec<_>>(), rng)?.clone();
    exchange(trace, aftermath, &room, one, other)
}

fn exchange(trace: &mut Trace, aftermath: &mut Aftermath, room: &str, one: u64, other: u64) -> Option<()> {
    let there = |seq: u64| if seq == one { Some(other) } else { (seq == other).then_some(one) };
    let kept = aftermath.rooms.get_mut(room)?;
    let entries = kept.entries.clone();
    let from = |seq: u64| entries.iter().find(|entry| entry.seq == seq);
    for entry in &mut kept.entries {
        if let Some(source) = there(entry.seq).and_then(from) {
            (entry.actor, entry.body) = (source.actor.clone(), source.body.clone());
        }
    }
    for message in &mut kept.messages {
        message.seq = there(message.seq).unwrap_or(message.seq);
    }
    kept.messages.sort_by_key(|message| message.seq);
    let rooms: Vec<Option<String>> = trace
        .steps
        .iter()
        .map(|step| {
            let What::Acked { command, .. } = &step.what else { return None };
            trace.room_of(step.device, *command).map(str::to_owned)
        })
        .collect();
    for (step, of) in trace.steps.iter_mut().zip(rooms) {
        if let What::Hears(entry) = &mut step.what
            && entry.room == room
            && let Some(source) = there(entry.seq).and_then(from)
        {
            (entry.actor, entry.body) = (source.actor.clone(), source.body.clone());
        }
        if let What::Acked { answer: Answer::Message { seq, .. }, .. } = &mut step.what
            && of.as_deref() == Some(room)
        {
            *seq = there(*seq).unwrap_or(*seq);
        }
    }
    Some(())
}

impl Trace {
    fn room_of(&self, device: crate::checker::Device, command: i64) -> Option<&str> {
        self.steps.iter().find_map(|step| {
            let What::Sends { command: sent, intent } = &step.what else { return None };
            if step.device == device && *sent == command { intent.room() } else { None }
        })
    }
}
