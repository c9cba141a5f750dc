//! Pages of history show the present: the last change that was acknowledged, or a later one.

use super::aftermath::Aftermath;
use super::commands::Commands;
use super::log::{Log, Logs};
use super::trace::{Answer, Body, Intent, PageMessage};
use super::violation::Violation;

pub(super) fn check(aftermath: &Aftermath, commands: &Commands, logs: &Logs, violations: &mut Vec<Violation>) {
    for (name, room) in &aftermath.rooms {
        let Some(log) = logs.get(name) else { continue };
        let logged: Vec<(u64, &str)> = room
            .entries
            .iter()
            .filter_map(|entry| match &entry.body {
                Body::Message { id, .. } => Some((entry.seq, &**id)),
                Body::Edit { .. } | Body::Delete { .. } | Body::React { .. } | Body::Member { .. } | Body::Other(_) => None,
            })
            .collect();
        let paged: Vec<(u64, &str)> = room.messages.iter().map(|message| (message.seq, &*message.id)).collect();
        if let Some(seq) = first_difference(&logged, &paged) {
            let what = "a message is in one of them only, or in another place";
            violations.push(Violation::HistoryMismatch { room: name.clone(), seq, what });
        }
        for message in &room.messages {
            check_present(name, log, message, violations);
        }
        for entry in &room.entries {
            if let Body::Message { id, content, .. } = &entry.body {
                // Catch-up sends messages in their present state, too.
                let shown = PageMessage { id: id.clone(), seq: entry.seq, content: content.clone() };
                check_present(name, log, &shown, violations);
            }
        }
    }
    check_live(commands, logs, violations);
}

fn first_difference(logged: &[(u64, &str)], paged: &[(u64, &str)]) -> Option<u64> {
    let different = logged.iter().zip(paged).find(|(log, page)| log != page).map(|(log, page)| log.0.min(page.0));
    different.or_else(|| match logged.len().cmp(&paged.len()) {
        std::cmp::Ordering::Less => paged.get(logged.len()).map(|(seq, _)| *seq),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => logged.get(paged.len()).map(|(seq, _)| *seq),
    })
}

/// At rest, exactly the last change counts; nothing follows a deletion.
fn check_present(room: &str, log: &Log, shown: &PageMessage, violations: &mut Vec<Violation>) {
    let states = log.states(&shown.id);
    let deleted = states.iter().any(|(_, state)| state.is_none());
    let Some((_, last)) = states.last() else { return };
    let expected = if deleted { None } else { *last };
    if shown.content.as_deref() != expected {
        violations.push(stale(room, shown, expected));
    }
}

/// A page that was asked for after a change was acknowledged shows that change or a later one.
fn check_live(commands: &Commands, logs: &Logs, violations: &mut Vec<Violation>) {
    let mut changes: Vec<(usize, &str, &str, u64)> = commands
        .all
        .iter()
        .filter_map(|asked| match &asked.intent {
            Intent::Edit { room, id, .. } | Intent::Delete { room, id } => {
                Some((asked.acked?, &**room, &**id, asked.position(logs)?.1))
            }
            Intent::Message { .. }
            | Intent::React { .. }
            | Intent::Join { .. }
            | Intent::Leave { .. }
            | Intent::Part { .. }
            | Intent::History { .. }
            | Intent::Other => None,
        })
        .collect();
    changes.sort_unstable();
    for asked in &commands.all {
        let Intent::History { room } = &asked.intent else { continue };
        let Some(log) = logs.get(room) else { continue };
        for message in asked.answers.iter().flat_map(page) {
            let floor = changes
                .iter()
                .take_while(|(acked, ..)| *acked < asked.sent)
                .filter(|(_, changed, id, _)| changed == room && *id == message.id)
                .map(|(.., seq)| *seq)
                .max()
                .unwrap_or(0);
            if !log.has_had(&message.id, message.content.as_deref(), floor) {
                let expected = log.states(&message.id).iter().find(|(seq, _)| *seq >= floor).and_then(|(_, state)| *state);
                violations.push(stale(room, message, expected));
            }
        }
    }
}

fn page(answer: &Answer) -> &[PageMessage] {
    match answer {
        Answer::Page(messages) => messages,
        Answer::Message { .. }
        | Answer::Change { .. }
        | Answer::Joined { .. }
        | Answer::Left
        | Answer::Parted { .. }
        | Answer::Other => &[],
    }
}

fn stale(room: &str, shown: &PageMessage, expected: Option<&str>) -> Violation {
    Violation::StaleEdit {
        room: room.to_owned(),
        id: shown.id.clone(),
        shown: shown.content.clone(),
        expected: expected.map(str::to_owned),
    }
}
