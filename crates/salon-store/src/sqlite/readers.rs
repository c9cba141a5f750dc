//! The connections that read.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use salon_core::ports::StoreError;
use tokio::sync::Semaphore;

use super::open;
use super::open::SqliteOptions;

/// Reads that may wait for a connection; beyond it the store says that it is overloaded.
const WAITING_READS_MAX: usize = 4096;

pub(super) struct Readers {
    pool: Arc<Pool>,
    /// One permit per connection that may be in use.
    permits: Arc<Semaphore>,
    permits_max: u32,
    waiting: AtomicUsize,
}

/// Connections that nobody uses right now.
struct Pool {
    path: PathBuf,
    options: SqliteOptions,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Opens all connections: later there may be no file descriptors left for them.
    pub(super) fn open(path: PathBuf, options: SqliteOptions) -> rusqlite::Result<Self> {
        let permits_max = u32::try_from(options.readers.max(1)).unwrap_or(u32::MAX);
        let permits = Arc::new(Semaphore::new(options.readers.max(1)));
        let idle = (0..permits_max).map(|_| open::reader(&path, &options)).collect::<rusqlite::Result<Vec<_>>>()?;
        let pool = Arc::new(Pool { path, options, idle: Mutex::new(idle) });
        Ok(Self { pool, permits, permits_max, waiting: AtomicUsize::new(0) })
    }

    /// Runs `work` on one state of the database, on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<rusqlite::Result<T>, StoreError> {
        let permit = {
            let _waiting = Waiting::enter(&self.waiting)?;
            let acquired = Arc::clone(&self.permits).acquire_owned().await;
            acquired.map_err(|_| StoreError::Unavailable("the store is closed".into()))?
        };
        let pool = Arc::clone(&self.pool);
        let read = tokio::task::spawn_blocking(move || {
            // The permit goes where the connection goes, even when nobody waits for the answer any more.
            let _permit = permit;
            pool.read(work)
        });
        read.await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Waits for the reads that run, and closes all connections.
    pub(super) async fn close(&self) {
        let all = self.permits.acquire_many(self.permits_max).await;
        self.permits.close();
        drop(all);
        self.clear();
    }

    /// Closes the connections that nobody uses.
    pub(super) fn clear(&self) {
        self.pool.idle.lock().clear();
    }
}

impl Pool {
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            // One was lost to a panic or to an error.
            None => open::reader(&self.path, &self.options)?,
        };
        connection.prepare_cached("BEGIN")?.execute([])?;
        let result = work(&connection);
        // A connection that cannot end its transaction is closed instead of being used again.
        connection.prepare_cached("ROLLBACK")?.execute([])?;
        self.idle.lock().push(connection);
        result
    }
}

/// Counts who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Result<Self, StoreError> {
        let entered = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_READS_MAX {
            return Err(StoreError::Unavailable("too many reads are waiting".into()));
        }
        Ok(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
