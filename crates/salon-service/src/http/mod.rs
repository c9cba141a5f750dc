//! REST under `/api/v1` (PROTOCOL §4), as a router that a gateway or the service's own listener calls.
//!
//! Every handler authorises through [`Identity`](crate::Identity); what needs none says so by not asking for a
//! `Caller`. Failures are problem details (RFC 9457).

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::Service;

mod accounts;
mod caller;
mod fields;
mod invites;
mod path;
mod people;
mod problem;
mod rooms;
#[cfg(test)]
mod tests;

use problem::Problem;

/// Largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The client's address: an extension of the request, put there by whoever calls the router.
#[derive(Debug, Clone)]
pub struct Peer(pub String);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self("unknown".to_owned())))
    }
}

/// What a handler returns.
type Answer = Result<Response, Problem>;

/// Everything below `/api/v1`.
pub fn router(service: Arc<Service>) -> Router {
    let v1 = accounts::routes().merge(people::routes()).merge(invites::routes()).merge(rooms::routes());
    Router::new()
        .nest("/api/v1", v1)
        .fallback(async || Problem::no_such_route())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(axum::middleware::map_response(private))
        .with_state(service)
}

/// Answers are for the asker alone, and are what they say they are.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
