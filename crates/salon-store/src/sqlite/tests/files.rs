//! What is in the files: after a crash, after a deletion, and when two processes share them.

use std::path::PathBuf;
use std::time::Duration;

use salon_core::Seq;
use salon_core::ports::{PageQuery, Position};

use super::*;

async fn search(store: &SqliteStore, text: &str) -> usize {
    let query = PageQuery {
        room: general(),
        visible_from: Seq(1),
        position: Position::Newest,
        limit: 100,
        bytes_max: usize::MAX,
        user: None,
        text: Some(text.into()),
        asker: ann(),
    };
    store.page(query).await.unwrap().messages.len()
}

/// All bytes that the store has on the disk.
fn bytes(path: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for suffix in ["", "-wal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        all.extend(std::fs::read(PathBuf::from(file)).unwrap_or_default());
    }
    all
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("salon.db"), dir.path().join("copy.db"));
    let store = open(&path);
    create_room(&store).await;
    for n in 0..20 {
        says(&store, n, &format!("hello {n}")).await;
    }
    // As the files are when the process is killed: the log of writes is not moved into the database.
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(dir.path().join("salon.db-wal"), dir.path().join("copy.db-wal")).unwrap();
    let survivor = open(&copy);
    assert_eq!(head(&survivor).await, 21);
    assert!(matches!(survivor.append(hello(7, "hello 7")).await.unwrap(), Written::Duplicate(_)));
    assert_eq!(search(&survivor, "hello").await, 20);
    assert_eq!(says(&survivor, 99, "hello again").await.seq, Seq(22));
    survivor.close().await;
    store.close().await;
}

#[tokio::test]
async fn closing_leaves_one_file_and_opening_it_is_quick() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let store = open(&path);
    create_room(&store).await;
    for n in 0..50 {
        says(&store, n, "hello").await;
    }
    store.close().await;
    drop(store);
    let wal = std::fs::metadata(dir.path().join("salon.db-wal")).map(|wal| wal.len()).unwrap_or(0);
    assert_eq!(wal, 0);
    // The quickest of several: the machine may be doing other things as well.
    let mut took = Duration::MAX;
    for _ in 0..5 {
        let began = tokio::time::Instant::now();
        let store = open(&path);
        took = took.min(began.elapsed());
        store.close().await;
    }
    assert!(took < Duration::from_millis(50), "{took:?}");
    let store = open(&path);
    assert_eq!((head(&store).await, search(&store, "hello").await), (51, 50));
    store.close().await;
}

#[tokio::test]
async fn deleted_content_is_nowhere_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let store = open(&path);
    create_room(&store).await;
    let secret = says(&store, 1, "qzsecretone").await;
    let edited = store.append(change(2, Change::Edit { id: id(&secret), content: "qzsecrettwo".into() }));
    assert!(matches!(edited.await.unwrap(), Written::Stored { .. }));
    says(&store, 3, "qzharmless").await;
    // It is in the index as well as in the log.
    assert_eq!((search(&store, "qzsecrettwo").await, search(&store, "qz").await), (1, 2));
    assert!(contains(&bytes(&path), "qzsecrettwo"));

    let deleted = store.append(change(4, Change::Delete { id: id(&secret) }));
    assert!(matches!(deleted.await.unwrap(), Written::Stored { .. }));
    store.close().await;
    drop(store);
    let bytes = bytes(&path);
    assert!(contains(&bytes, "qzharmless"));
    // The index keeps words without the beginning that they share with their neighbour.
    for secret in ["qzsecret", "secretone", "secrettwo", "ecrettwo"] {
        assert!(!contains(&bytes, secret), "{secret} is still there");
    }
    let store = open(&path);
    assert_eq!(search(&store, "qz").await, 1);
    let check = "INSERT INTO search (search) VALUES ('integrity-check')";
    store.write(move |rows| rows.connection().execute(check, []).map(drop)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_was_trimmed_is_nowhere_on_the_disk_and_not_in_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let store = open(&path);
    create_room(&store).await;
    says(&store, 1, "qzancient").await;
    says(&store, 2, "qzrecent").await;
    assert_eq!(search(&store, "qz").await, 2);
    store.trim(&general(), Seq(3)).await.unwrap();
    assert_eq!(search(&store, "qz").await, 1);
    store.close().await;
    drop(store);
    let bytes = bytes(&path);
    assert!(contains(&bytes, "qzrecent") && !contains(&bytes, "ancient"));
}

#[tokio::test]
async fn two_processes_write_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let (server, tool) = (open(&path), open(&path));
    create_room(&server).await;
    for n in 0..20 {
        let (one, other) = if n % 2 == 0 { (&server, &tool) } else { (&tool, &server) };
        let seq = says(one, n, &format!("hello {n}")).await.seq;
        assert_eq!((seq.0, head(other).await), (n + 2, n + 2));
        assert!(matches!(other.append(hello(n, "")).await.unwrap(), Written::Duplicate(original) if original.seq == seq));
    }
    let together = async |store: &Arc<SqliteStore>, from: u64| {
        let mut writes = tokio::task::JoinSet::new();
        for n in from..from + 100 {
            let store = Arc::clone(store);
            writes.spawn(async move { store.append(hello(n, "at once")).await.unwrap() });
        }
        writes.join_all().await
    };
    tokio::join!(together(&server, 1_000), together(&tool, 2_000));
    assert_eq!((head(&server).await, search(&server, "hello").await), (221, 20));
    let log = server.entries(&general(), Seq::START, 1_000, usize::MAX).await.unwrap().unwrap().entries;
    assert!(log.iter().map(|entry| entry.seq.0).eq(1..=221));
    tool.close().await;
    server.close().await;
}

#[tokio::test]
async fn erasing_a_room_is_taken_up_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let store = open(&path);
    create_room(&store).await;
    for n in 0..30 {
        says(&store, n, "qzsecret").await;
    }
    assert_eq!(search(&store, "qzsecret").await, 30);
    // As a crash leaves it right after the room was taken out of sight.
    store.write(|rows| crate::transactions::delete_room(rows, &general(), Timestamp(9))).await.unwrap().unwrap();
    store.close().await;
    drop(store);
    let store = open(&path);
    let rooms = || store.read(|reader| reader.query_row("SELECT count(*) FROM rooms", [], |row| row.get::<_, i64>(0)));
    let mut left = rooms().await.unwrap();
    for _ in 0..100 {
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = rooms().await.unwrap();
    }
    assert_eq!(left, 0);
    store.close().await;
    drop(store);
    assert!(!contains(&bytes(&path), "qzsecret"));
}
