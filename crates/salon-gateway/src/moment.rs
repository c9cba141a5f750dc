//! Monotonic time as a small value: sessions and the hub are told it, so that tests and the simulation run them on a
//! clock of their own.

use std::time::Duration;

use tokio::time::Instant;

/// Microseconds since the gateway started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Later than everything that happens.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(micros(wait)))
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This moment as a count of whole steps of `step`, rounded up.
    pub(crate) fn steps_up(self, step: Duration) -> u64 {
        self.0.div_ceil(micros(step).max(1))
    }

    /// The moment that is `steps` steps after the start.
    pub(crate) fn of_steps(steps: u64, step: Duration) -> Self {
        Self(steps.saturating_mul(micros(step)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Turns the runtime's clock, which tests can pause, into [`Moment`]s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    start: Instant,
}

impl Timeline {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Moment {
        Moment(micros(self.start.elapsed()))
    }

    pub(crate) fn instant(self, moment: Moment) -> Instant {
        self.start + Duration::from_micros(moment.0)
    }
}
