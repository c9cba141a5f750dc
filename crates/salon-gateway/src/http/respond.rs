//! Responses, and the headers that all of them carry.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use salon_core::ErrorCode;
use salon_proto::v1;
use serde::Serialize;

pub(super) type Body = Full<Bytes>;

/// Seconds that a client is told to wait where nothing better is known.
const RETRY_AFTER_S: u64 = 2;

/// Everything comes from here, nothing from elsewhere, and no text becomes code. `'self'` in `connect-src` covers
/// `ws:` and `wss:` of the page's own host and port too (CSP Level 3 §6.7.2.8; Chromium, Firefox, Safari ≥ 15.4).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

/// What the UI itself may ask for is for itself alone; the rest is off.
const PERMISSIONS_POLICY: &str = "camera=(self), display-capture=(self), geolocation=(self), microphone=(self), \
     browsing-topics=(), hid=(), payment=(), serial=(), usb=()";

const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
];

/// Adds the security headers that a response does not set itself, and forbids caching where it says nothing of it.
pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

pub(super) fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    with_body(status, "text/plain; charset=utf-8", body)
}

pub(super) fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "There is nothing here.\n")
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method.\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// `unavailable`, for what can be asked again soon.
pub(super) fn unavailable(message: &str) -> Response<Body> {
    problem(&error(ErrorCode::Unavailable, message))
}

/// An error as the protocol prints it.
pub(super) fn error(code: ErrorCode, message: &str) -> v1::Error {
    v1::Error {
        code: code.as_str().to_owned(),
        message: message.to_owned(),
        field: None,
        retryable: code.retryable(),
        retry_after_ms: None,
    }
}

/// RFC 9457, with the members of the protocol's own errors beside the standard ones.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// An error of the protocol as problem+json, under the status that belongs to its code.
pub(super) fn problem(error: &v1::Error) -> Response<Body> {
    let code = ErrorCode::ALL.into_iter().find(|code| code.as_str() == error.code).unwrap_or(ErrorCode::Internal);
    let status = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    problem_with_status(status, error)
}

/// The same under another status, for what HTTP tells apart and the protocol does not.
pub(super) fn problem_with_status(status: StatusCode, error: &v1::Error) -> Response<Body> {
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: &error.message,
        code: &error.code,
        field: error.field.as_deref(),
        retryable: error.retryable,
        retry_after_ms: error.retry_after_ms,
    };
    // Strings and numbers cannot fail to be printed.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = with_body(status, "application/problem+json", body);
    if error.retryable {
        let seconds = error.retry_after_ms.map_or(RETRY_AFTER_S, |ms| ms.div_ceil(1000));
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
