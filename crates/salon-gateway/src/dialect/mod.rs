//! The languages that clients speak: one file per dialect. A dialect turns frames into commands and events into frames;
//! everything else is the same for all of them.

mod native_json;

use bytes::{Bytes, BytesMut};
use salon_proto::json::Malformed;
use salon_proto::v1::{ClientFrame, Entry, ServerFrame};

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `salon.v1.json`.
    NativeJson,
}

/// How entries are printed: once per room and encoding, whatever the number of members. Several dialects may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
}

impl Dialect {
    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Self::NativeJson => Encoding::Json,
        }
    }

    /// Parses a text message.
    pub(crate) fn parse_text(self, text: &str) -> Result<ClientFrame, Malformed> {
        match self {
            Self::NativeJson => native_json::parse(text),
        }
    }
}

impl Encoding {
    pub(crate) const ALL: [Self; 1] = [Self::Json];
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// This encoding's place in arrays that hold something per encoding.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Json => 0,
        }
    }

    /// Prints anything that is sent, as a complete WebSocket frame.
    pub(crate) fn print(self, frame: &ServerFrame) -> Bytes {
        match self {
            Self::Json => native_json::print(frame),
        }
    }

    /// Appends an entry, as a complete WebSocket frame. This never fails: a position without a frame would be a gap.
    pub(crate) fn print_entry(self, entry: Entry, into: &mut BytesMut) {
        match self {
            Self::Json => native_json::print_entry(entry, into),
        }
    }
}
