//! The thread that follows the logs with the full-text index, in small transactions beside the writer's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use salon_core::Seq;
use tokio::sync::watch;

use super::WritePermit;
use super::columns::{self, RoomKey, signed};
use super::health::{Health, is_busy};
use super::rows::SqliteRows;
use super::search;

/// Entries that one transaction indexes: the writer waits for one of these at most.
const STEP_ENTRIES_MAX: u32 = 256;
/// Entries of a deleted room that one transaction erases.
pub(super) const ERASE_STEP_ENTRIES: u32 = 1_000;
/// How long to gather work, where nobody waits for it, in milliseconds: an index likes large steps.
const GATHER_MS: u64 = 100;
/// Pause after another process has held the lock, in milliseconds.
const BUSY_PAUSE_MS: u64 = 200;

#[derive(Debug, Default)]
struct Work {
    /// Rooms with entries that are not indexed. As many as there are rooms, at most.
    rooms: BTreeSet<RoomKey>,
    /// Somebody searches and waits.
    urgent: bool,
    stop: bool,
}

struct Shared {
    work: Mutex<Work>,
    wake: Condvar,
    /// Counts the steps that were committed.
    steps: watch::Sender<u64>,
}

/// How others tell it what to do.
#[derive(Clone)]
pub(super) struct IndexerHandle(Arc<Shared>);

impl IndexerHandle {
    /// These rooms have something new.
    pub(super) fn wrote(&self, rooms: BTreeSet<RoomKey>) {
        if !rooms.is_empty() {
            self.0.work.lock().rooms.extend(rooms);
            self.0.wake.notify_one();
        }
    }

    /// Somebody waits for this room. Another process may have written to it, so it is looked at in any case.
    pub(super) fn hurry(&self, room: RoomKey) {
        let work = &mut *self.0.work.lock();
        work.rooms.insert(room);
        work.urgent = true;
        self.0.wake.notify_one();
    }

    /// Changes with every committed step.
    pub(super) fn steps(&self) -> watch::Receiver<u64> {
        self.0.steps.subscribe()
    }
}

/// The handle of the thread.
pub(super) struct Indexer {
    handle: IndexerHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
    health: Health,
}

impl Indexer {
    pub(super) fn start(connection: Connection, permit: WritePermit, health: Health) -> std::io::Result<Self> {
        let shared = Shared { work: Mutex::default(), wake: Condvar::new(), steps: watch::Sender::new(0) };
        let handle = IndexerHandle(Arc::new(shared));
        let task = Task { connection, permit, health: health.clone(), shared: Arc::clone(&handle.0) };
        let thread = std::thread::Builder::new().name("store-indexer".into()).spawn(move || task.run())?;
        Ok(Self { handle, thread: Mutex::new(Some(thread)), health })
    }

    pub(super) fn handle(&self) -> IndexerHandle {
        self.handle.clone()
    }

    /// Ends the thread after its present step. What is not indexed is found again at the next start.
    pub(super) fn stop(&self) {
        self.handle.0.work.lock().stop = true;
        self.handle.0.wake.notify_one();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            self.health.fail("the indexing thread panicked");
        }
    }
}

struct Task {
    connection: Connection,
    permit: WritePermit,
    health: Health,
    shared: Arc<Shared>,
}

impl Task {
    fn run(mut self) {
        if let Err(error) = self.start() {
            self.health.judge(&error);
        }
        while let Some(rooms) = self.next() {
            for room in rooms {
                while !self.stopped() && self.health.reason().is_none() {
                    match self.step(room) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) if is_busy(&error) => self.pause(),
                        Err(error) => {
                            self.health.judge(&error);
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Takes up what was left when the store was closed, or lost its power.
    fn start(&mut self) -> rusqlite::Result<()> {
        while !self.stopped() && self.exclusively(|connection| SqliteRows::new(connection).erase_some(ERASE_STEP_ENTRIES))? {}
        let mut select = self.connection.prepare(
            "SELECT rooms.key FROM rooms LEFT JOIN search_cursors ON search_cursors.room = rooms.key
             WHERE rooms.id IS NOT NULL AND rooms.kind <> 'me' AND rooms.head > coalesce(search_cursors.indexed, 0)",
        )?;
        let behind = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<BTreeSet<RoomKey>>>()?;
        self.shared.work.lock().rooms.extend(behind);
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.shared.work.lock().stop
    }

    /// Waits for work; `None` at the end.
    fn next(&self) -> Option<BTreeSet<RoomKey>> {
        let mut work = self.shared.work.lock();
        while work.rooms.is_empty() && !work.stop {
            self.shared.wake.wait(&mut work);
        }
        if !work.urgent && !work.stop {
            let gather = Duration::from_millis(GATHER_MS);
            self.shared.wake.wait_while_for(&mut work, |work| !work.urgent && !work.stop, gather);
        }
        work.urgent = false;
        (!work.stop).then(|| std::mem::take(&mut work.rooms))
    }

    fn pause(&self) {
        let pause = Duration::from_millis(BUSY_PAUSE_MS);
        self.shared.wake.wait_while_for(&mut self.shared.work.lock(), |work| !work.stop, pause);
    }

    /// Indexes the next entries of a room; true if there may be more.
    fn step(&mut self, room: RoomKey) -> rusqlite::Result<bool> {
        let more = self.exclusively(|connection| index_some(connection, room))?;
        self.shared.steps.send_modify(|steps| *steps += 1);
        Ok(more)
    }

    fn exclusively<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let permit = self.permit.lock();
        let done = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })();
        MutexGuard::unlock_fair(permit);
        done
    }
}

fn index_some(connection: &Connection, room: RoomKey) -> rusqlite::Result<bool> {
    let indexed = search::indexed(connection, room)?;
    let mut select = connection
        .prepare_cached("SELECT key, seq, message, body FROM entries WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")?;
    let mut rows = select.query(params![room, signed(indexed.0), STEP_ENTRIES_MAX])?;
    let (mut count, mut last) = (0, Seq::START);
    while let Some(row) = rows.next()? {
        if row.get("message")? {
            search::index(connection, room, row.get("key")?, &columns::message_text(row)?)?;
        }
        last = columns::seq(row, "seq")?;
        count += 1;
    }
    let more = count == STEP_ENTRIES_MAX;
    if !more {
        // Retention may have dropped the last entries: what is not there needs no index.
        let mut select = connection.prepare_cached("SELECT head FROM rooms WHERE key = ?1")?;
        last = select.query_row([room], |row| columns::seq(row, "head")).optional()?.unwrap_or(indexed);
    }
    if last > indexed {
        search::set_indexed(connection, room, last)?;
    }
    Ok(more)
}
