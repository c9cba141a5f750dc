//! For operators: health and metrics.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use super::peer::Peer;
use super::respond::{self, Body};
use super::{Front, credentials};

/// The format that Prometheus and OpenMetrics readers expect.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Time for all the checks of `/readyz` together.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// One condition of being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `store`, `link`, `bus`.
    pub name: &'static str,
    /// What is wrong, for the log.
    pub problem: Option<String>,
}

/// The checks, made now.
pub type ReadyFuture<'a> = Pin<Box<dyn Future<Output = Vec<Check>> + Send + 'a>>;

/// What operators may know of the rest of the process.
pub trait Ops: Debug + Send + Sync + 'static {
    /// The metrics of the service as Prometheus text; `None` where no service runs in this process.
    fn service_metrics(&self) -> Option<String>;

    fn ready(&self) -> ReadyFuture<'_>;
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    checks: BTreeMap<&'static str, &'static str>,
}

/// `/healthz`: the process lives.
pub(super) fn healthz(request: &Parts) -> Response<Body> {
    if is_read(request) { respond::text(StatusCode::OK, "ok\n") } else { respond::method_not_allowed("GET, HEAD") }
}

/// `/readyz`: it can serve. The reasons why not are for the log, not for strangers.
pub(super) async fn readyz(front: &Front, request: &Parts) -> Response<Body> {
    if !is_read(request) {
        return respond::method_not_allowed("GET, HEAD");
    }
    let mut checks = match timeout(READY_TIMEOUT, front.ops.ready()).await {
        Ok(checks) => checks,
        Err(_elapsed) => vec![Check { name: "checks", problem: Some("they take too long".to_owned()) }],
    };
    let draining = front.sessions.draining().then(|| "draining".to_owned());
    checks.push(Check { name: "gateway", problem: draining });
    for check in &checks {
        if let Some(problem) = &check.problem {
            tracing::warn!(check = check.name, problem, "not ready");
        }
    }
    let ready = checks.iter().all(|check| check.problem.is_none());
    let said = |check: &Check| if check.problem.is_none() { "ok" } else { "failing" };
    let readiness = Readiness { ready, checks: checks.iter().map(|check| (check.name, said(check))).collect() };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Strings cannot fail to be printed.
    respond::with_body(status, "application/json", serde_json::to_vec(&readiness).unwrap_or_default())
}

/// `/metrics`: the service's, where one runs in this process.
pub(super) fn service_metrics(front: &Front, peer: Peer, request: &Parts) -> Response<Body> {
    metrics(front, peer, request, || front.ops.service_metrics())
}

/// `/ws-metrics`: the gateway's.
pub(super) fn gateway_metrics(front: &Front, peer: Peer, request: &Parts) -> Response<Body> {
    metrics(front, peer, request, || Some(front.sessions.metrics_text()))
}

fn metrics(front: &Front, peer: Peer, request: &Parts, text: impl FnOnce() -> Option<String>) -> Response<Body> {
    if !peer.is_local(&request.headers) && !has_metrics_token(front, &request.headers) {
        // To others there are no metrics.
        return respond::not_found();
    }
    if !is_read(request) {
        return respond::method_not_allowed("GET, HEAD");
    }
    text().map_or_else(respond::not_found, |text| respond::with_body(StatusCode::OK, METRICS_TYPE, text))
}

fn has_metrics_token(front: &Front, headers: &HeaderMap) -> bool {
    let (Some(expected), Some(given)) = (&front.config.metrics_token, credentials::bearer(headers)) else { return false };
    !expected.0.is_empty() && verify_slices_are_equal(expected.0.as_bytes(), given.as_bytes()).is_ok()
}

fn is_read(request: &Parts) -> bool {
    request.method == Method::GET || request.method == Method::HEAD
}
