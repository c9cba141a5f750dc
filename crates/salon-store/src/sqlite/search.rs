//! The full-text index: what is in it, and how it is asked.

use rusqlite::{Connection, OptionalExtension, params};
use salon_core::Seq;

use super::columns::{self, RoomKey, signed};
use crate::paging::search_words;

/// Puts a message into the index.
pub(super) fn index(connection: &Connection, room: RoomKey, entry: i64, text: &str) -> rusqlite::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached("INSERT INTO search (rowid, room, text) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![entry, room_word(room), text]).map(drop)
}

/// Takes a message out of the index. `text` is what it was put in with: the index has no copy.
pub(super) fn unindex(connection: &Connection, room: RoomKey, entry: i64, text: &str) -> rusqlite::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut delete = connection.prepare_cached("INSERT INTO search (search, rowid, room, text) VALUES ('delete', ?1, ?2, ?3)")?;
    delete.execute(params![entry, room_word(room), text]).map(drop)
}

/// Up to where the room is indexed.
pub(super) fn indexed(connection: &Connection, room: RoomKey) -> rusqlite::Result<Seq> {
    let mut select = connection.prepare_cached("SELECT indexed FROM search_cursors WHERE room = ?1")?;
    let found = select.query_row([room], |row| columns::seq(row, "indexed")).optional()?;
    Ok(found.unwrap_or(Seq::START))
}

pub(super) fn set_indexed(connection: &Connection, room: RoomKey, seq: Seq) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO search_cursors (room, indexed) VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET indexed = excluded.indexed",
    )?;
    upsert.execute(params![room, signed(seq.0)]).map(drop)
}

/// The full-text query for words in a room, each a prefix; `None` where there is no word.
///
/// Every word is quoted, so nothing in it is syntax. A blank between phrases means "and", and unlike `AND` it skips a
/// phrase in which the tokenizer finds no word.
pub(super) fn match_expression(room: RoomKey, text: &str) -> Option<String> {
    let words = search_words(text);
    let phrases: Vec<String> = words.iter().map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
    (!phrases.is_empty()).then(|| format!("room : \"{}\" AND text : ({})", room_word(room), phrases.join(" ")))
}

/// One word, whatever the tokenizer.
fn room_word(room: RoomKey) -> String {
    format!("r{room}")
}
