//! The hot queries are searches of an index, whatever the planner would like to do otherwise.

use super::*;

/// The plan of a statement, in one line.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = explain.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>("detail").unwrap());
    }
    lines.join("; ")
}

#[tokio::test]
async fn no_hot_query_scans_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("salon.db");
    let store = open(&path);
    let connection = Connection::open(&path).unwrap();
    for (sql, expected) in [
        ("SELECT seq, body FROM entries WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3", "(room=? AND seq>?)"),
        (
            "SELECT seq FROM entries WHERE room = ?1 AND seq >= ?2 AND message = 1 ORDER BY seq DESC LIMIT ?3",
            "(room=? AND seq>?)",
        ),
        (
            "SELECT body FROM entries WHERE room = ?1 AND actor = ?2 AND client_id = ?3 AND client_id IS NOT NULL",
            "entries_by_client_id",
        ),
        (
            "SELECT body FROM entries WHERE room = ?1 AND seq >= ?2 AND seq < ?3 AND message = 1 AND actor = ?4
             ORDER BY seq DESC LIMIT ?5",
            "messages_by_actor",
        ),
        ("SELECT key FROM entries WHERE room = ?1 AND edit_of = ?2 AND edit_of IS NOT NULL", "edits_by_message"),
        ("SELECT head FROM rooms WHERE id = ?1", "(id=?)"),
        (
            "SELECT role FROM members WHERE room = ?1 AND user > ?2 AND place = 'member' ORDER BY user LIMIT ?3",
            "(room=? AND user>?)",
        ),
        ("SELECT count(*) FROM mentions WHERE room = ?1 AND user = ?2", "(room=? AND user=?)"),
        ("SELECT id FROM users WHERE name_key >= ?1 AND name_key < ?2", "users_by_name"),
        ("SELECT id FROM rooms WHERE kind = 'public' AND id > ?1 ORDER BY id LIMIT ?2", "public_rooms"),
    ] {
        let plan = plan(&connection, sql);
        assert!(plan.contains(expected) && !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
    drop(connection);
    store.close().await;
}
