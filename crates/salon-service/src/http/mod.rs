//! REST under `/api/v1` (PROTOCOL §4), as a router that a gateway or the service's own listener calls.

use std::sync::Arc;

use crate::Service;

/// The client's address, as the gateway saw it.
#[derive(Debug, Clone)]
pub struct Peer(pub String);

pub fn router(_service: Arc<Service>) -> axum::Router {
    axum::Router::new()
}
