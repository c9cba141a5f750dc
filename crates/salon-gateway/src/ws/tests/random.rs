//! The codec against chance, and against another implementation.

use std::io::{self, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

/// Small, so that chance finds it.
const SMALL_MESSAGE_BYTES_MAX: usize = 300;

/// Payloads: mostly text, of every length class, sometimes not UTF-8.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-zé€😀]{0,12}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..8),
        1 => (100_usize..320).prop_map(|length| vec![b'x'; length]),
    ]
}

/// The first byte of anything but a close frame.
fn first_byte() -> impl Strategy<Value = u8> {
    any::<u8>().prop_filter("close frames with a broken code are refused by us only", |first| first & 0x0f != 0x08)
}

/// Frames, most of them allowed. Close frames have a code that everybody accepts.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => payload().prop_map(|payload| frame(0x81, &payload)),
        2 => payload().prop_map(|payload| frame(0x82, &payload)),
        3 => payload().prop_map(|payload| frame(0x01, &payload)),
        1 => payload().prop_map(|payload| frame(0x02, &payload)),
        4 => payload().prop_map(|payload| frame(0x00, &payload)),
        3 => payload().prop_map(|payload| frame(0x80, &payload)),
        2 => vec(any::<u8>(), 0..126).prop_map(|payload| frame(0x89, &payload)),
        2 => vec(any::<u8>(), 0..126).prop_map(|payload| frame(0x8a, &payload)),
        1 => "[a-zé]{0,20}".prop_map(|reason| frame(0x88, &[b"\x03\xe8", reason.as_bytes()].concat())),
        1 => (first_byte(), payload()).prop_map(|(first, payload)| frame(first, &payload)),
    ]
}

/// Cuts a stream at these places.
fn cut<'a>(mut stream: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = stream.split_at((*length).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// A socket that has received this and swallows what is sent.
struct Received<'a>(&'a [u8]);

impl Read for Received<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Received<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite makes of a stream: what it read, and the close code its error stands for.
fn decode_with_tungstenite(stream: &[u8]) -> (Vec<Said>, Option<u16>) {
    let config = WebSocketConfig::default().max_message_size(Some(SMALL_MESSAGE_BYTES_MAX)).max_frame_size(None);
    let mut socket = WebSocket::from_raw_socket(Received(stream), Role::Server, Some(config));
    let mut said = Vec::new();
    loop {
        said.push(match socket.read() {
            Ok(Message::Text(text)) => Said::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Said::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Said::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Said::Pong(bytes.to_vec()),
            Ok(Message::Close(Some(close))) => Said::Close(Some(close.code.into()), close.reason.to_string()),
            Ok(Message::Close(None)) => Said::Close(None, String::new()),
            Ok(Message::Frame(frame)) => panic!("a raw frame: {frame:?}"),
            Err(Error::Utf8(_)) => return (said, Some(1007)),
            Err(Error::Capacity(_)) => return (said, Some(1009)),
            Err(Error::ConnectionClosed) => return (said, None),
            Err(Error::Protocol(error)) if error.to_string().contains("without closing handshake") => return (said, None),
            Err(Error::Protocol(_)) => return (said, Some(1002)),
            Err(error) => panic!("{error}"),
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cutting_a_stream_changes_nothing(
        frames in vec(any_frame(), 1..8),
        lengths in vec(0_usize..40, 0..40),
    ) {
        let stream = frames.concat();
        let whole = decode_pieces(SMALL_MESSAGE_BYTES_MAX, [&*stream]);
        prop_assert_eq!(&whole, &decode_pieces(SMALL_MESSAGE_BYTES_MAX, cut(&stream, &lengths)));
        prop_assert_eq!(&whole, &decode_pieces(SMALL_MESSAGE_BYTES_MAX, stream.chunks(1)));
    }

    #[test]
    fn garbage_is_refused_in_the_same_way_however_it_is_cut(
        garbage in vec(any::<u8>(), 0..200),
        lengths in vec(0_usize..20, 0..20),
    ) {
        let whole = decode_pieces(SMALL_MESSAGE_BYTES_MAX, [&*garbage]);
        prop_assert_eq!(whole, decode_pieces(SMALL_MESSAGE_BYTES_MAX, cut(&garbage, &lengths)));
    }

    #[test]
    fn breaking_off_loses_nothing(frames in vec(any_frame(), 1..8), lengths in vec(1_usize..40, 0..40)) {
        let stream = frames.concat();
        let mut decoder = Decoder::new(SMALL_MESSAGE_BYTES_MAX);
        let (mut said, mut error) = (Vec::new(), None);
        'pieces: for piece in cut(&stream, &lengths) {
            let mut piece = piece.to_vec();
            let mut rest = &mut piece[..];
            while !rest.is_empty() {
                match decoder.feed(rest, |incoming| { said.push(Said::from(incoming)); ControlFlow::Break(()) }) {
                    Ok(taken) => rest = &mut rest[taken..],
                    Err(refused) => { error = Some(refused); break 'pieces },
                }
            }
        }
        prop_assert_eq!((said, error), decode_pieces(SMALL_MESSAGE_BYTES_MAX, [&*stream]));
    }

    #[test]
    fn tungstenite_reads_the_same(frames in vec(any_frame(), 1..12)) {
        let stream = frames.concat();
        let (said, error) = decode_pieces(SMALL_MESSAGE_BYTES_MAX, [&*stream]);
        prop_assert_eq!((said, error.map(ProtocolError::close_code)), decode_with_tungstenite(&stream));
    }

    #[test]
    fn tungstenite_reads_what_is_written(text in "[a-zé€😀]{0,100}", bytes in vec(any::<u8>(), 0..300), short in vec(any::<u8>(), 0..126)) {
        let stream = [
            encode_text(text.as_bytes()),
            encode_binary(&bytes),
            encode_ping(&short),
            encode_pong(&short),
            encode_close(4001, &text),
        ]
        .concat();
        let mut socket = WebSocket::from_raw_socket(Received(&stream), Role::Client, None);
        prop_assert_eq!(socket.read().unwrap(), Message::Text(text.into()));
        prop_assert_eq!(socket.read().unwrap(), Message::Binary(bytes.into()));
        prop_assert_eq!(socket.read().unwrap(), Message::Ping(short.clone().into()));
        prop_assert_eq!(socket.read().unwrap(), Message::Pong(short.into()));
        prop_assert!(matches!(socket.read().unwrap(), Message::Close(Some(close)) if u16::from(close.code) == 4001));
    }
}
