//! How many durable messages per second the SQLite store takes, for several numbers of writers that wait for their
//! acknowledgement: `cargo run --release -p salon-store --example append_rate [DIR]`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use salon_core::ports::{Change, Logs, NewRoom, Write, Written};
use salon_core::{AccessVersion, Epoch, HistoryPolicy, Role, RoomId, RoomKind, Timestamp, UserId};
use salon_store::{SqliteOptions, SqliteStore, StoreObserver};
use tokio::task::JoinSet;
use tokio::time::Instant;

const ROOMS: u64 = 20;
const CONTENT_BYTES: usize = 200;
const RUN: Duration = Duration::from_secs(3);

/// Counts groups.
#[derive(Debug, Default)]
struct Groups(AtomicUsize);

impl StoreObserver for Groups {
    fn committed(&self, _writes: usize, _took: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn write_answered(&self, _took: Duration) {}

    fn read_answered(&self, _took: Duration) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = dir.join(format!("append_rate-{}.db", std::process::id()));
    let groups = Arc::new(Groups::default());
    let options = SqliteOptions { observer: Arc::<Groups>::clone(&groups), ..SqliteOptions::default() };
    let store = SqliteStore::open(&path, options)?;
    for room in 0..ROOMS {
        store.create_room(new_room(room)?).await?;
    }
    println!("{:>8} {:>12} {:>10} {:>10} {:>10}", "writers", "rows/s", "per group", "p50 ms", "p99 ms");
    for writers in [1, 16, 256, 1024] {
        groups.0.store(0, Ordering::Relaxed);
        let mut times = measure(&store, writers).await?;
        times.sort_unstable();
        let rate = times.len() as f64 / RUN.as_secs_f64();
        let per_group = times.len() as f64 / groups.0.load(Ordering::Relaxed) as f64;
        let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        println!("{writers:>8} {rate:>12.0} {per_group:>10.1} {:>10.2} {:>10.2}", at(50), at(99));
    }
    store.close().await;
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

fn new_room(n: u64) -> Result<NewRoom, Box<dyn Error>> {
    let owner = UserId::mint(1);
    Ok(NewRoom {
        id: RoomId::parse(&format!("room-{n}"))?,
        kind: RoomKind::Public,
        title: String::new(),
        topic: String::new(),
        history: HistoryPolicy::All,
        epoch: Epoch::mint(n),
        creator: owner.clone(),
        members: vec![(owner, Role::Owner)],
        at: Timestamp(0),
    })
}

/// The time from each write to its acknowledgement.
async fn measure(store: &Arc<SqliteStore>, writers: u64) -> Result<Vec<Duration>, Box<dyn Error>> {
    let end = Instant::now() + RUN;
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = Arc::clone(store);
        let room = RoomId::parse(&format!("room-{}", writer % ROOMS))?;
        tasks.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                let content = "x".repeat(CONTENT_BYTES);
                let written = store.append(Write {
                    room: room.clone(),
                    actor: UserId::mint(1),
                    access: AccessVersion(1),
                    at: Timestamp(1),
                    change: Change::Message { content, reply_to: None, mentions: vec![], extra: None },
                    idempotency: None,
                    salt: writer,
                    news: vec![],
                });
                if !matches!(written.await, Ok(Written::Stored { .. })) {
                    break;
                }
                times.push(began.elapsed());
            }
            times
        });
    }
    Ok(tasks.join_all().await.into_iter().flatten().collect())
}
