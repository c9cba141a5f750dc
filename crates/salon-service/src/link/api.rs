//! Requests to `/api`, carried over the link and answered by the same router as on the service's own listener.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use salon_proto::link::frames::{ApiRequest, ApiResponse, Header};
use tower::ServiceExt;

use crate::http::{BODY_BYTES_MAX, Peer};

pub(super) async fn call(router: axum::Router, request: ApiRequest) -> ApiResponse {
    let number = request.request;
    let refused = |status| ApiResponse { request: number, status, headers: Vec::new(), body: Bytes::new() };
    if request.body.len() > BODY_BYTES_MAX {
        return refused(413);
    }
    let Some(request) = to_http(request) else { return refused(400) };
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else { return refused(500) };
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| Header {
        name: name.as_str().to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    ApiResponse {
        request: number,
        status: u32::from(head.status.as_u16()),
        headers: head.headers.iter().map(header).collect(),
        body: body.to_bytes(),
    }
}

/// `None` where it is no HTTP request: a gateway that has parsed one does not send that.
fn to_http(request: ApiRequest) -> Option<http::Request<Body>> {
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(request.target);
    for header in &request.headers {
        builder = builder.header(header.name.as_str(), header.value.as_ref());
    }
    builder.extension(Peer(request.peer)).body(Body::from(request.body)).ok()
}
