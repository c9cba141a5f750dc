//! Cursors of pages: opaque to clients, and a place in a room's log to the server.

use salon_core::ids::base32;
use salon_core::ports::Position;
use salon_core::{CommandError, MessageId, Seq, Timestamp};
use salon_proto::v1;

/// What a cursor begins with. A message id may stand in for one, and so may a time.
const PREFIX: &str = "p";
/// Characters behind it: 65 bits.
const CHARS: usize = 13;

/// A place that a client named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    At(Seq),
    Time(Timestamp),
}

/// Where a page is to begin, as the client put it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Newest,
    Before(Place),
    After(Place),
    Around(Place),
}

pub(super) fn print(seq: Seq) -> String {
    format!("{PREFIX}{}", base32(u128::from(seq.0), CHARS))
}

fn parse(text: &str) -> Option<Place> {
    if let Some(digits) = text.strip_prefix(PREFIX).filter(|digits| digits.len() == CHARS) {
        // The digits of a message id are the same: its parser reads them.
        let seq = MessageId::parse(&format!("m_{digits}{}", "0".repeat(10))).ok()?.seq_hint();
        return Some(Place::At(seq));
    }
    if let Ok(id) = MessageId::parse(text) {
        return Some(Place::At(id.seq_hint()));
    }
    Timestamp::parse(text).map(Place::Time)
}

pub(super) fn asked(command: &v1::GetHistory) -> Result<Asked, CommandError> {
    let place = |field: &'static str, text: &str| {
        parse(text)
            .ok_or_else(|| CommandError::invalid(field, "a cursor from an earlier page, a message id, or an RFC 3339 time"))
    };
    match (&command.before, &command.after, &command.at) {
        (None, None, None) => Ok(Asked::Newest),
        (Some(before), None, None) => place("before", before).map(Asked::Before),
        (None, Some(after), None) => place("after", after).map(Asked::After),
        (None, None, Some(at)) => place("at", at).map(Asked::Around),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            Err(CommandError::invalid("before", "at most one of before, after and at"))
        }
    }
}

impl Asked {
    /// The position, unless a time has to be looked up first: then that time.
    pub(super) fn position(self) -> Result<Position, Timestamp> {
        match self {
            Self::Newest => Ok(Position::Newest),
            Self::Before(Place::At(seq)) => Ok(Position::Before(seq)),
            Self::After(Place::At(seq)) => Ok(Position::After(seq)),
            Self::Around(Place::At(seq)) => Ok(Position::AtSeq(seq)),
            Self::Around(Place::Time(at)) => Ok(Position::AtTime(at)),
            Self::Before(Place::Time(at)) | Self::After(Place::Time(at)) => Err(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        for seq in [1, 31, 32, 1 << 40, (1 << 53) - 1].map(Seq) {
            assert_eq!(parse(&print(seq)), Some(Place::At(seq)));
        }
        assert_eq!(parse("2026-11-20T15:13:52.045Z"), Some(Place::Time(Timestamp(1_795_187_632_045))));
        assert_eq!(parse(MessageId::mint(Seq(7), 9).as_str()), Some(Place::At(Seq(7))));
        for bad in ["", "p", "p0", "yesterday", "pzzzzzzzzzzzzz", "p0000000000000"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn at_most_one_place_may_be_named() {
        let cursor = Some(print(Seq(3)));
        let two = v1::GetHistory { before: cursor.clone(), at: cursor, ..v1::GetHistory::default() };
        assert_eq!(asked(&two).unwrap_err().field, Some("before"));
        let bad = v1::GetHistory { after: Some("x".into()), ..v1::GetHistory::default() };
        assert_eq!(asked(&bad).unwrap_err().field, Some("after"));
    }
}
