//! How a command fails: the codes of PROTOCOL §3.

use crate::ids::InvalidId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    Unauthenticated,
    Forbidden,
    NotFound,
    Invalid,
    TooLarge,
    RateLimited,
    Conflict,
    UnknownEvent,
    Unavailable,
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of PROTOCOL §3.
    pub const ALL: [Self; 10] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Invalid,
        Self::TooLarge,
        Self::RateLimited,
        Self::Conflict,
        Self::UnknownEvent,
        Self::Unavailable,
        Self::Internal,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Conflict => "conflict",
            Self::UnknownEvent => "unknown_event",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// May the same command succeed later, unchanged?
    #[must_use]
    pub fn retryable(self) -> bool {
        match self {
            Self::RateLimited | Self::Unavailable => true,
            Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Invalid
            | Self::TooLarge
            | Self::Conflict
            | Self::UnknownEvent
            | Self::Internal => false,
        }
    }

    /// The HTTP status of the same failure (problem+json, RFC 9457).
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Invalid | Self::UnknownEvent => 400,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Conflict => 409,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// A refused command: a code for programs, a sentence that says what to do for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    pub code: ErrorCode,
    pub message: String,
    /// The field of the command that is wrong, where one is.
    pub field: Option<&'static str>,
    pub retry_after_ms: Option<u64>,
}

impl CommandError {
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, retry_after_ms: None }
    }

    #[must_use]
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(ErrorCode::Invalid, message) }
    }

    #[must_use]
    pub fn too_large(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(ErrorCode::TooLarge, message) }
    }

    /// The answer about a room that does not exist or that the asker may not see: the two must not differ.
    #[must_use]
    pub fn no_such_room() -> Self {
        Self { field: Some("room"), ..Self::new(ErrorCode::NotFound, "there is no such room, or you may not see it") }
    }

    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    #[must_use]
    pub fn rate_limited(retry_after_ms: u64) -> Self {
        Self {
            retry_after_ms: Some(retry_after_ms),
            ..Self::new(ErrorCode::RateLimited, "too fast: wait for retry_after_ms milliseconds and send it again")
        }
    }

    /// Says which field held the malformed id.
    pub fn bad_id(field: &'static str) -> impl FnOnce(InvalidId) -> Self {
        move |error| Self::invalid(field, error.0)
    }
}
