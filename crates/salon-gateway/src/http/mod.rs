//! The gateway's HTTP side: the WebSocket handshake, `/api` on its way to the service, the web UI, health and metrics.

mod sessions;

pub use sessions::{CallFuture, OpenFuture, Opened, Sessions, Start};
