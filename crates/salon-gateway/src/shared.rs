//! What the tasks of a gateway share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use salon_core::ports::{Clock, Randomness};
use salon_proto::link::frames::ApiResponse;
use salon_proto::link::gateway_frame;
use tokio::sync::{mpsc, oneshot};

use crate::config::GatewayConfig;
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::moment::{Moment, Timeline};
use crate::registry::Registry;
use crate::session::Context;
use crate::wheel::Wheel;

pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) timeline: Timeline,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Randomness>,
    pub(crate) registry: Registry,
    pub(crate) wheel: Wheel,
    pub(crate) inbox: Inbox,
    pub(crate) calls: Calls,
    pub(crate) to_service: mpsc::Sender<gateway_frame::Frame>,
    /// No new sessions: the gateway is about to stop, or has lost its service.
    draining: AtomicBool,
    /// The service is gone.
    lost: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        config: GatewayConfig,
        to_service: mpsc::Sender<gateway_frame::Frame>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Randomness>,
        timeline: Timeline,
    ) -> Self {
        Self {
            config,
            metrics: Arc::default(),
            timeline,
            clock,
            rng,
            registry: Registry::default(),
            wheel: Wheel::default(),
            inbox: Inbox::default(),
            calls: Calls::default(),
            to_service,
            draining: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        }
    }

    pub(crate) fn context(&self, now: Moment) -> Context<'_> {
        Context { config: &self.config, metrics: &self.metrics, now, wall: self.clock.now() }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(crate) fn stop_accepting(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub(crate) fn lose(&self) {
        self.stop_accepting();
        self.lost.store(true, Ordering::Release);
    }

    /// A wait for a client to come back after, so that not all of them come at once.
    pub(crate) fn reconnect_after_ms(&self) -> u64 {
        let spread_ms = u64::try_from(self.config.reconnect_spread.as_millis()).unwrap_or(u64::MAX);
        self.rng.next_u64() % spread_ms.max(1)
    }
}

/// Requests to `/api` that the service has not answered yet. Bounded by the HTTP side: each belongs to one request.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: u64,
    calls: BTreeMap<u64, oneshot::Sender<ApiResponse>>,
}

impl Calls {
    /// A number for a request, and where its response will arrive.
    pub(crate) fn begin(&self) -> (u64, oneshot::Receiver<ApiResponse>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        waiting.requests += 1;
        let request = waiting.requests;
        waiting.calls.insert(request, answer);
        (request, answered)
    }

    pub(crate) fn answer(&self, response: ApiResponse) {
        let waiting = self.waiting.lock().calls.remove(&response.request);
        if let Some(waiting) = waiting {
            // The asker may have left.
            let _ = waiting.send(response);
        }
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(&self, request: u64) {
        self.waiting.lock().calls.remove(&request);
    }
}
