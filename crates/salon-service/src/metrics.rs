//! What an operator sees of the service.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::Service;

type Labels = [(&'static str, &'static str); 2];

pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) sessions: Gauge,
    pub(crate) holes_read: Counter,
    pub(crate) revocations: Counter,
    commands: Family<Labels, Counter>,
    append_s: Histogram,
    entries: Counter,
    logs: Gauge,
    links: Gauge,
    holding: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // 0.1 ms to 6.5 s.
        let append_s = Histogram::new(exponential_buckets(0.0001, 2.0, 17));
        let mut metrics = Self {
            registry: Registry::with_prefix("salon"),
            sessions: Gauge::default(),
            holes_read: Counter::default(),
            revocations: Counter::default(),
            commands: Family::default(),
            append_s,
            entries: Counter::default(),
            logs: Gauge::default(),
            links: Gauge::default(),
            holding: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("sessions", "Open sessions", metrics.sessions.clone());
        registry.register("links", "Connected gateways", metrics.links.clone());
        registry.register("live_logs", "Logs that are followed", metrics.logs.clone());
        registry.register("commands", "Commands by name and outcome", metrics.commands.clone());
        registry.register("append_seconds", "From the decision to the durable entry", metrics.append_s.clone());
        registry.register("entries_delivered", "Entries given to the gateways", metrics.entries.clone());
        registry.register("holes_read", "Missing entries read from the store", metrics.holes_read.clone());
        registry.register("sessions_revoked", "Sessions closed because their login ended", metrics.revocations.clone());
        registry.register("deliveries_held", "1 while the store does not answer", metrics.holding.clone());
        metrics
    }

    /// A command was answered: `ok`, or a code.
    pub(crate) fn command(&self, name: &'static str, outcome: &'static str) {
        self.commands.get_or_create(&[("command", name), ("outcome", outcome)]).inc();
    }

    pub(crate) fn appended(&self, took: Duration) {
        self.append_s.observe(took.as_secs_f64());
    }

    pub(crate) fn delivered(&self, entries: usize) {
        self.entries.inc_by(entries as u64);
    }
}

impl Service {
    /// Everything in the text format of OpenMetrics.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.logs.set(number(self.logs.len()));
        self.metrics.links.set(number(self.links.lock().len()));
        self.metrics.holding.set(i64::from(self.revoked.holding()));
        let mut text = String::new();
        match encode(&mut text, &self.metrics.registry) {
            Ok(()) => text,
            // Writing to a string does not fail.
            Err(std::fmt::Error) => String::new(),
        }
    }
}
