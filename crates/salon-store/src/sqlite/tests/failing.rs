//! Failing: of one write, of a neighbour, of the disk, of another process.

use std::time::Duration;

use parking_lot::Mutex;
use salon_core::ports::Accounts;

use super::*;
use crate::observer::StoreObserver;

/// Remembers the sizes of groups.
#[derive(Debug, Default)]
struct Groups(Mutex<Vec<usize>>);

impl StoreObserver for Groups {
    fn committed(&self, writes: usize, _took: Duration) {
        self.0.lock().push(writes);
    }

    fn write_answered(&self, _took: Duration) {}

    fn read_answered(&self, _took: Duration) {}
}

/// Keeps the writer from beginning a transaction until it is dropped.
struct HeldUp {
    release: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl HeldUp {
    fn new(store: &SqliteStore) -> Self {
        let permit = Arc::clone(&store.permit);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (hold, held) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _permit = permit.lock();
            hold.send(()).unwrap();
            // Ends with an error when the other end is dropped.
            let _ = released.recv();
        });
        held.recv().unwrap();
        Self { release: Some(release), thread: Some(thread) }
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        drop(self.release.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

#[tokio::test]
async fn what_waits_is_committed_together() {
    let dir = tempfile::tempdir().unwrap();
    let groups = Arc::new(Groups::default());
    let options = SqliteOptions { observer: Arc::<Groups>::clone(&groups), ..SqliteOptions::default() };
    let store = SqliteStore::open(&dir.path().join("salon.db"), options).unwrap();
    create_room(&store).await;
    groups.0.lock().clear();
    // The thread waits for the permit with the first of them; the others gather meanwhile.
    let held = HeldUp::new(&store);
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..200 {
        let store = Arc::clone(&store);
        writes.spawn(async move { store.append(hello(n, "hi")).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(groups.0.lock().len(), 0);
    drop(held);
    assert!(writes.join_all().await.iter().all(|written| matches!(written, Written::Stored { .. })));
    let sizes = groups.0.lock().clone();
    assert_eq!(sizes.iter().sum::<usize>(), 200);
    assert!(sizes.len() <= 3, "{sizes:?}");
    store.close().await;
}

#[tokio::test]
async fn a_write_that_the_database_refuses_takes_nobody_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("salon.db"));
    create_room(&store).await;
    let held = HeldUp::new(&store);
    let refused = |rows: &mut SqliteRows<'_>| {
        rows.connection().execute("INSERT INTO settings (name, value) VALUES ('half', x'00')", [])?;
        rows.connection().execute("INSERT INTO settings (name, value) VALUES (NULL, NULL)", []).map(drop)
    };
    let release = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(held);
    };
    let (before, refused, after, ()) =
        tokio::join!(store.append(hello(1, "before")), store.write(refused), store.append(hello(2, "after")), release);
    assert!(matches!(before, Ok(Written::Stored { .. })));
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(matches!(after, Ok(Written::Stored { .. })));
    assert_eq!(head(&store).await, 3);
    assert_eq!(store.setting_or_insert("half", b"whole").await.unwrap(), b"whole");
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_is_the_end_and_what_was_acknowledged_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let options = SqliteOptions { pages_max: Some(120), ..SqliteOptions::default() };
    let store = SqliteStore::open(&path, options).unwrap();
    create_room(&store).await;
    let text = "x".repeat(4_000);
    let mut acknowledged = 0;
    let error = loop {
        match store.append(hello(acknowledged, &text)).await {
            Ok(Written::Stored { .. }) => acknowledged += 1,
            Ok(refused) => panic!("{refused:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
    assert!(acknowledged > 5);
    assert!(store.failed().await.contains("full"), "{}", store.failed().await);
    // Whatever would fit: nothing is written any more, nor read.
    assert!(matches!(store.append(hello(9_999, "")).await, Err(StoreError::Failed(_))));
    assert!(matches!(store.ready().await, Err(StoreError::Failed(_))));
    store.close().await;
    drop(store);

    let store = open(&path);
    assert_eq!(head(&store).await, acknowledged + 1);
    says(&store, 9_999, "and on").await;
    store.close().await;
}

#[tokio::test]
async fn a_panic_while_writing_is_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("salon.db"));
    let answer = store.write(|_| -> rusqlite::Result<()> { panic!("a planted bug") }).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    assert!(store.failed().await.contains("panicked"));
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for_and_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let options = SqliteOptions { busy_timeout: Duration::from_millis(100), ..SqliteOptions::default() };
    let store = SqliteStore::open(&path, options).unwrap();
    create_room(&store).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.append(hello(1, "hi")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(says(&store, 1, "hi").await.seq.0, 2);
    store.close().await;
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("salon.db"));
    create_room(&store).await;
    store.close().await;
    assert!(matches!(store.append(hello(1, "hi")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
    store.close().await;
}
