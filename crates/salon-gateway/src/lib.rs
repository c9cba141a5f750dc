//! The gateway: WebSocket codec, dialects, sessions and the hub. It sees no database and no bus, only its link.
//!
//! Open `dialect/` and you know what languages the server speaks.

pub mod http;
pub mod socket;
pub mod ws;
