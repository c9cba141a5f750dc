//! The pump of a live log: takes entries in order, prints them once, gives them to every gateway that listens. It is a
//! task that exists while there is something to deliver.

use std::sync::Arc;
use std::time::Duration;

use salon_core::{Entry, EntryBody, Seq, UserId};
use salon_proto::link::frames::{DetachMember, LogEntry};
use salon_proto::link::service_frame::Frame;
use salon_proto::v1;

use super::{LiveLog, State};
use crate::Service;
use crate::print::Quotes;

/// Entries that are printed and sent together.
const RUN_ENTRIES_MAX: usize = 64;
/// How long a missing entry is waited for before it is read from the store, in milliseconds.
const HOLE_PATIENCE_MS: u64 = 10;
/// Entries that are read from the store at once to fill a hole, and their content in bytes.
const HOLE_ENTRIES_MAX: u32 = 256;
const HOLE_BYTES_MAX: usize = 256 * 1024;
/// The pause before a store that does not answer is asked again, in milliseconds.
const RETRY_MS: u64 = 100;

enum Next {
    Run(Vec<Arc<Entry>>),
    /// The next entry exists but is not here.
    Hole(Seq),
    Done,
}

impl LiveLog {
    fn next(&self) -> Next {
        let mut state = self.state.lock();
        let mut run = Vec::new();
        let mut seq = state.head.next();
        while run.len() < RUN_ENTRIES_MAX {
            let Some(entry) = state.early.remove(&seq) else { break };
            run.push(entry);
            seq = seq.next();
        }
        if !run.is_empty() {
            return Next::Run(run);
        }
        if state.target > state.head && !state.gone {
            return Next::Hole(state.head);
        }
        state.pumping = false;
        Next::Done
    }

    fn has_next(&self) -> bool {
        let state = self.state.lock();
        state.gone || state.early.contains_key(&state.head.next())
    }

    /// Takes what the store has behind `head`.
    fn fill(&self, head: Seq, entries: Vec<Entry>, store_head: Seq) {
        let mut state = self.state.lock();
        match entries.first() {
            // Retention has dropped what was not delivered yet: there is nothing to wait for.
            Some(first) if first.seq > head.next() => state.head = Seq(first.seq.0 - 1),
            // The store has less than was announced: believe the store.
            None if store_head <= head => {
                state.target = head;
                state.early.clear();
            }
            Some(_) | None => {}
        }
        self.progress.notify_waiters();
        for entry in entries {
            state.target = state.target.max(entry.seq);
            state.early.insert(entry.seq, Arc::new(entry));
        }
    }

    /// Gives a run to the gateways.
    fn send(&self, run: &[Arc<Entry>], printed: Vec<v1::Entry>) {
        let mut state = self.state.lock();
        if state.gone {
            return;
        }
        for (entry, print) in run.iter().zip(printed) {
            state.head = entry.seq;
            self.send_entry(&state, print);
            if let Some(target) = fenced(entry) {
                self.expel(&mut state, target, entry.seq);
            }
        }
        self.progress.notify_waiters();
    }

    fn send_entry(&self, state: &State, print: v1::Entry) {
        let frame = |entry| Frame::Entry(LogEntry { log: self.log.as_str().to_owned(), entry: Some(entry) });
        let mut links = state.listeners.links();
        let Some(first) = links.next() else { return };
        for link in links {
            link.outbox.send(frame(print.clone()));
        }
        first.outbox.send(frame(print));
    }

    /// Behind the entry that says so, somebody gets nothing more of this log. Whoever listens was attached at the head
    /// of that time (see [`LiveLog::attach`]), so none of them rests on a membership that began behind this entry.
    fn expel(&self, state: &mut State, target: &UserId, fence: Seq) {
        state.fence = fence;
        for link in state.listeners.links() {
            link.outbox.send(Frame::Detach(DetachMember {
                log: self.log.as_str().to_owned(),
                user: target.as_str().to_owned(),
                fence: fence.0,
            }));
        }
        state.listeners.expel(&self.log, Some(target));
    }

    /// The pump ends before its work is done.
    fn abandon(&self) {
        self.state.lock().pumping = false;
    }
}

/// Whose membership the entry ends.
fn fenced(entry: &Entry) -> Option<&UserId> {
    match &entry.body {
        EntryBody::Member { target, change, .. } => change.ends_membership().then_some(target),
        EntryBody::Message(_)
        | EntryBody::Edit { .. }
        | EntryBody::Delete { .. }
        | EntryBody::React { .. }
        | EntryBody::Room(_)
        | EntryBody::Call { .. }
        | EntryBody::RoomAdded { .. }
        | EntryBody::RoomRemoved { .. }
        | EntryBody::Mention { .. }
        | EntryBody::Read { .. }
        | EntryBody::Notice { .. } => None,
    }
}

/// Runs until everything that is known to exist was delivered.
pub(super) async fn run(service: Arc<Service>, live: Arc<LiveLog>) {
    loop {
        tokio::select! {
            biased;
            () = service.stopping.cancelled() => return live.abandon(),
            more = step(&service, &live) => if !more { return },
        }
    }
}

/// One run or one hole. False when there is nothing left to do.
async fn step(service: &Arc<Service>, live: &Arc<LiveLog>) -> bool {
    match live.next() {
        Next::Run(run) => {
            let printed = print(service, live, &run).await;
            // The store says who may still be delivered to; while it does not answer, nobody is.
            service.revoked.released().await;
            live.send(&run, printed);
            service.metrics.delivered(run.len());
            service.after_delivery(live, &run);
            true
        }
        Next::Hole(head) => {
            fill_hole(service, live, head).await;
            true
        }
        Next::Done => false,
    }
}

async fn print(service: &Service, live: &LiveLog, run: &[Arc<Entry>]) -> Vec<v1::Entry> {
    loop {
        match service.print(&live.log, run, Quotes::ForEverybody).await {
            Ok(printed) => return printed,
            Err(error) => {
                tracing::warn!(log = %live.log, %error, "entries wait: they cannot be printed");
                tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
            }
        }
    }
}

async fn fill_hole(service: &Service, live: &Arc<LiveLog>, head: Seq) {
    tokio::time::sleep(Duration::from_millis(HOLE_PATIENCE_MS)).await;
    if live.has_next() {
        return;
    }
    service.metrics.holes_read.inc();
    match service.parts.store.entries(&live.log, head, HOLE_ENTRIES_MAX, HOLE_BYTES_MAX).await {
        Ok(Some(slice)) => {
            for entry in &slice.entries {
                if matches!(entry.body, EntryBody::Member { .. } | EntryBody::Room(_)) {
                    live.access.forget();
                }
            }
            live.fill(head, slice.entries, slice.head);
        }
        Ok(None) => service.room_gone(live),
        Err(error) => {
            tracing::warn!(log = %live.log, %error, "a hole cannot be read yet");
            tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }
}
