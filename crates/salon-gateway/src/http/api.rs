//! `/api`: carried to the service as it came, within bounds.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use salon_core::ErrorCode;
use salon_proto::link::frames::{ApiRequest, ApiResponse, Header};
use tokio::time::timeout;

use super::respond::{self, Body};
use super::{Front, credentials, handshake, origin};

/// Headers that are between two neighbours only (RFC 9110 §7.6.1), and what a client says about its own address: the
/// request carries that as the gateway knows it.
const NOT_CARRIED: [HeaderName; 14] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::FORWARDED,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

pub(super) async fn forward(front: &Front, client: IpAddr, head: &Parts, body: Incoming) -> Response<Body> {
    let Ok(_permit) = front.api_calls.try_acquire() else {
        return respond::unavailable("too many requests at a time: try again");
    };
    let body = match read_body(front, body).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let request = ApiRequest {
        request: 0,
        method: head.method.to_string(),
        target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: carried(front, head),
        body,
        peer: client.to_string(),
    };
    match timeout(front.config.limits.api_timeout, front.sessions.call(request)).await {
        Ok(Ok(response)) => into_http(response),
        Ok(Err(error)) => respond::problem(&error),
        Err(_elapsed) => respond::unavailable("the service does not answer: the outcome is unknown, ask again"),
    }
}

async fn read_body(front: &Front, body: Incoming) -> Result<Bytes, Box<Response<Body>>> {
    let limits = &front.config.limits;
    let too_large =
        || Box::new(respond::problem(&respond::error(ErrorCode::TooLarge, "the body is larger than this server takes")));
    if usize::try_from(body.size_hint().lower()).is_ok_and(|bytes| bytes > limits.api_body_bytes_max) {
        return Err(too_large());
    }
    match timeout(limits.api_body_timeout, Limited::new(body, limits.api_body_bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => {
            Err(Box::new(respond::problem(&respond::error(ErrorCode::Invalid, "the body did not arrive as it was announced"))))
        }
        Err(_elapsed) => Err(Box::new(respond::problem_with_status(
            StatusCode::REQUEST_TIMEOUT,
            &respond::error(ErrorCode::Unavailable, "the body took too long to arrive"),
        ))),
    }
}

/// The headers that the service gets to see.
fn carried(front: &Front, head: &Parts) -> Vec<Header> {
    let origin = origin::judge(&head.headers, &front.config.origins);
    let cookies_count = credentials::cookies_count(&head.method, &head.headers, origin);
    let mut headers = Vec::new();
    for (name, value) in &head.headers {
        if (name != header::COOKIE || cookies_count) && !is_between_neighbours(name, &head.headers) {
            headers.push(Header { name: name.as_str().to_owned(), value: Bytes::copy_from_slice(value.as_bytes()) });
        }
    }
    headers
}

fn is_between_neighbours(name: &HeaderName, headers: &HeaderMap) -> bool {
    NOT_CARRIED.contains(name)
        || handshake::tokens(headers, header::CONNECTION).any(|named| named.eq_ignore_ascii_case(name.as_str()))
}

fn into_http(answer: ApiResponse) -> Response<Body> {
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let Some(status) = status.filter(|status| !status.is_informational()) else {
        tracing::error!(status = answer.status, "the service answered with a status that is none");
        return respond::problem(&respond::error(ErrorCode::Internal, "the service gave a malformed answer"));
    };
    let mut response = Response::new(Body::new(answer.body));
    *response.status_mut() = status;
    for header in answer.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(header.name), HeaderValue::from_maybe_shared(header.value)) else {
            tracing::error!("the service answered with a malformed header, which is left out");
            continue;
        };
        if !NOT_CARRIED.contains(&name) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
