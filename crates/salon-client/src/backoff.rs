//! When to try again: exponential back-off with full jitter, so that the clients of a restarted server spread out.

use std::time::Duration;

/// How long to wait before a reconnection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait; it doubles with every failure.
    pub first: Duration,
    /// No wait is longer.
    pub max: Duration,
    /// A connection that lived this long was a good one: the count of failures starts again.
    pub stable_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(30), stable_after: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row (at least one): anything from nothing to the bound.
    pub(crate) fn delay(&self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let bound = self.first.saturating_mul(1 << doublings).min(self.max);
        fraction(bound, random)
    }

    /// The wait that a server asked for, with a little jitter because it may have told everybody the same.
    pub(crate) fn asked_for(&self, asked: Duration, random: u64) -> Duration {
        asked.min(self.max) + fraction(self.first, random)
    }
}

fn fraction(bound: Duration, random: u64) -> Duration {
    let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random % bound_us.saturating_add(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_use_the_whole_range() {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1), ..Backoff::default() };
        for (failures, bound_ms) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let bound = Duration::from_millis(bound_ms);
            assert_eq!(backoff.delay(failures, bound_ms * 1000), bound);
            assert_eq!(backoff.delay(failures, bound_ms * 1000 + 1), Duration::ZERO);
        }
    }

    #[test]
    fn what_the_server_asks_for_is_kept() {
        let backoff = Backoff::default();
        let asked = Duration::from_secs(3);
        for random in [0, 7, u64::MAX] {
            let wait = backoff.asked_for(asked, random);
            assert!(wait >= asked && wait <= asked + backoff.first, "{wait:?}");
        }
    }
}
