//! `salon.v1.json`, Salon's own language (PROTOCOL §3).

use bytes::{Bytes, BytesMut};
use salon_core::{CommandError, ErrorCode};
use salon_proto::json::{self, Malformed};
use salon_proto::v1::{ClientFrame, Entry, ServerFrame, entry, server_frame};

use crate::ws::{self, Opcode, SERVER_HEADER_BYTES_MAX};

pub(super) fn parse(text: &str) -> Result<ClientFrame, Malformed> {
    json::parse_client(text)
}

/// What cannot be printed was not made by this version's service; whoever asked for it gets an error instead.
pub(super) fn print(frame: &ServerFrame) -> Bytes {
    let text = json::print_server(frame).unwrap_or_else(|error| {
        tracing::error!(%error, "a frame of the service cannot be printed");
        let apology = CommandError::new(ErrorCode::Internal, "the answer could not be printed");
        json::print_server(&json::error(frame.id, &apology)).unwrap_or_default()
    });
    ws::encode_text(text.as_bytes())
}

pub(super) fn print_entry(entry: Entry, into: &mut BytesMut) {
    let mut frame = json::event(server_frame::Event::Entry(entry));
    let text = json::print_server(&frame).or_else(|_| {
        // Only the sender's `extra` can be unprintable.
        if let Some(server_frame::Event::Entry(Entry { body: Some(entry::Body::Message(message)), .. })) = &mut frame.event {
            message.extra = None;
        }
        json::print_server(&frame)
    });
    let text = text.unwrap_or_default();
    into.reserve(SERVER_HEADER_BYTES_MAX + text.len());
    ws::header_into(into, Opcode::Text, text.len());
    into.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use salon_proto::v1::Message;

    #[test]
    fn an_entry_whose_extra_is_no_json_is_printed_without_it() {
        let message = Message { id: "m_1".into(), content: "hi".into(), extra: Some("{".into()), ..Message::default() };
        let entry = Entry { seq: 4, body: Some(entry::Body::Message(message)), ..Entry::default() };
        let mut printed = BytesMut::new();
        print_entry(entry, &mut printed);
        let text = std::str::from_utf8(&printed[2..]).unwrap();
        assert!(text.contains(r#""content":"hi""#) && !text.contains("extra"), "{text}");
    }
}
