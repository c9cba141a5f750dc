//! How a command or a connection fails.

use salon_proto::v1;

/// Why a command has no acknowledgement.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The server refused it.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(v1::Error),
    /// The connection was lost and the command cannot be sent twice: whether it took effect is unknown.
    #[error("the connection was lost; whether the command took effect is unknown")]
    Interrupted,
    /// No answer in time: whether it took effect is unknown.
    #[error("no answer in time; whether the command took effect is unknown")]
    TimedOut,
    /// It was not sent.
    #[error("the command is larger than a frame may be ({frame_bytes_max} bytes)")]
    TooLarge { frame_bytes_max: usize },
    /// It was not sent, or the answer cannot be understood.
    #[error("not a frame of this protocol: {0}")]
    Malformed(String),
    #[error("the client has stopped: {0}")]
    Stopped(StopReason),
}

impl Error {
    /// The code of PROTOCOL §3, where the server refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => Some(&error.code),
            Self::Interrupted | Self::TimedOut | Self::TooLarge { .. } | Self::Malformed(_) | Self::Stopped(_) => None,
        }
    }

    /// May the command have taken effect all the same?
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Refused(error) => error.code == "unavailable" || error.code == "internal",
            Self::Interrupted | Self::TimedOut | Self::Stopped(_) => true,
            Self::TooLarge { .. } | Self::Malformed(_) => false,
        }
    }
}

/// Why a client connects no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    #[error("closed by the application")]
    Closed,
    /// The server closed with a code that means: do not come back (PROTOCOL §3).
    #[error("the server closed with {code}: {reason}")]
    Refused { code: u16, reason: String },
    /// The server refused the handshake for good.
    #[error("the server answered the handshake with status {status}")]
    Handshake { status: u16 },
    #[error("no credential: {0}")]
    Credential(String),
    #[error("{0}")]
    Url(String),
}
