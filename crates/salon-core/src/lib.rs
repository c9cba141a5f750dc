//! Salon's domain, pure.
//!
//! > A room is a log; a connection is a cursor.
//!
//! Everything here is synchronous and free of side effects: no runtime, no serialisation format, no clock, no sockets.
//! Time and randomness are arguments. What the domain needs from the world is written down as traits in [`ports`];
//! the crates `salon-store` and `salon-bus` implement them.

pub mod entry;
pub mod error;
pub mod ids;
pub mod limits;
pub mod mention;
pub mod ports;
pub mod presence;
pub mod rate;
pub mod room;
pub mod rules;
pub mod time;

pub use entry::{Entry, EntryBody, MemberChange, Message, RoomChange};
pub use error::{CommandError, ErrorCode};
pub use ids::{ClientId, Epoch, InvalidId, LoginId, MessageId, RoomId, Seq, UserId};
pub use room::{AccessVersion, HistoryPolicy, Member, Role, Room, RoomKind, Standing};
pub use time::Timestamp;
