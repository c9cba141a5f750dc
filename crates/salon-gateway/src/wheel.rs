//! All deadlines of all connections, in one place and one task: connections have no timers of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::moment::{Moment, Timeline};
use crate::registry::ConnectionId;

/// Deadlines fire at most this late.
const STEP: Duration = Duration::from_millis(100);

/// A deadline is never removed, only overtaken: whoever is called looks at the time. A connection has few deadlines
/// here at once, since all of them lie within a heartbeat or so.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    steps: Mutex<BTreeMap<u64, Vec<ConnectionId>>>,
    earlier: Notify,
}

impl Wheel {
    /// The connection is called at or shortly after `due`.
    pub(crate) fn arm(&self, due: Moment, id: ConnectionId) {
        if due == Moment::NEVER {
            return;
        }
        let step = due.steps_up(STEP);
        let mut steps = self.steps.lock();
        let first = steps.first_key_value().is_none_or(|(first, _)| step < *first);
        steps.entry(step).or_default().push(id);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Waits for deadlines and takes those that have come.
    pub(crate) async fn next(&self, timeline: Timeline) -> Vec<ConnectionId> {
        loop {
            let due = self.take(timeline.now());
            if !due.is_empty() {
                return due;
            }
            let next = self.steps.lock().first_key_value().map(|(step, _)| *step);
            let Some(next) = next else {
                self.earlier.notified().await;
                continue;
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(timeline.instant(Moment::of_steps(next, STEP))) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    fn take(&self, now: Moment) -> Vec<ConnectionId> {
        let mut steps = self.steps.lock();
        let mut due = Vec::new();
        while let Some(entry) = steps.first_entry() {
            if Moment::of_steps(*entry.key(), STEP) > now {
                break;
            }
            due.append(&mut entry.remove());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadlines_come_in_order_and_never_early() {
        let (wheel, timeline) = (Wheel::default(), Timeline::start());
        let at = |ms| timeline.now().after(Duration::from_millis(ms));
        wheel.arm(at(25_000), ConnectionId(1));
        wheel.arm(at(4_950), ConnectionId(2));
        wheel.arm(Moment::NEVER, ConnectionId(3));
        let start = timeline.now();
        assert_eq!(wheel.next(timeline).await, [ConnectionId(2)]);
        let waited = timeline.now().since(start);
        assert!(waited >= Duration::from_millis(4_950) && waited <= Duration::from_millis(5_001), "{waited:?}");
        assert_eq!(wheel.next(timeline).await, [ConnectionId(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_shortens_the_wait() {
        let (wheel, timeline) = (Wheel::default(), Timeline::start());
        wheel.arm(timeline.now().after(Duration::from_secs(25)), ConnectionId(1));
        let (due, ()) = tokio::join!(wheel.next(timeline), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            wheel.arm(timeline.now().after(Duration::from_secs(1)), ConnectionId(2));
        });
        assert_eq!(due, [ConnectionId(2)]);
        assert!(timeline.now().since(Moment::default()) < Duration::from_secs(3));
    }
}
