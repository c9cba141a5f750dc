//! What a client tells its application.

use std::time::Duration;

use salon_proto::v1;

use crate::StopReason;

/// Something happened. Entries of a room come in order, each once; a hole between them is always announced.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Connection(ConnectionState),
    /// The server listens on our behalf: entries of this room follow. After a reconnection `resumed` is set.
    Joined {
        ack: v1::JoinAck,
        resumed: bool,
    },
    /// After a reconnection the room could not be joined again; it is left.
    Lost {
        room: String,
        error: v1::Error,
    },
    /// Entries of this room are missing from the stream of events; history has what may still be seen.
    Gap {
        room: String,
        missing: Missing,
    },
    /// A durable entry.
    Entry(Box<v1::Entry>),
    CaughtUp(v1::CaughtUp),
    Presence(v1::Presence),
    Typing(v1::Typing),
    Read(v1::ReadMark),
    Signal(v1::Signal),
    Location(v1::Location),
    Activity(v1::Activity),
    /// An error that answers no waiting command.
    Error(v1::Error),
}

/// What is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// The server could not continue behind `since` and begins anew.
    Behind { since: v1::Position },
    /// The log itself began anew; `had` is where the old one was left.
    Epoch { had: v1::Position },
    /// Entries `first..=last` did not come although they should have.
    Hole { first: u64, last: u64 },
}

/// Where the connection is.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionState {
    Connecting,
    /// The server said welcome; joined rooms are being resumed.
    Open(Box<v1::Welcome>),
    /// Lost, or not made; the next attempt follows.
    Waiting {
        code: Option<u16>,
        reason: String,
        retry_in: Duration,
    },
    /// The end: there will be no further event.
    Stopped(StopReason),
}
