//! Opening a database: connections, settings, schema.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations, SchemaVersion};

use crate::observer::{StoreObserver, Unobserved};

/// The schema, one step per file; a released step is never edited.
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_logs.sql")),
    M::up(include_str!("migrations/0002_accounts.sql")),
    M::up(include_str!("migrations/0003_search.sql")),
];

/// Prepared statements that each connection keeps: more than there are in the source.
const STATEMENTS_MAX: usize = 128;
/// Page cache of the writing connection, in KiB.
const WRITER_CACHE_KIB: u32 = 32 * 1024;
/// Page cache of every other connection, in KiB.
const READER_CACHE_KIB: u32 = 8 * 1024;

/// How a database is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Reads that run at the same time.
    pub readers: usize,
    /// How long to wait for another process that is writing.
    pub busy_timeout: Duration,
    /// The database may not grow beyond this many pages of 4 KiB.
    pub pages_max: Option<u32>,
    pub observer: Arc<dyn StoreObserver>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4, busy_timeout: Duration::from_secs(5), pages_max: None, observer: Arc::new(Unobserved) }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { readers, busy_timeout, pages_max, observer: _ } = self;
        f.debug_struct("SqliteOptions")
            .field("readers", readers)
            .field("busy_timeout", busy_timeout)
            .field("pages_max", pages_max)
            .finish_non_exhaustive()
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("{path} was written by a newer version of Salon (schema {found}, this one knows {known}); use that version")]
    NewerSchema { path: PathBuf, found: usize, known: usize },
    #[error("{path}: the schema could not be brought up to date: {source}")]
    Migration { path: PathBuf, source: rusqlite_migration::Error },
    #[error("{path}: the file system does not support write-ahead logging (it answered {mode})")]
    NoWal { path: PathBuf, mode: String },
    #[error("a thread of the store could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// The connections that live as long as the store.
pub(super) struct Connections {
    pub(super) writer: Connection,
    pub(super) indexer: Connection,
    pub(super) checkpointer: Connection,
}

pub(super) fn connections(path: &Path, options: &SqliteOptions) -> Result<Connections, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    // Two processes that start at the same time must not both create the schema. The lock ends with this function.
    let lock = lock_file(path)?;
    let mut writer = open(path, options, "FULL", WRITER_CACHE_KIB).map_err(sqlite)?;
    let mode: String = writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(sqlite)?;
    if mode != "wal" {
        return Err(OpenError::NoWal { path: path.to_owned(), mode });
    }
    migrate(path, &mut writer)?;
    if let Some(pages_max) = options.pages_max {
        writer.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(())).map_err(sqlite)?;
    }
    // The index follows the log and is caught up after a power cut, so it need not wait for the disk.
    let indexer = open(path, options, "NORMAL", READER_CACHE_KIB).map_err(sqlite)?;
    let checkpointer = open(path, options, "FULL", READER_CACHE_KIB).map_err(sqlite)?;
    drop(lock);
    Ok(Connections { writer, indexer, checkpointer })
}

/// A connection for reading.
pub(super) fn reader(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    settle(&reader, options, READER_CACHE_KIB)?;
    reader.pragma_update(None, "query_only", true)?;
    // Opens the log of writes as well.
    reader.query_row("SELECT count(*) FROM settings", [], |_| Ok(()))?;
    Ok(reader)
}

fn open(path: &Path, options: &SqliteOptions, synchronous: &str, cache_kib: u32) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle(&connection, options, cache_kib)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Deleted content is overwritten with zeros.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A thread of its own does it, so that no commit waits for it.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    Ok(connection)
}

/// Memory-mapped reading stays off: an I/O error would be a signal there, and here it is an error that can be handled.
fn settle(connection: &Connection, options: &SqliteOptions, cache_kib: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(options.busy_timeout)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    // Sorting needs no file, and so cannot fail for want of one.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

fn lock_file(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let lock = private_file(&name).and_then(|file| file.lock().map(|()| file));
    let lock = lock.map_err(|source| OpenError::File { path: name, source })?;
    // SQLite gives its other files the mode of this one.
    private_file(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    Ok(lock)
}

/// Opens a file, or creates one that nobody else on this machine may read.
fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn migrate(path: &Path, writer: &mut Connection) -> Result<(), OpenError> {
    let migrations = Migrations::from_slice(MIGRATIONS);
    let failed = |source| OpenError::Migration { path: path.to_owned(), source };
    if let SchemaVersion::Outside(found) = migrations.current_version(writer).map_err(failed)? {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found: found.get(), known: MIGRATIONS.len() });
    }
    migrations.to_latest(writer).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(path: &Path) -> usize {
        let connection = Connection::open(path).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
    }

    #[test]
    fn every_older_schema_becomes_the_present_one() {
        for known in 0..=MIGRATIONS.len() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("salon.db");
            let mut old = Connection::open(&path).unwrap();
            Migrations::from_slice(MIGRATIONS).to_version(&mut old, known).unwrap();
            drop(old);
            assert_eq!(version(&path), known);
            drop(connections(&path, &SqliteOptions::default()).unwrap());
            assert_eq!(version(&path), MIGRATIONS.len());
        }
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("salon.db");
        drop(connections(&path, &SqliteOptions::default()).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let refused = connections(&path, &SqliteOptions::default()).map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused}");
        assert_eq!(version(&path), 99);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let open = connections(&dir.path().join("salon.db"), &SqliteOptions::default()).unwrap();
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap()).collect();
        assert!(files.len() >= 3);
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
        drop(open);
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("salon.db");
        std::fs::write(&path, "not a database at all, but long enough to be looked at".repeat(100)).unwrap();
        let refused = connections(&path, &SqliteOptions::default()).map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::Sqlite { .. }), "{refused}");
    }
}
