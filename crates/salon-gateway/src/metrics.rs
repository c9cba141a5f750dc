//! What an operator can see of a gateway.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::connection::Census;
use crate::hub::Lag;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CodeLabel {
    code: String,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    sessions: Family<StateLabel, Gauge>,
    closes: Family<CodeLabel, Counter>,
    errors: Family<CodeLabel, Counter>,
    pub(crate) connections: Counter,
    pub(crate) messages_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) replies_out: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) rooms: Gauge,
    pub(crate) members: Gauge,
    members_behind: Gauge,
    cursor_lag: Gauge,
    pub(crate) window_bytes: Gauge,
    pub(crate) entries_printed: Counter,
    pub(crate) entries_lost: Counter,
    pub(crate) blocks_read: Counter,
    pub(crate) block_hits: Counter,
    pub(crate) ephemeral_dropped: Counter,
    pub(crate) late_replies: Counter,
    flush_bytes: Histogram,
    delivery: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("salon_gateway"),
            sessions: Family::default(),
            closes: Family::default(),
            errors: Family::default(),
            connections: Counter::default(),
            messages_in: Counter::default(),
            bytes_in: Counter::default(),
            replies_out: Counter::default(),
            frames_out: Counter::default(),
            bytes_out: Counter::default(),
            rooms: Gauge::default(),
            members: Gauge::default(),
            members_behind: Gauge::default(),
            cursor_lag: Gauge::default(),
            window_bytes: Gauge::default(),
            entries_printed: Counter::default(),
            entries_lost: Counter::default(),
            blocks_read: Counter::default(),
            block_hits: Counter::default(),
            ephemeral_dropped: Counter::default(),
            late_replies: Counter::default(),
            flush_bytes: Histogram::new(exponential_buckets(64.0, 4.0, 9)),
            delivery: Histogram::new(exponential_buckets(0.000_1, 2.0, 18)),
        };
        metrics.register_connections();
        metrics.register_hub();
        metrics
    }
}

impl Metrics {
    fn register_connections(&mut self) {
        let registry = &mut self.registry;
        registry.register("sessions", "Connections by the state of their session", self.sessions.clone());
        registry.register("connections", "Sockets taken over", self.connections.clone());
        registry.register("messages_in", "Messages received from clients", self.messages_in.clone());
        registry.register("bytes_in", "Bytes received from clients", self.bytes_in.clone());
        registry.register("replies_out", "Frames sent to one client: replies, pings, notices", self.replies_out.clone());
        registry.register("frames_out", "Frames of entries and room events sent, once per receiver", self.frames_out.clone());
        registry.register("bytes_out", "Bytes written to sockets", self.bytes_out.clone());
        registry.register("closes", "Connections ended, by close code", self.closes.clone());
        registry.register("errors", "Errors told to clients, by code", self.errors.clone());
        registry.register("late_replies", "Replies that came after their time", self.late_replies.clone());
    }

    fn register_hub(&mut self) {
        let registry = &mut self.registry;
        registry.register("rooms", "Logs that somebody listens to", self.rooms.clone());
        registry.register("members", "Connections attached to logs", self.members.clone());
        registry.register("members_behind", "Attached connections that are behind their log's head", self.members_behind.clone());
        registry.register("cursor_lag_max", "Entries that the slowest connection is behind", self.cursor_lag.clone());
        registry.register("window_bytes", "Encoded frames kept in windows and blocks", self.window_bytes.clone());
        registry.register("entries_printed", "Entries printed, once per encoding", self.entries_printed.clone());
        registry.register("entries_lost", "Entries that the link skipped", self.entries_lost.clone());
        registry.register("blocks_read", "Blocks asked of the service", self.blocks_read.clone());
        registry.register("block_hits", "Writes served from a cached block", self.block_hits.clone());
        registry.register("ephemeral_dropped", "Ephemeral events that somebody did not get", self.ephemeral_dropped.clone());
        registry.register(
            "flush_bytes",
            "Bytes of a piece that is offered to one member or to many alike",
            self.flush_bytes.clone(),
        );
        let help = "From an entry's arrival until the flush of its room has reached every member, one observation per flush";
        registry.register("delivery_seconds", help, self.delivery.clone());
    }

    /// Everything, as Prometheus text.
    pub(crate) fn text(&self, census: Census) -> String {
        for (state, sessions) in census.by_state() {
            self.sessions.get_or_create(&StateLabel { state }).set(sessions);
        }
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn closed(&self, code: &str) {
        self.closes.get_or_create(&CodeLabel { code: code.to_owned() }).inc();
    }

    /// `code` is one of the protocol's error codes.
    pub(crate) fn refused(&self, code: &str) {
        self.errors.get_or_create(&CodeLabel { code: code.to_owned() }).inc();
    }

    pub(crate) fn flushed(&self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a flush is far below 2^52 bytes")]
        self.flush_bytes.observe(bytes as f64);
    }

    pub(crate) fn delivered(&self, took: Duration) {
        self.delivery.observe(took.as_secs_f64());
    }

    pub(crate) fn lag(&self, lag: Lag) {
        self.members_behind.set(gauge(lag.members_behind));
        self.cursor_lag.set(i64::try_from(lag.entries_max).unwrap_or(i64::MAX));
    }
}

/// A count as a gauge takes it.
pub(crate) fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
