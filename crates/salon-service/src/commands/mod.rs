//! What the server can do: one file per command. Every transport ends up here, so that one set of rules holds.
//!
//! Each function takes who acts and the command as it came (a type of `salon_proto::v1`, or plain arguments where only
//! REST has it), checks it, asks the rule table, and appends.

mod rooms;

pub use rooms::CreateRoom;
