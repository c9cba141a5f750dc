//! Who asks: a bearer token, or the session cookie.
//!
//! The gateway has checked Fetch Metadata and Origin before, and drops the cookie of a request that another site made.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use salon_core::{CommandError, ErrorCode};
use salon_proto::link::open_session::Credential;

use super::Problem;
use crate::auth::{Auth, Secret};
use crate::{Identity, Service};

/// The session cookie's name without TLS, where a browser would refuse the other one.
const SESSION_COOKIE: &str = "salon_session";
/// Its name with TLS: the prefix makes browsers see to it that no other host and no plain connection has set it
/// (RFC 6265bis §4.1.3.2).
const SESSION_COOKIE_SECURE: &str = "__Host-salon_session";

/// Somebody who has proved who they are.
pub(super) struct Caller(pub(super) Identity);

/// Somebody, or nobody: a wrong credential is none.
pub(super) struct AnyCaller(pub(super) Option<Identity>);

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let nobody = || CommandError::new(ErrorCode::Unauthenticated, "log in first");
        let credential = credential(&parts.headers, &service.auth).ok_or_else(nobody)?;
        Ok(Self(service.auth.open(&credential).await?))
    }
}

impl FromRequestParts<Arc<Service>> for AnyCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let Some(credential) = credential(&parts.headers, &service.auth) else { return Ok(Self(None)) };
        match service.auth.open(&credential).await {
            Ok(identity) => Ok(Self(Some(identity))),
            Err(error) if error.code == ErrorCode::Unauthenticated => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }
}

/// An Authorization header counts alone, even a wrong one: who sends a token means that token.
fn credential(headers: &HeaderMap, auth: &Auth) -> Option<Credential> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Credential::Token(token.trim().to_owned()));
    }
    let name = cookie_name(auth);
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| Credential::Cookie(value.to_owned()))
}

/// Sets the session cookie.
pub(super) fn set_cookie(auth: &Auth, secret: &Secret) -> Option<HeaderValue> {
    cookie(auth, secret.expose(), auth.login_life_s())
}

/// Takes the session cookie back.
pub(super) fn clear_cookie(auth: &Auth) -> Option<HeaderValue> {
    cookie(auth, "", 0)
}

fn cookie(auth: &Auth, value: &str, max_age_s: u64) -> Option<HeaderValue> {
    let name = cookie_name(auth);
    let secure = if auth.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn cookie_name(auth: &Auth) -> &'static str {
    if auth.is_https() { SESSION_COOKIE_SECURE } else { SESSION_COOKIE }
}
