//! The store of a single node: SQLite in WAL mode, `synchronous=FULL`.
//!
//! One thread writes, in groups: everything that waits goes into one transaction and is answered after its commit
//! (`writer.rs`). A few connections read (`readers.rs`). Two more threads keep the log of writes short
//! (`checkpoint.rs`) and the full-text index up to date (`indexer.rs`), so that no acknowledgement waits for either.
//!
//! Other processes may open the same database, to write as well: nothing is remembered from one transaction to the next.

mod accounts;
mod checkpoint;
mod columns;
mod health;
mod indexer;
mod logs;
mod open;
mod page;
mod readers;
mod rows;
mod search;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use salon_core::ports::{Store, StoreError};

use crate::observer::StoreObserver;
use checkpoint::Checkpointer;
use health::Health;
use indexer::Indexer;
use readers::Readers;
use rows::SqliteRows;
use writer::Writer;

pub use open::{OpenError, SqliteOptions};

/// Only one transaction of this process writes at a time. SQLite has a lock of its own for that, but whoever waits for
/// that one sleeps and tries again; whoever waits for this one is woken.
type WritePermit = Arc<Mutex<()>>;

/// See the module.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    indexer: Indexer,
    checkpointer: Checkpointer,
    health: Health,
    observer: Arc<dyn StoreObserver>,
    #[cfg(test)]
    permit: WritePermit,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a database, or creates it, and brings its schema up to date.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let connections = open::connections(path, &options)?;
        let readers = Readers::open(path.to_owned(), options.clone())
            .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        let health = Health::new();
        let permit = WritePermit::default();
        let indexer = Indexer::start(connections.indexer, Arc::clone(&permit), health.clone())?;
        let checkpointer = Checkpointer::start(connections.checkpointer, Arc::clone(&permit), health.clone())?;
        let after_commit = writer::AfterCommit { indexer: indexer.handle(), checkpointer: checkpointer.handle() };
        let observer = options.observer;
        #[cfg(test)]
        let permit_of_tests = Arc::clone(&permit);
        let writer = Writer::start(connections.writer, permit, health.clone(), Arc::clone(&observer), after_commit)?;
        Ok(Arc::new(Self {
            writer,
            readers,
            indexer,
            checkpointer,
            health,
            observer,
            #[cfg(test)]
            permit: permit_of_tests,
        }))
    }

    /// Finishes what was asked for, moves everything from the log of writes into the database and closes it. Whatever is
    /// asked afterwards is `Unavailable`.
    pub async fn close(self: &Arc<Self>) {
        self.readers.close().await;
        let store = Arc::clone(self);
        // Joining threads blocks.
        let joined = tokio::task::spawn_blocking(move || store.stop()).await;
        if let Err(error) = joined {
            tracing::error!(%error, "closing the database failed");
        }
    }

    /// Ends the threads: first who writes, then who follows, then who cleans up behind them.
    fn stop(&self) {
        self.readers.clear();
        self.writer.stop();
        self.indexer.stop();
        self.checkpointer.stop();
    }

    /// Writes in one of the writer's groups. `work` may run again when its group failed because of a neighbour.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut SqliteRows<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let began = tokio::time::Instant::now();
        let answer = self.writer.write(work).await;
        self.observer.write_answered(began.elapsed());
        answer
    }

    /// Reads one state of the database.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(reason) = self.health.reason() {
            return Err(StoreError::Failed(reason));
        }
        let began = tokio::time::Instant::now();
        let answer = self.readers.read(work).await?;
        self.observer.read_answered(began.elapsed());
        answer.map_err(|error| self.health.judge(&error))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop();
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn failed(&self) -> String {
        self.health.failed().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.read(|reader| reader.query_row("SELECT count(*) FROM settings", [], |_| Ok(()))).await
    }
}

#[cfg(test)]
mod tests;
