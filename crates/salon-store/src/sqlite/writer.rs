//! The one thread that writes, and the commits that it groups.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;
use salon_core::ports::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::WritePermit;
use super::checkpoint::CheckpointerHandle;
use super::health::{Health, is_busy, is_fatal};
use super::indexer::IndexerHandle;
use super::rows::{SqliteRows, Touched};
use crate::observer::StoreObserver;

/// Writes that one transaction commits together.
const GROUP_WRITES_MAX: usize = 1024;
/// Writes that may wait for the thread; whoever comes later waits to be let in.
const WAITING_WRITES_MAX: usize = 4096;

const PANICKED: &str = "the writing thread panicked";

/// One write, with its answer on the way back.
trait Job: Send {
    /// Writes; the answer waits for the commit.
    fn run(&mut self, rows: &mut SqliteRows<'_>) -> rusqlite::Result<()>;

    /// Answers, after the commit or instead of it.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Call<W, T> {
    work: W,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Job for Call<W, T>
where
    W: Fn(&mut SqliteRows<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, rows: &mut SqliteRows<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.work)(rows)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, answer, .. } = *self;
        let answered = outcome.and_then(|()| result.ok_or_else(|| StoreError::Unavailable("the write did not run".into())));
        // Who asked may have gone; the write has happened all the same.
        let _ = answer.send(answered);
    }
}

/// Who is told about a commit.
pub(super) struct AfterCommit {
    pub(super) indexer: IndexerHandle,
    pub(super) checkpointer: CheckpointerHandle,
}

/// The handle of the thread.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    health: Health,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        permit: WritePermit,
        health: Health,
        observer: Arc<dyn StoreObserver>,
        after_commit: AfterCommit,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING_WRITES_MAX);
        let task = Task { connection, waiting, permit, health: health.clone(), observer, after_commit };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || task.run())?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)), health })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut SqliteRows<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = || match self.health.reason() {
            Some(reason) => StoreError::Failed(reason),
            None => StoreError::Unavailable("the store is closed".into()),
        };
        let jobs = self.jobs.lock().clone().ok_or_else(closed)?;
        let (answer, answered) = oneshot::channel();
        jobs.send(Box::new(Call { work, result: None, answer })).await.map_err(|_| closed())?;
        drop(jobs);
        // The thread answers everything that it was sent, unless it panics.
        answered.await.map_err(|_| self.health.fail(PANICKED))?
    }

    /// Lets the thread finish what waits, and waits for its end.
    pub(super) fn stop(&self) {
        self.jobs.lock().take();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            self.health.fail(PANICKED);
        }
    }
}

/// What the thread owns.
struct Task {
    connection: Connection,
    waiting: mpsc::Receiver<Box<dyn Job>>,
    permit: WritePermit,
    health: Health,
    observer: Arc<dyn StoreObserver>,
    after_commit: AfterCommit,
}

/// Where a group failed. Only a failure of the work itself can be a single write's fault.
enum Failure {
    /// The store had failed before.
    Stopped,
    Begin(rusqlite::Error),
    Work(rusqlite::Error),
    Commit(rusqlite::Error),
}

impl Task {
    fn run(mut self) {
        let _panicked = FailOnPanic(self.health.clone());
        while let Some(first) = self.waiting.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP_WRITES_MAX
                && let Ok(next) = self.waiting.try_recv()
            {
                group.push(next);
            }
            self.write(group);
        }
    }

    /// Writes a group and answers all of it.
    fn write(&self, mut group: Vec<Box<dyn Job>>) {
        let began = Instant::now();
        let written = self.attempt(&mut group);
        match written {
            Ok(touched) => {
                // Measured before anybody is woken, who would take the processor away.
                self.observer.committed(group.len(), began.elapsed());
                group.into_iter().for_each(|job| job.answer(Ok(())));
                self.after_commit.checkpointer.wrote(touched.statements, touched.erased);
                self.after_commit.indexer.wrote(touched.rooms);
            }
            Err(Failure::Work(error)) if group.len() > 1 && !is_fatal(&error) => {
                // One of them is at fault: alone, each write succeeds or fails by itself.
                group.into_iter().for_each(|job| self.write(vec![job]));
            }
            Err(failure) => {
                let outcome = self.judge(&failure);
                group.into_iter().for_each(|job| job.answer(Err(outcome.clone())));
            }
        }
    }

    fn judge(&self, failure: &Failure) -> StoreError {
        match failure {
            Failure::Stopped => StoreError::Failed(self.health.reason().unwrap_or_default()),
            Failure::Begin(error) | Failure::Work(error) => self.health.judge(error),
            Failure::Commit(error) if is_busy(error) => self.health.judge(error),
            // Whether it is on the disk nobody knows. Asking the disk again would not tell (fsync forgets its errors).
            Failure::Commit(error) => self.health.fail(&format!("a commit failed: {error}")),
        }
    }

    fn attempt(&self, group: &mut [Box<dyn Job>]) -> Result<Touched, Failure> {
        let permit = self.permit.lock();
        // Looked at under the permit: once the store has failed, nothing is written any more.
        if self.health.reason().is_some() {
            return Err(Failure::Stopped);
        }
        let done = transaction(&self.connection, group);
        if done.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = execute(&self.connection, "ROLLBACK")
        {
            self.health.fail(&format!("a rollback failed: {error}"));
        }
        // Handed over, so that a busy writer does not starve the indexer.
        MutexGuard::unlock_fair(permit);
        done
    }
}

fn transaction(connection: &Connection, group: &mut [Box<dyn Job>]) -> Result<Touched, Failure> {
    execute(connection, "BEGIN IMMEDIATE").map_err(Failure::Begin)?;
    let mut rows = SqliteRows::new(connection);
    let worked = group.iter_mut().try_for_each(|job| job.run(&mut rows)).and_then(|()| rows.finish());
    match worked {
        Ok(touched) => execute(connection, "COMMIT").map(|()| touched).map_err(Failure::Commit),
        Err(error) => Err(Failure::Work(error)),
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// A panic in the thread is a bug, and must not look like a slow disk.
struct FailOnPanic(Health);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(PANICKED);
        }
    }
}
