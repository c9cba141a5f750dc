//! Failures as problem details (RFC 9457), with the codes of the protocol.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use salon_core::{CommandError, ErrorCode};
use serde_json::json;

/// A failed request.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: CommandError,
}

impl Problem {
    pub(super) fn no_such_route() -> Self {
        CommandError::new(ErrorCode::NotFound, "there is nothing at this address").into()
    }

    pub(super) fn wrong_method() -> Self {
        let error = CommandError::new(ErrorCode::Invalid, "this address does not take that method; Allow says which");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, error }
    }

    pub(super) fn wrong_content_type() -> Self {
        let error = CommandError::new(ErrorCode::Invalid, "the body has to be application/json");
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, error }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, error }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, error } = self;
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": error.message,
            "code": error.code.as_str(),
            "retryable": error.code.retryable(),
        });
        if let Some(field) = error.field {
            body["field"] = field.into();
        }
        if let Some(retry_after_ms) = error.retry_after_ms {
            body["retry_after_ms"] = retry_after_ms.into();
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(retry_after_ms) = error.retry_after_ms {
            // RFC 9110 §10.2.3: whole seconds.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"salon\""));
        }
        response
    }
}
