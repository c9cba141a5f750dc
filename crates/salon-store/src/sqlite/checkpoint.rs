//! The thread that moves what was written from the log of writes into the database, so that no commit has to.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::time::Instant;

use super::WritePermit;
use super::health::{Health, is_busy};

/// Pages that are written before they are moved, roughly. In pages of 4 KiB: 16 MiB.
const PAGES_BEFORE_CHECKPOINT: usize = 4_000;
/// Or this long after a commit, in milliseconds.
const IDLE_BEFORE_CHECKPOINT_MS: u64 = 1_000;
/// Beyond this the log of writes is emptied, and the writer waits for it. In pages of 4 KiB: 64 MiB.
const WAL_PAGES_MAX: i64 = 16 * 1024;
/// It is emptied for the sake of erased content no more often than this, in milliseconds.
const EMPTY_EVERY_MS: u64 = 5_000;
/// How long to wait for readers that hinder it, in milliseconds.
const TRUNCATE_TIMEOUT_MS: u64 = 25;
/// What a commit writes whatever is in it, in pages: the room, the member, the ends of the log and of its index.
const PAGES_PER_COMMIT: usize = 4;
/// Statements that fill a page, roughly.
const STATEMENTS_PER_PAGE: usize = 16;

#[derive(Debug, Default)]
struct Work {
    pages: usize,
    /// The log of writes holds content that was erased.
    erased: bool,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    work: Mutex<Work>,
    wake: Condvar,
}

/// How the writer tells it what was written.
#[derive(Clone)]
pub(super) struct CheckpointerHandle(Arc<Shared>);

impl CheckpointerHandle {
    /// A group of so many statements was committed.
    pub(super) fn wrote(&self, statements: usize, erased: bool) {
        let work = &mut *self.0.work.lock();
        let was_idle = work.pages == 0;
        work.pages += PAGES_PER_COMMIT + statements / STATEMENTS_PER_PAGE;
        work.erased |= erased;
        if was_idle || work.pages >= PAGES_BEFORE_CHECKPOINT {
            self.0.wake.notify_one();
        }
    }
}

/// The handle of the thread.
pub(super) struct Checkpointer {
    handle: CheckpointerHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
    health: Health,
}

impl Checkpointer {
    pub(super) fn start(connection: Connection, permit: WritePermit, health: Health) -> std::io::Result<Self> {
        let handle = CheckpointerHandle(Arc::default());
        let (health_of_task, shared) = (health.clone(), Arc::clone(&handle.0));
        let task = Task { connection, permit, health: health_of_task, shared, emptied_at: Instant::now() };
        let thread = std::thread::Builder::new().name("store-checkpointer".into()).spawn(move || task.run())?;
        Ok(Self { handle, thread: Mutex::new(Some(thread)), health })
    }

    pub(super) fn handle(&self) -> CheckpointerHandle {
        self.handle.clone()
    }

    /// Moves everything into the database, and ends.
    pub(super) fn stop(&self) {
        self.handle.0.work.lock().stop = true;
        self.handle.0.wake.notify_one();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            self.health.fail("the checkpointing thread panicked");
        }
    }
}

struct Task {
    connection: Connection,
    permit: WritePermit,
    health: Health,
    shared: Arc<Shared>,
    /// When the log of writes was last emptied.
    emptied_at: Instant,
}

impl Task {
    fn run(mut self) {
        loop {
            let work = self.next();
            if self.health.reason().is_some() {
                return;
            }
            if let Err(error) = self.checkpoint(work.erased, work.stop)
                && !is_busy(&error)
            {
                // A checkpoint syncs, and a failed sync is the end whoever notices it.
                self.health.fail(&format!("a checkpoint failed: {error}"));
            }
            if work.stop {
                return;
            }
        }
    }

    /// Waits until it is worth while.
    fn next(&self) -> Work {
        let mut work = self.shared.work.lock();
        while work.pages == 0 && !work.stop {
            if !work.erased {
                self.shared.wake.wait(&mut work);
            } else if self.shared.wake.wait_for(&mut work, self.until_emptied_again()).timed_out() {
                break;
            }
        }
        let idle = Duration::from_millis(IDLE_BEFORE_CHECKPOINT_MS);
        let goes_on = |work: &mut Work| (1..PAGES_BEFORE_CHECKPOINT).contains(&work.pages) && !work.stop;
        self.shared.wake.wait_while_for(&mut work, goes_on, idle);
        let empty_now = work.erased && self.until_emptied_again().is_zero();
        let taken = Work { erased: empty_now, ..*work };
        work.pages = 0;
        work.erased &= !empty_now;
        taken
    }

    fn until_emptied_again(&self) -> Duration {
        Duration::from_millis(EMPTY_EVERY_MS).saturating_sub(self.emptied_at.elapsed())
    }

    fn checkpoint(&mut self, erased: bool, closing: bool) -> rusqlite::Result<()> {
        // Beside the writer, and without waiting for anybody.
        let (_, wal_pages) = self.run_checkpoint("PASSIVE")?;
        if closing || erased || wal_pages > WAL_PAGES_MAX {
            let _permit = self.permit.lock();
            // Little is left to move now. Readers that stay where they are hinder it: the next time, then.
            self.connection.busy_timeout(Duration::from_millis(TRUNCATE_TIMEOUT_MS))?;
            let (hindered, _) = self.run_checkpoint("TRUNCATE")?;
            self.shared.work.lock().erased |= hindered && erased;
            self.emptied_at = Instant::now();
        }
        Ok(())
    }

    /// Returns whether somebody hindered it, and the pages in the log of writes.
    fn run_checkpoint(&self, mode: &str) -> rusqlite::Result<(bool, i64)> {
        let mut checkpoint = self.connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
        checkpoint.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
