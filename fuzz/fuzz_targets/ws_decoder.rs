//! The WebSocket decoder must not panic, must not care how its input is cut, and must not hold more than it may.

#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use salon_gateway::ws::{Decoder, ProtocolError};

const MESSAGE_BYTES_MAX: usize = 4096;
/// What an unfinished message may cost beside its own bytes.
const HEAP_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 512;

fn decode(stream: &[u8], piece_bytes: usize) -> (Vec<String>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut said = Vec::new();
    for piece in stream.chunks(piece_bytes) {
        let result = decoder.feed(&mut piece.to_vec(), |incoming| {
            said.push(format!("{incoming:?}"));
            ControlFlow::Continue(())
        });
        assert!(decoder.heap_bytes() <= HEAP_BYTES_MAX);
        if let Err(error) = result {
            return (said, Some(error));
        }
    }
    (said, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece_bytes, stream)) = input.split_first() else { return };
    let whole = decode(stream, stream.len().max(1));
    assert_eq!(whole, decode(stream, usize::from(piece_bytes).max(1)));
    assert_eq!(whole, decode(stream, 1));
});
