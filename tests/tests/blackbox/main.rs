//! The whole product from outside: the real binary, real sockets, real files.
//!
//! Build the binary first: `cargo build -p salon`, or point `SALON_BIN` at one.
#![expect(clippy::panic, reason = "helpers of tests fail like tests")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one kind of event and does not care about the others")]

mod accounts;
mod changes;
mod conversation;
mod drain;
mod fences;
mod heartbeat;
mod history;
mod hostile;
mod idempotency;
mod kill_nine;
mod limits;
mod operation;
mod presence;
mod rooms;
mod slow_reader;
mod unread;
