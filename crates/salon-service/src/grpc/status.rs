//! The protocol's errors as gRPC statuses. The status is for libraries, the code in `salon-code` for programs that know
//! Salon, the message for people.

use http::{HeaderMap, HeaderValue};
use salon_core::{CommandError, ErrorCode};
use salon_proto::v1;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// The protocol's code.
pub(super) const CODE: &str = "salon-code";
/// The field that is wrong, where one is.
pub(super) const FIELD: &str = "salon-field";
/// When to try again, in milliseconds.
pub(super) const RETRY_AFTER_MS: &str = "salon-retry-after-ms";

/// When to come back to a server that is being restarted, in milliseconds, unless it says otherwise.
pub(super) const RECONNECT_AFTER_MS: u64 = 1_000;

/// Close codes from here on say: do not come back (PROTOCOL §3).
const FINAL_CLOSE_CODES: u32 = 4500;
/// Close code: the login was ended, or the person banned from the installation.
const REVOKED: u32 = 4502;

fn grpc_code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::Unauthenticated => Code::Unauthenticated,
        ErrorCode::Forbidden => Code::PermissionDenied,
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::Invalid | ErrorCode::TooLarge => Code::InvalidArgument,
        ErrorCode::RateLimited => Code::ResourceExhausted,
        ErrorCode::Conflict => Code::AlreadyExists,
        ErrorCode::UnknownEvent => Code::Unimplemented,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::Internal => Code::Internal,
    }
}

pub(super) fn status(error: &CommandError) -> Status {
    make(grpc_code(error.code), error.code, &error.message, error.field, error.retry_after_ms)
}

/// An error that came over the link.
pub(super) fn from_wire(error: &v1::Error) -> Status {
    let code = ErrorCode::ALL.into_iter().find(|code| code.as_str() == error.code).unwrap_or(ErrorCode::Internal);
    make(grpc_code(code), code, &error.message, error.field.as_deref(), error.retry_after_ms)
}

/// The service has ended a session with a close code of the WebSocket protocol.
pub(super) fn closed(code: u32, reason: &str, reconnect_after_ms: Option<u64>) -> Status {
    match code {
        REVOKED => make(Code::Unauthenticated, ErrorCode::Unauthenticated, reason, None, None),
        FINAL_CLOSE_CODES.. => make(Code::PermissionDenied, ErrorCode::Forbidden, reason, None, None),
        _ => {
            let retry_after_ms = Some(reconnect_after_ms.unwrap_or(RECONNECT_AFTER_MS));
            make(Code::Unavailable, ErrorCode::Unavailable, reason, None, retry_after_ms)
        }
    }
}

pub(super) fn draining() -> Status {
    make(Code::Unavailable, ErrorCode::Unavailable, "the server is being stopped: call again", None, Some(RECONNECT_AFTER_MS))
}

pub(super) fn too_many(what: &str) -> Status {
    make(Code::ResourceExhausted, ErrorCode::RateLimited, what, None, Some(RECONNECT_AFTER_MS))
}

/// The time is over; of what a call was to do, nothing is known.
pub(super) fn late() -> Status {
    make(Code::DeadlineExceeded, ErrorCode::Unavailable, "the deadline has passed: the outcome is unknown", None, None)
}

/// A stream that tonic has given up reading: too large, or no message of this protocol.
pub(super) fn unreadable(status: Status) -> Status {
    let code = if status.code() == Code::OutOfRange { ErrorCode::TooLarge } else { ErrorCode::Invalid };
    make(status.code(), code, status.message(), None, None)
}

/// Says in the protocol's words what tonic has refused by itself, before any of our code.
pub(super) fn complete(headers: &mut HeaderMap) {
    let Some(status) = Status::from_header_map(headers).filter(|_| !headers.contains_key(CODE)) else { return };
    let refused = [
        (Code::OutOfRange, ErrorCode::TooLarge),
        (Code::Unimplemented, ErrorCode::UnknownEvent),
        (Code::InvalidArgument, ErrorCode::Invalid),
    ];
    if let Some((_, code)) = refused.into_iter().find(|(grpc, _)| *grpc == status.code()) {
        headers.insert(CODE, HeaderValue::from_static(code.as_str()));
    }
}

fn make(grpc: Code, code: ErrorCode, message: &str, field: Option<&str>, retry_after_ms: Option<u64>) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert(CODE, MetadataValue::from_static(code.as_str()));
    if let Some(field) = field.and_then(|field| field.parse().ok()) {
        metadata.insert(FIELD, field);
    }
    if let Some(retry_after_ms) = retry_after_ms {
        metadata.insert(RETRY_AFTER_MS, MetadataValue::from(retry_after_ms));
    }
    Status::with_metadata(grpc, message, metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_link_and_becomes_a_failure() {
        for code in ErrorCode::ALL {
            let error = CommandError { field: Some("room"), retry_after_ms: Some(7), ..CommandError::new(code, "no") };
            let wire = v1::Error {
                code: code.as_str().to_owned(),
                message: "no".to_owned(),
                field: Some("room".to_owned()),
                retryable: code.retryable(),
                retry_after_ms: Some(7),
            };
            let (direct, linked) = (status(&error), from_wire(&wire));
            assert_ne!(direct.code(), Code::Ok);
            assert_eq!((direct.code(), direct.message()), (linked.code(), linked.message()));
            for status in [direct, linked] {
                let text = |key| status.metadata().get(key).unwrap().to_str().unwrap().to_owned();
                assert_eq!((text(CODE), text(FIELD), text(RETRY_AFTER_MS)), (code.as_str().into(), "room".into(), "7".into()));
            }
        }
    }

    #[test]
    fn close_codes_say_whether_to_come_back() {
        assert_eq!(closed(4001, "draining", Some(50)).code(), Code::Unavailable);
        assert_eq!(closed(4502, "logged out", None).code(), Code::Unauthenticated);
        assert_eq!(closed(4501, "bad frame", None).code(), Code::PermissionDenied);
    }
}
