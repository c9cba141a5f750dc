//! What can be configured about the gateway. The binary reads it; the defaults are here.

use std::time::Duration;

use salon_core::limits::Limits;

#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The same limits that `welcome` tells to clients.
    pub limits: Limits,
    /// The pace of pings; two of them without a sign of life end a connection (PROTOCOL §2).
    pub heartbeat: Duration,
    /// A socket without credentials has this long to say `hello`.
    pub hello_timeout: Duration,
    /// The service has this long to open a session, answer a command or a request.
    pub reply_timeout: Duration,
    /// A foreign token that was not renewed lives this much longer than it says.
    pub expiry_grace: Duration,
    /// A client that takes nothing for this long loses its connection.
    pub write_stall: Duration,
    /// After a close frame the peer has this long to answer it.
    pub close_wait: Duration,
    /// Clients of a draining gateway come back within this time, each at a moment of its own.
    pub reconnect_spread: Duration,
    /// A busy room is flushed at this pace; a quiet one at once.
    pub flush_tick: Duration,
    /// Encoded frames that are kept for those who are behind, over all rooms, in bytes.
    pub window_bytes_total_max: usize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            heartbeat: Duration::from_secs(25),
            hello_timeout: Duration::from_secs(5),
            reply_timeout: Duration::from_secs(10),
            expiry_grace: Duration::from_secs(25),
            write_stall: Duration::from_secs(120),
            close_wait: Duration::from_secs(2),
            reconnect_spread: Duration::from_secs(3),
            flush_tick: Duration::from_millis(2),
            window_bytes_total_max: 64 * 1024 * 1024,
        }
    }
}
