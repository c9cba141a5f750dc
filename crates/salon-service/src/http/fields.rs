//! The body and the query of a request, field by field, so that a refusal can name the field.

use std::collections::BTreeMap;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use salon_core::limits::{LIST_MAX, PAGE_MESSAGES_DEFAULT};
use salon_core::{CommandError, ErrorCode};
use serde_json::{Map, Value};

use super::{BODY_BYTES_MAX, Problem};

/// The JSON object in the body; no body is an empty object. Unknown fields are ignored, `null` is absence.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn text(&mut self, name: &'static str) -> Result<String, CommandError> {
        self.optional_text(name)?.ok_or_else(|| CommandError::invalid(name, format!("{name} is missing")))
    }

    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, CommandError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(CommandError::invalid(name, format!("{name} has to be a string")))
            }
        }
    }

    pub(super) fn optional_count(&mut self, name: &'static str) -> Result<Option<u32>, CommandError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count) => Ok(Some(count)),
                None => Err(CommandError::invalid(name, format!("{name} has to be a whole number from 0"))),
            },
        }
    }

    pub(super) fn optional_flag(&mut self, name: &'static str) -> Result<Option<bool>, CommandError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(CommandError::invalid(name, format!("{name} has to be true or false")))
            }
        }
    }

    /// One of the words that `parse` knows.
    pub(super) fn optional_word<T>(
        &mut self,
        name: &'static str,
        words: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, CommandError> {
        let Some(text) = self.optional_text(name)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| CommandError::invalid(name, format!("{name} is one of {words}")))
    }

    fn parse(body: &Bytes) -> Result<Self, CommandError> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(CommandError::invalid("body", "the body has to be a JSON object"))
            }
            // Where it goes wrong, but not what is written there: it may be a password.
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                Err(CommandError::invalid("body", format!("the body is not JSON: line {line}, column {column}")))
            }
        }
    }
}

impl<S: Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let body =
            to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|error| unreadable(error.into_inner().as_ref()))?;
        if !is_json && !body.is_empty() {
            return Err(Problem::wrong_content_type());
        }
        Ok(Self::parse(&body)?)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> CommandError {
    if error.is::<LengthLimitError>() {
        CommandError::too_large("body", "a request has at most 1 MiB")
    } else {
        CommandError::new(ErrorCode::Invalid, "the body could not be read")
    }
}

/// The query of a request.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.0.remove(name)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, CommandError> {
        match self.0.remove(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(CommandError::invalid(name, format!("{name} has to be true or false"))),
        }
    }

    /// How many the asker wants at most.
    pub(super) fn limit(&mut self) -> Result<u32, CommandError> {
        let Some(text) = self.0.remove("limit") else { return Ok(PAGE_MESSAGES_DEFAULT) };
        match text.parse() {
            Ok(limit) if (1..=LIST_MAX).contains(&limit) => Ok(limit),
            Ok(_) | Err(_) => Err(CommandError::invalid("limit", format!("limit is 1 to {LIST_MAX}"))),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(_) => Err(CommandError::new(ErrorCode::Invalid, "the query could not be read").into()),
        }
    }
}
