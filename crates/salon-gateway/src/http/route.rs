//! The paths, and what answers each.

use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::peer::Peer;
use super::respond::{self, Body};
use super::upgrade::{self, Handover};
use super::{Front, api, assets, cors, credentials, ops};

pub(super) async fn route(front: &Front, peer: Peer, handover: &Handover, request: Request<Incoming>) -> Response<Body> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let client = peer.client(&head.headers, &front.config.trusted_proxies);
    let mut response = match head.uri.path() {
        "/ws" if !body.is_end_stream() => respond::text(http::StatusCode::BAD_REQUEST, "A handshake has no body.\n"),
        "/ws" => upgrade::answer(front, client, &head, handover).await,
        "/healthz" => ops::healthz(&head),
        "/readyz" => ops::readyz(front, &head).await,
        "/metrics" => ops::service_metrics(front, peer, &head),
        "/ws-metrics" => ops::gateway_metrics(front, peer, &head),
        path if path == "/api" || path.starts_with("/api/") => match cors::preflight(front, &head) {
            Some(answer) => answer,
            None => {
                let mut answer = api::forward(front, client, &head, body).await;
                cors::allow(front, &head.headers, answer.headers_mut());
                answer
            }
        },
        _ => assets::answer(front, &head),
    };
    respond::secure(response.headers_mut());
    tracing::debug!(
        %client,
        method = %head.method,
        path = credentials::for_log(&head.uri),
        status = response.status().as_u16(),
        micros = began.elapsed().as_micros(),
        "request"
    );
    response
}
