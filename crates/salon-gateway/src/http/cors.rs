//! Cross-origin requests to `/api` (Fetch standard, §3.2): pages of the configured origins may use it, with tokens.
//! Credentials mode stays off, so that the session cookie is for the built-in page only.

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::Front;
use super::origin::{self, Verdict};
use super::respond::{self, Body};

/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_MAX_AGE_S: &str = "600";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "authorization, content-type, idempotency-key";
/// What a page may read of an answer beyond the basics.
const EXPOSED: &str = "retry-after";

/// The answer to a preflight of an allowed page; `None` where the request is none.
pub(super) fn preflight(front: &Front, request: &Parts) -> Option<Response<Body>> {
    let asks = request.method == Method::OPTIONS && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || origin::judge(&request.headers, &front.config.origins) != Verdict::Allowed {
        return None;
    }
    let mut response = respond::text(StatusCode::NO_CONTENT, "");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE_S));
    allow(front, &request.headers, headers);
    Some(response)
}

/// Lets an allowed page read the answer. Caches must not give it to another page.
pub(super) fn allow(front: &Front, request: &HeaderMap, answer: &mut HeaderMap) {
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    if origin::judge(request, &front.config.origins) != Verdict::Allowed {
        return;
    }
    if let Some(origin) = request.get(header::ORIGIN) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}
