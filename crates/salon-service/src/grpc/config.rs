//! What can be configured about the gRPC door. The binary reads it; the defaults are here.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct GrpcConfig {
    /// Web pages that may call over gRPC-Web, `https://chat.example.org` each. A program without an Origin is not meant.
    pub origins: Vec<String>,
    /// Connections at a time.
    pub connections_max: usize,
    /// The same from one address. Not for loopback, which speaks for many.
    pub connections_per_peer_max: usize,
    /// Calls that one connection may have open at a time.
    pub calls_per_connection_max: u32,
    /// `JoinChat`, `Chat` and `WatchPresence` that are open at a time, over all connections.
    pub sessions_max: usize,
    /// From the accepted connection to its first whole HTTP/2 preface or HTTP/1 request head.
    pub handshake_timeout: Duration,
    /// How often a silent connection is pinged.
    pub keep_alive_every: Duration,
    /// A connection whose answer to a ping takes longer is closed.
    pub keep_alive_timeout: Duration,
    /// A connection without a call for this long is closed. Clients open another one by themselves.
    pub idle_timeout: Duration,
    /// A connection is closed when the client of one of its calls takes nothing for this long, though something is there.
    pub stall_timeout: Duration,
    /// What a call may take before it answers or begins to stream, if the client sets no shorter deadline.
    pub call_timeout: Duration,
    /// What a stop may take.
    pub drain_timeout: Duration,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            connections_max: 10_000,
            connections_per_peer_max: 1_000,
            calls_per_connection_max: 100,
            sessions_max: 50_000,
            handshake_timeout: Duration::from_secs(10),
            keep_alive_every: Duration::from_secs(25),
            keep_alive_timeout: Duration::from_secs(25),
            idle_timeout: Duration::from_mins(10),
            stall_timeout: Duration::from_secs(120),
            call_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
