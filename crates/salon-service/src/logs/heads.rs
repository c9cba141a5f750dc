//! Comparing heads. A lost last entry has no successor that betrays it, and other processes append too: the store is
//! asked how far the live logs are, those with traffic every second, each of the others every 30 seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use salon_core::ports::Head;
use salon_core::{RoomId, Seq};
use salon_proto::link::frames::DetachMember;
use salon_proto::link::service_frame::Frame;
use tokio::time::Instant;

use super::LiveLog;
use crate::Service;
use crate::link::LOG_CHANGED;

/// How often heads are compared, in milliseconds.
pub(crate) const COMPARE_EVERY_MS: u64 = 1_000;
/// A log without traffic is looked at in every so many rounds.
const QUIET_ROUNDS: u64 = 30;
/// A log counts as active for this long after it was written to or joined.
const ACTIVE_FOR: Duration = Duration::from_secs(30);
/// A log that nobody needs is kept for this long, because people reconnect.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// Heads that are asked for at once.
const HEADS_MAX: usize = 512;

impl Service {
    /// One round.
    pub(crate) async fn compare_round(&self, round: u64) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (number, live) in (0..).zip(self.logs.all()) {
            let (idle, active) = {
                let state = live.state.lock();
                let quiet_for = now.duration_since(state.touched);
                (state.listeners.is_empty() && quiet_for > KEPT_FOR, quiet_for < ACTIVE_FOR)
            };
            if idle && !self.roster.tracks(&live.log) {
                self.release(&live).await;
            } else if active || number % QUIET_ROUNDS == round % QUIET_ROUNDS {
                due.push(live.log.clone());
            }
        }
        for logs in due.chunks(HEADS_MAX) {
            self.compare_heads(logs).await;
        }
    }

    /// Forgets a log unless somebody has attached since it was looked at.
    async fn release(&self, live: &Arc<LiveLog>) {
        let unneeded = {
            let mut state = live.state.lock();
            let unneeded = state.listeners.is_empty() && !state.pumping;
            state.gone |= unneeded;
            unneeded
        };
        if unneeded {
            self.drop_log(live).await;
        }
    }

    pub(crate) async fn compare_heads(&self, logs: &[RoomId]) {
        let heads: BTreeMap<RoomId, Head> = match self.parts.store.heads(logs).await {
            Ok(heads) => heads.into_iter().map(|head| (head.room.clone(), head)).collect(),
            Err(error) => {
                tracing::warn!(%error, "heads cannot be compared");
                return;
            }
        };
        for log in logs {
            let Some(live) = self.logs.get(log).filter(|live| live.ready.initialized()) else { continue };
            match heads.get(log) {
                Some(head) => self.compare(&live, head),
                None => self.room_gone(&live),
            }
        }
    }

    fn compare(&self, live: &Arc<LiveLog>, head: &Head) {
        let (changed, start) = {
            let mut state = live.state.lock();
            let changed = state.epoch.as_ref().is_some_and(|epoch| *epoch != head.epoch);
            if !changed {
                state.target = state.target.max(head.seq);
            }
            (changed, !changed && state.start_pump())
        };
        if changed {
            self.epoch_changed(live, head);
        } else if start {
            self.start_pump(live);
        }
    }

    /// The log was restored or made anew: who listens has to join again and is told of the gap then.
    fn epoch_changed(&self, live: &Arc<LiveLog>, head: &Head) {
        let listeners = {
            let mut state = live.state.lock();
            state.epoch = Some(head.epoch.clone());
            (state.head, state.target, state.fence) = (head.seq, head.seq, Seq::START);
            state.early.clear();
            // From now on nobody attaches to what is over.
            state.listeners.all()
        };
        live.access.forget();
        live.progress.notify_waiters();
        for session in listeners {
            self.close_session(&session, LOG_CHANGED, "the room goes on under another epoch");
        }
    }

    /// The room was deleted: nobody listens to it any more.
    pub(crate) fn room_gone(&self, live: &Arc<LiveLog>) {
        {
            let mut state = live.state.lock();
            state.gone = true;
            state.early.clear();
            let fence = state.head;
            for link in state.listeners.links() {
                link.outbox.send(detach_everybody(&live.log, fence));
            }
            state.listeners.expel(&live.log, None);
        }
        self.logs.remove(live);
        self.roster.remove_room(&live.log);
        let live = Arc::clone(live);
        self.spawn(|service| async move { service.drop_log(&live).await });
    }
}

fn detach_everybody(log: &RoomId, fence: Seq) -> Frame {
    Frame::Detach(DetachMember { log: log.as_str().to_owned(), user: String::new(), fence: fence.0 })
}
