//! What can be configured about the HTTP side. The binary reads it; the defaults are here.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::origin::Origin;

#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// Web pages that may connect and use the session cookie (PROTOCOL §2).
    pub origins: Vec<Origin>,
    /// `?token=` on `/ws`: convenient, but URLs end up in other people's logs.
    pub token_in_url: bool,
    /// Opens the metrics to who is not on this machine.
    pub metrics_token: Option<MetricsToken>,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    pub limits: HttpLimits,
}

/// What one installation accepts over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at a time, WebSockets included. Below the limit of open files, lest a flood starve the store.
    pub connections_max: usize,
    /// The same from one address (IPv6: one /64). An office behind one address has to fit. Not for loopback and
    /// trusted proxies, which speak for many.
    pub connections_per_peer_max: usize,
    /// Request line and headers, in bytes.
    pub head_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// From the first moment of waiting for a request to the end of its headers. It also ends idle connections.
    pub header_read_timeout: Duration,
    /// An HTTP connection is used no longer than this, so that nobody occupies one by reading slowly. WebSockets are not meant.
    pub connection_life_max: Duration,
    /// The body of a request to `/api`, in bytes.
    pub api_body_bytes_max: usize,
    /// From the end of the headers to the end of the body.
    pub api_body_timeout: Duration,
    /// The service's time to answer.
    pub api_timeout: Duration,
    /// Requests to `/api` at a time; with [`Self::api_body_bytes_max`] it bounds the memory for bodies.
    pub api_calls_in_flight_max: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_peer_max: 1_000,
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            header_read_timeout: Duration::from_secs(10),
            connection_life_max: Duration::from_mins(10),
            api_body_bytes_max: 1024 * 1024,
            api_body_timeout: Duration::from_secs(20),
            api_timeout: Duration::from_secs(10),
            api_calls_in_flight_max: 256,
        }
    }
}

/// A secret that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MetricsToken(pub String);

impl fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsToken(redacted)")
    }
}
