//! `grpc.health.v1`: the same question as `/readyz`, for load balancers that speak gRPC.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::Service;

/// How often it is asked whether the service can do its work, in milliseconds.
const ASK_EVERY_MS: u64 = 2_000;
/// The services that are spoken for; the empty name is the server as a whole.
const NAMES: [&str; 2] = ["", "salon.v1.ChatService"];

/// Keeps the answer true until the stop.
pub(super) async fn watch(reporter: HealthReporter, service: Arc<Service>, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_millis(ASK_EVERY_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        let asked = async {
            ticks.tick().await;
            service.ready().await
        };
        let status = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            ready = asked => if ready.is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing },
        };
        if last.replace(status) != Some(status) {
            tell(&reporter, status).await;
        }
    }
    tell(&reporter, ServingStatus::NotServing).await;
}

async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    for name in NAMES {
        reporter.set_service_status(name, status).await;
    }
}
