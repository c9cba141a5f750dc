//! A store in memory, for the simulation and for fast tests. It runs on virtual time, has no thread, and can lose what
//! was not yet synced.

mod accounts;
mod faults;
mod logs;
mod tables;
mod words;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use salon_core::ports::{Store, StoreError};
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use faults::{Faults, WriteFault};
use tables::Tables;

/// Entries that one step of a trim drops.
const TRIM_STEP_ENTRIES: u64 = 2_000;

/// See the module.
pub struct MemoryStore {
    state: Mutex<State>,
}

/// A write on its way to the disk.
struct Pending {
    due: Instant,
    apply: Box<dyn FnOnce(&mut Tables) + Send>,
}

#[derive(Default)]
struct State {
    /// What is durable. A write is applied when it is synced and not before, so nothing else has to be kept.
    disk: Tables,
    pending: VecDeque<Pending>,
    faults: Faults,
    crashed: bool,
}

impl State {
    /// Commits what is due.
    fn settle(&mut self, now: Instant) {
        while self.pending.front().is_some_and(|write| write.due <= now) {
            if let Some(write) = self.pending.pop_front() {
                (write.apply)(&mut self.disk);
            }
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store that is fast and faultless.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_faults(Faults::default())
    }

    /// An empty store with a temper.
    #[must_use]
    pub fn with_faults(faults: Faults) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { faults, ..State::default() }) })
    }

    /// Changes the temper from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// The power fails. The first `survivors` of the writes that were on their way had reached the disk, the others are
    /// lost; no one of them is answered but by `Unavailable`, and so is whatever is asked of this store from now on.
    pub fn crash(&self, survivors: usize) {
        let state = &mut *self.state.lock();
        state.crashed = true;
        for write in state.pending.drain(..).take(survivors) {
            (write.apply)(&mut state.disk);
        }
    }

    /// Writes that are not yet durable.
    #[must_use]
    pub fn pending_writes(&self) -> usize {
        self.state.lock().pending.len()
    }

    /// Starts again on the same disk, with what was durable on it. The old store is dead, as after a crash.
    #[must_use]
    pub fn reopen(&self) -> Arc<Self> {
        self.crash(0);
        let disk = std::mem::take(&mut self.state.lock().disk);
        Arc::new(Self { state: Mutex::new(State { disk, ..State::default() }) })
    }

    async fn write<T: Send + 'static>(&self, work: impl FnOnce(&mut Tables) -> T + Send + 'static) -> Result<T, StoreError> {
        let (answer, mut answered) = oneshot::channel();
        let apply = move |tables: &mut Tables| {
            // Who asked may have gone; the write happens all the same.
            let _ = answer.send(work(tables));
        };
        let (due, fault) = self.enqueue(Box::new(apply))?;
        if let Some(due) = due {
            tokio::select! {
                biased;
                _ = &mut answered => return Err(unavailable("the store crashed")),
                () = tokio::time::sleep_until(due) => self.state.lock().settle(Instant::now()),
            }
        }
        let answer = answered.try_recv().map_err(|_| unavailable("the store crashed"))?;
        match fault {
            WriteFault::None => Ok(answer),
            WriteFault::Lost | WriteFault::Unanswered => Err(unavailable("the answer was lost")),
        }
    }

    /// Applies the write at once, or says when it is due.
    fn enqueue(&self, apply: Box<dyn FnOnce(&mut Tables) + Send>) -> Result<(Option<Instant>, WriteFault), StoreError> {
        let state = &mut *self.state.lock();
        if state.crashed {
            return Err(unavailable("the store crashed"));
        }
        let fault = state.faults.on_write();
        if fault == WriteFault::Lost {
            return Err(unavailable("the write was lost"));
        }
        let now = Instant::now();
        state.settle(now);
        let due = now + state.faults.commit_delay();
        // Writes commit in the order in which they were called: a quick one waits for the slow one before it.
        let due = state.pending.back().map_or(due, |before| before.due.max(due));
        if due <= now {
            apply(&mut state.disk);
            return Ok((None, fault));
        }
        state.pending.push_back(Pending { due, apply });
        Ok((Some(due), fault))
    }

    async fn read<T>(&self, work: impl FnOnce(&Tables) -> T + Send) -> Result<T, StoreError> {
        let delay = self.state.lock().faults.read_delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let state = &mut *self.state.lock();
        if state.crashed {
            return Err(unavailable("the store crashed"));
        }
        if state.faults.on_read() {
            return Err(unavailable("the read failed"));
        }
        state.settle(Instant::now());
        Ok(work(&state.disk))
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    /// Memory does not fail: a crash ends the process, and nobody is left to be told.
    async fn failed(&self) -> String {
        std::future::pending().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.read(|_| ()).await
    }
}

#[cfg(test)]
mod tests;
