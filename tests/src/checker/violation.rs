//! What can be broken.

use super::trace::Device;

/// A broken guarantee, with where it shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("{device}: message {client_id:?} was acked at {room}/{seq} and is not there")]
    LostAck { device: Device, room: String, seq: u64, client_id: String },
    #[error("{device}: command {command} was acked at {room}/{seq}, where {found}")]
    AckMismatch { device: Device, command: i64, room: String, seq: u64, found: String },
    #[error("{device}: command {command} was acked at {room}/{first}, and at {second} when it was repeated")]
    AckMoved { device: Device, command: i64, room: String, first: u64, second: u64 },
    #[error("{device}#{connection}: {room} went on at {got} instead of {expected}")]
    Hole { device: Device, connection: u64, room: String, expected: u64, got: u64 },
    #[error("{device}#{connection}: {room}/{seq} came again")]
    Repeated { device: Device, connection: u64, room: String, seq: u64 },
    #[error("{device}#{connection}: {room}/{seq} came after {after}")]
    Disordered { device: Device, connection: u64, room: String, seq: u64, after: u64 },
    #[error("{device}#{connection}: {room}/{seq} is not what the log has there: {what}")]
    Disagreement { device: Device, connection: u64, room: String, seq: u64, what: String },
    #[error("{room}: command {earlier} was acked before command {later} was sent, and stands behind it")]
    Overtaken { room: String, earlier: String, later: String },
    #[error("{room}: message {client_id:?} is there at {first} and at {second}")]
    Doubled { room: String, client_id: String, first: u64, second: u64 },
    #[error("{room}/{seq}: nobody sent this: {what}")]
    Invented { room: String, seq: u64, what: String },
    #[error("{room}/{seq}: message {client_id:?} was sent to {intended}")]
    WrongRoom { room: String, seq: u64, client_id: String, intended: String },
    #[error("{room}: the log itself has no entry {seq}")]
    LogHole { room: String, seq: u64 },
    #[error("{room}/{seq}: earlier than the entry before it")]
    TimeWentBack { room: String, seq: u64 },
    #[error("{device}#{connection}: gap in {room} although {since} can be continued up to {head}")]
    NeedlessGap { device: Device, connection: u64, room: String, since: u64, head: u64 },
    #[error("{device}#{connection}: caught_up of {room} at {at} is wrong: {why}")]
    CaughtUp { device: Device, connection: u64, room: String, at: u64, why: &'static str },
    #[error("{device}#{connection}: at rest {room} stands at {at} of {head}")]
    NotDrained { device: Device, connection: u64, room: String, at: u64, head: u64 },
    #[error("{device}#{connection}: was sent {room}/{seq}: {why}")]
    Outsider { device: Device, connection: u64, room: String, seq: u64, why: &'static str },
    #[error("{room}/{seq}: written by {user}, who was no member")]
    Intruder { room: String, seq: u64, user: String },
    #[error("{room}: message {id} shows {shown:?}, its last change says {expected:?}")]
    StaleEdit { room: String, id: String, shown: Option<String>, expected: Option<String> },
    #[error("{room}: history and log differ at {seq}: {what}")]
    HistoryMismatch { room: String, seq: u64, what: &'static str },
    #[error("{device}: the application was told {room}/{got} after {had} and of no gap")]
    ClientHole { device: Device, room: String, had: u64, got: u64 },
}

/// Why a `caught_up` is wrong that simply has not come.
pub(super) const NEVER_CAME: &str = "it never came";

impl Violation {
    /// True where only patience is missing: what has not arrived yet may still arrive.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotDrained { .. } | Self::CaughtUp { why: NEVER_CAME, .. })
    }
}
