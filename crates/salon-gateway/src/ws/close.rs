//! Close frames: RFC 6455 §5.5.1 and §7.4.

use super::header::{CONTROL_BYTES_MAX, ProtocolError};

/// Longest reason in a close frame, in bytes of UTF-8: what two bytes of code leave.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// Close codes of RFC 6455 §7.4.1 that this codec uses itself. Salon's own are in PROTOCOL §3.
pub mod close_code {
    pub const NORMAL: u16 = 1000;
    pub const PROTOCOL_ERROR: u16 = 1002;
    pub const INVALID_PAYLOAD: u16 = 1007;
    pub const TOO_LARGE: u16 = 1009;
}

/// Takes the payload of a close frame apart.
pub(super) fn parse(payload: &[u8]) -> Result<(Option<u16>, &str), ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok((None, "")) } else { Err(ProtocolError::Violation("a close frame of one byte")) };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(ProtocolError::Violation("a close code that must not be sent"));
    }
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
    Ok((Some(code), reason))
}

/// Codes that the IANA registry allows on the wire, and the ranges for libraries and applications. 1004 is reserved;
/// 1005, 1006 and 1015 are for programs to tell themselves how a connection ended.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
