//! What can go wrong with a store, and how long it takes: all of it decided by closures, so that a seed repeats it.

use std::fmt;
use std::time::Duration;

/// What happens to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    None,
    /// Not applied, answered by `Unavailable`.
    Lost,
    /// Applied, but answered by `Unavailable`.
    Unanswered,
}

type Delay = Box<dyn FnMut() -> Duration + Send>;

/// The temper of a store. By default everything succeeds at once.
#[derive(Default)]
pub struct Faults {
    /// From a write to its commit. Writes commit in the order in which they were called.
    pub commit_delay: Option<Delay>,
    pub read_delay: Option<Delay>,
    /// Asked once for every write.
    pub write_fault: Option<Box<dyn FnMut() -> WriteFault + Send>>,
    /// Asked once for every read; true: it fails.
    pub read_fault: Option<Box<dyn FnMut() -> bool + Send>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl Faults {
    /// Every write takes this long.
    #[must_use]
    pub fn slow_writes(delay: Duration) -> Self {
        Self { commit_delay: Some(Box::new(move || delay)), ..Self::default() }
    }

    /// The next `count` writes fail like this.
    #[must_use]
    pub fn fail_writes(mut count: usize, fault: WriteFault) -> Self {
        let next = move || {
            let fails = count > 0;
            count = count.saturating_sub(1);
            if fails { fault } else { WriteFault::None }
        };
        Self { write_fault: Some(Box::new(next)), ..Self::default() }
    }

    /// The next `count` reads fail.
    #[must_use]
    pub fn fail_reads(mut count: usize) -> Self {
        let next = move || {
            let fails = count > 0;
            count = count.saturating_sub(1);
            fails
        };
        Self { read_fault: Some(Box::new(next)), ..Self::default() }
    }

    pub(super) fn commit_delay(&mut self) -> Duration {
        self.commit_delay.as_mut().map_or(Duration::ZERO, |delay| delay())
    }

    pub(super) fn read_delay(&mut self) -> Duration {
        self.read_delay.as_mut().map_or(Duration::ZERO, |delay| delay())
    }

    pub(super) fn on_write(&mut self) -> WriteFault {
        self.write_fault.as_mut().map_or(WriteFault::None, |fault| fault())
    }

    pub(super) fn on_read(&mut self) -> bool {
        self.read_fault.as_mut().is_some_and(|fault| fault())
    }
}
