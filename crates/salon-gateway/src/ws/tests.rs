//! The codec against the examples and the rules of RFC 6455.

mod random;

use std::ops::ControlFlow;

use super::*;

const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An [`Incoming`] that owns what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Incoming<'_>> for Said {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Incoming::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Incoming::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Incoming::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// A masked frame, correct or not.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        long @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// Everything that comes out of a stream which arrives in such pieces.
fn decode_pieces<'a>(message_bytes_max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Said>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(message_bytes_max);
    let mut said = Vec::new();
    for piece in pieces {
        let result = decoder.feed(&mut piece.to_vec(), |incoming| {
            said.push(incoming.into());
            ControlFlow::Continue(())
        });
        match result {
            Ok(taken) => assert_eq!(taken, piece.len()),
            Err(error) => {
                assert_eq!(decoder.feed(&mut frame(0x81, b"more"), |_| panic!("decoded behind an error")), Ok(10));
                return (said, Some(error));
            }
        }
    }
    (said, None)
}

/// Everything that comes out of a stream, the same whether it comes at once or byte by byte.
fn decode(stream: &[u8]) -> (Vec<Said>, Option<ProtocolError>) {
    let at_once = decode_pieces(MESSAGE_BYTES_MAX, [stream]);
    assert_eq!(at_once, decode_pieces(MESSAGE_BYTES_MAX, stream.chunks(1)), "byte by byte it must be the same");
    at_once
}

fn refusal(stream: &[u8]) -> u16 {
    let (said, error) = decode(stream);
    assert_eq!(said, [], "nothing of a refused frame may come out");
    error.expect("it has to be refused").close_code()
}

#[test]
fn the_masked_examples_of_the_rfc_are_read() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&hello), (vec![text("Hello")], None));
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&pong), (vec![Said::Pong(b"Hello".to_vec())], None));
}

#[test]
fn the_unmasked_examples_of_the_rfc_are_written() {
    assert_eq!(*encode_text(b"Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(*encode_ping(b"Hello"), [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(*encode_pong(b""), [0x8a, 0x00]);
    assert_eq!(encode_binary(&[7; 256])[..5], [0x82, 0x7E, 0x01, 0x00, 7]);
    assert_eq!(encode_binary(&[7; 65536])[..11], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
}

#[test]
fn lengths_are_written_in_the_fewest_bytes() {
    for (payload_bytes, frame_bytes) in [(0, 2), (125, 127), (126, 130), (65535, 65539), (65536, 65546)] {
        assert_eq!(encode_binary(&vec![0; payload_bytes]).len(), frame_bytes);
    }
}

#[test]
fn a_close_frame_carries_its_code_and_as_much_reason_as_fits() {
    assert_eq!(*encode_close(4001, "draining"), *b"\x88\x0a\x0f\xa1draining");
    let long = "é".repeat(100);
    let close = encode_close(1009, &long);
    assert_eq!(close[1], 124, "the reason is cut between two characters");
    assert_eq!(std::str::from_utf8(&close[4..]).unwrap(), "é".repeat(61));
}

#[test]
fn fragments_make_one_message_and_control_frames_come_between() {
    let stream =
        [frame(0x01, b"Hel"), frame(0x89, b"still there?"), frame(0x00, b""), frame(0x80, b"lo"), frame(0x82, b"\xff")].concat();
    let said = vec![Said::Ping(b"still there?".to_vec()), text("Hello"), Said::Binary(vec![0xff])];
    assert_eq!(decode(&stream), (said, None));
}

#[test]
fn a_character_may_be_cut_by_fragments() {
    let stream = [frame(0x01, b"\xe2\x82"), frame(0x80, b"\xac")].concat();
    assert_eq!(decode(&stream), (vec![text("€")], None));
}

#[test]
fn empty_messages_are_messages() {
    let stream = [frame(0x81, b""), frame(0x82, b""), frame(0x89, b"")].concat();
    assert_eq!(decode(&stream), (vec![text(""), Said::Binary(vec![]), Said::Ping(vec![])], None));
}

#[test]
fn what_follows_a_close_frame_is_ignored() {
    let stream = [frame(0x88, b"\x03\xe8bye"), frame(0x81, b"one more thing"), vec![0xff; 9]].concat();
    assert_eq!(decode(&stream), (vec![Said::Close(Some(1000), "bye".to_owned())], None));
    assert_eq!(decode(&frame(0x88, b"")), (vec![Said::Close(None, String::new())], None));
}

#[test]
fn broken_frames_are_refused_with_1002() {
    let unmasked = [0x81, 0x01, b'x'];
    let short_length_in_2_bytes = [0x81, 0xfe, 0x00, 0x7d, 0, 0, 0, 0];
    let short_length_in_8_bytes = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    let negative_length = [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];
    for stream in [&unmasked[..], &short_length_in_2_bytes, &short_length_in_8_bytes, &negative_length] {
        assert_eq!(refusal(stream), 1002, "{stream:x?}");
    }
    for reserved_bit in [0xc1, 0xa1, 0x91] {
        assert_eq!(refusal(&frame(reserved_bit, b"x")), 1002);
    }
    for reserved_opcode in [0x83, 0x84, 0x85, 0x86, 0x87, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f] {
        assert_eq!(refusal(&frame(reserved_opcode, b"x")), 1002);
    }
    for control in [0x88, 0x89, 0x8a] {
        assert_eq!(refusal(&frame(control, &[b'x'; 126])), 1002, "too long");
        assert_eq!(refusal(&frame(control & 0x0f, b"xx")), 1002, "fragmented");
    }
    assert_eq!(refusal(&frame(0x80, b"x")), 1002, "a continuation of nothing");
    assert_eq!(refusal(&[frame(0x01, b"x"), frame(0x81, b"y")].concat()), 1002, "a message within a message");
    let (said, error) = decode(&[frame(0x81, b"x"), frame(0x80, b"y")].concat());
    assert_eq!((said, error.map(ProtocolError::close_code)), (vec![text("x")], Some(1002)), "the message before is over");
}

#[test]
fn close_codes_that_must_not_be_sent_are_refused() {
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(decode(&frame(0x88, &code.to_be_bytes())), (vec![Said::Close(Some(code), String::new())], None));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(refusal(&frame(0x88, &code.to_be_bytes())), 1002, "{code}");
    }
    assert_eq!(refusal(&frame(0x88, b"\x03")), 1002, "one byte is no code");
    assert_eq!(refusal(&frame(0x88, b"\x03\xe8\xff")), 1007, "the reason is text");
}

#[test]
fn invalid_text_is_refused_as_soon_as_it_is_hopeless() {
    assert_eq!(refusal(&frame(0x81, b"\xce\xba\xff")), 1007);
    assert_eq!(refusal(&frame(0x81, b"\xe2\x82")), 1007, "a character is incomplete");
    assert_eq!(refusal(&[frame(0x01, b"\xe2\x82"), frame(0x80, b"")].concat()), 1007, "a character stays incomplete");
    assert_eq!(refusal(&frame(0x01, b"\xed\xa0\x80")), 1007, "a surrogate, and the message is not over");
    let most_of_a_frame = &frame(0x81, b"\xf4\x90\x80\x80 and much more")[..8];
    assert_eq!(refusal(most_of_a_frame), 1007, "beyond the last character, and the frame is not over");
    assert_eq!(decode(&frame(0x82, b"\xff")), (vec![Said::Binary(vec![0xff])], None), "binary may be anything");
}

#[test]
fn a_message_beyond_the_limit_is_refused_by_its_announcement() {
    let limit = vec![b'x'; MESSAGE_BYTES_MAX];
    assert_eq!(decode_pieces(MESSAGE_BYTES_MAX, [&*frame(0x82, &limit)]), (vec![Said::Binary(limit.clone())], None));
    let announcement = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1];
    assert_eq!(refusal(&announcement), 1009);
    assert_eq!(refusal(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1009);
    let in_fragments = [frame(0x02, &limit[1..]), frame(0x00, b"x"), frame(0x00, b"x")].concat();
    assert_eq!(decode_pieces(MESSAGE_BYTES_MAX, [&*in_fragments]), (vec![], Some(ProtocolError::TooLarge)));
    let pings = [frame(0x02, &limit), frame(0x89, b"a control frame is not part of it"), frame(0x80, b"")].concat();
    assert_eq!(decode_pieces(MESSAGE_BYTES_MAX, [&*pings]).0.len(), 2);
}

#[test]
fn a_receiver_that_breaks_off_gets_the_rest_later() {
    let mut stream = [frame(0x81, b"one"), frame(0x81, b"two"), frame(0x81, b"three")].concat();
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut said = Vec::new();
    let mut rest = &mut stream[..];
    while !rest.is_empty() {
        let taken = decoder.feed(rest, |incoming| {
            said.push(Said::from(incoming));
            ControlFlow::Break(())
        });
        rest = &mut rest[taken.unwrap()..];
    }
    assert_eq!(said, [text("one"), text("two"), text("three")]);
}

#[test]
fn only_unfinished_input_costs_memory_and_only_what_arrived() {
    assert!(size_of::<Decoder>() <= 24);
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut feed = |bytes: &[u8]| {
        decoder.feed(&mut bytes.to_vec(), |_| ControlFlow::Continue(())).unwrap();
        decoder.heap_bytes()
    };
    let large = frame(0x82, &[1; MESSAGE_BYTES_MAX - 1]);
    assert_eq!(feed(&frame(0x81, b"hi")), 0);
    assert!(feed(&large[..6]) < 200, "an announcement alone takes no buffer");
    assert!(feed(&large[6..1000]) < 2500);
    assert!(feed(&large[1000..large.len() - 1]) < MESSAGE_BYTES_MAX + 200, "growth stops at the announced length");
    assert_eq!(feed(&large[large.len() - 1..]), 0);
    assert!(feed(&[0x89]) > 0);
    assert_eq!(feed(&frame(0x89, b"hi")[1..]), 0);
    assert!(feed(&[0x89, 0x85, 1, 2, 3, 4, 5]) < 400);
    assert_eq!(feed(&[6, 7, 8, 9]), 0);
}

#[test]
fn unmasking_goes_on_at_any_offset() {
    let clear: Vec<u8> = (0..100).collect();
    let masked: Vec<u8> = clear.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    for cut in 0..=clear.len() {
        let mut bytes = masked.clone();
        let key = mask::unmask(&mut bytes[..cut], KEY);
        mask::unmask(&mut bytes[cut..], key);
        assert_eq!(bytes, clear, "cut at {cut}");
    }
}
