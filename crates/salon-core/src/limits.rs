//! Limits of the protocol. `welcome.limits` tells them to clients; every one of them is a configuration key.

/// What one installation allows. The defaults are PROTOCOL §1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One WebSocket message, in bytes. Beyond it the connection closes with 1009.
    pub frame_bytes_max: usize,
    /// The content of a message, in bytes of UTF-8.
    pub content_bytes_max: usize,
    /// `extra` of a message, in bytes of JSON.
    pub extra_bytes_max: usize,
    /// `emoji` of a reaction, in bytes of UTF-8.
    pub emoji_bytes_max: usize,
    /// `client_id`, in bytes.
    pub client_id_bytes_max: usize,
    /// Commands of one connection that are not answered yet.
    pub commands_in_flight_max: usize,
    /// Messages that a person may send at once after a rest.
    pub message_burst: u32,
    /// Messages that a person may send in the long run, per second.
    pub messages_per_s: u32,
    /// Rooms that one connection may have joined.
    pub rooms_per_connection_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 * 1024,
            content_bytes_max: 16 * 1024,
            extra_bytes_max: 4 * 1024,
            emoji_bytes_max: 64,
            client_id_bytes_max: crate::ids::CLIENT_ID_BYTES_MAX,
            commands_in_flight_max: 64,
            message_burst: 200,
            messages_per_s: 50,
            rooms_per_connection_max: 1000,
        }
    }
}

/// Messages in one page of history, at most (PROTOCOL §3).
pub const PAGE_MESSAGES_MAX: u32 = 200;
/// Messages in a page where none is asked for, and before a fresh join.
pub const PAGE_MESSAGES_DEFAULT: u32 = 50;
/// Bytes of content in one page of history: the page ends early and says where it goes on.
pub const PAGE_BYTES_MAX: usize = 160 * 1024;
/// `since` that lies further behind than this many entries is answered by `gap: true`.
pub const RESUME_ENTRIES_MAX: u64 = 10_000;
/// Rooms and members in one page of a list.
pub const LIST_MAX: u32 = 200;
/// People who can be mentioned in one message; further ones are plain text.
pub const MENTIONS_MAX: usize = 20;
/// Rooms with more members get counts instead of per-person presence, typing and read events.
pub const PRESENCE_MEMBERS_MAX: u64 = 200;
/// Rooms with more members get no `read` events.
pub const READ_EVENT_MEMBERS_MAX: u64 = 50;
/// Rooms with more members send `activity` for mentions only.
pub const ACTIVITY_MEMBERS_MAX: u64 = 1_000;
/// A person goes offline this long after the last connection, in milliseconds.
pub const OFFLINE_AFTER_MS: i64 = 10_000;
/// Display names of people, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Titles of rooms, in characters.
pub const TITLE_CHARS_MAX: usize = 128;
/// Topics of rooms, in characters.
pub const TOPIC_CHARS_MAX: usize = 1024;
/// The free text beside a presence status, in characters.
pub const STATUS_TEXT_CHARS_MAX: usize = 140;
/// Characters of a message that are shown where it is quoted.
pub const EXCERPT_CHARS_MAX: usize = 120;
