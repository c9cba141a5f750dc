//! The gateway: WebSocket codec, dialects, sessions and the hub. It sees no database and no bus, only its link.
//!
//! Open `dialect/` and you know what languages the server speaks.

mod config;
mod connection;
mod dialect;
mod gateway;
pub mod http;
mod hub;
mod inbox;
mod link;
mod metrics;
mod moment;
mod registry;
mod session;
mod shared;
pub mod socket;
#[cfg(test)]
mod testing;
mod wheel;
pub mod ws;

pub use config::GatewayConfig;
pub use gateway::Gateway;
