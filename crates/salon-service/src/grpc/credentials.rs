//! Who calls: `authorization: Bearer <token>` in the metadata of every call.

use http::header::AUTHORIZATION;
use salon_core::{CommandError, ErrorCode};
use tonic::metadata::MetadataMap;

/// The bearer token (RFC 6750 §2.1).
pub(super) fn token(metadata: &MetadataMap) -> Result<String, CommandError> {
    let value = metadata.get(AUTHORIZATION.as_str()).ok_or_else(|| refused("there is no authorization in the metadata"))?;
    let bearer = value.to_str().ok().and_then(|value| value.split_once(' '));
    match bearer {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim().to_owned()),
        Some(_) | None => Err(refused("authorization is the word Bearer and a token")),
    }
}

fn refused(message: &str) -> CommandError {
    CommandError::new(ErrorCode::Unauthenticated, message)
}
