//! What is offered to one member in one write: frames of a log in order, `caught_up` at its place, ephemeral events last.

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// Offered at once, in bytes, unless a single frame is larger.
pub(super) const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Places in memory that one write gathers.
const PIECE_SLICES_MAX: usize = 64;

/// Whole frames. Everybody at the same position is offered the same piece.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The position before its first entry.
    pub(super) from: u64,
    /// The position of its last entry.
    pub(super) to: u64,
    /// Whether `caught_up` stands behind its entries.
    pub(super) caught_up: bool,
    bytes: usize,
    slices: SmallVec<[Bytes; 4]>,
}

/// What a write that did not take all of a piece has done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The position of the last entry that was begun.
    pub(super) to: u64,
    pub(super) caught_up: bool,
    /// The rest of the frame that was cut, as a copy.
    pub(super) rest: Bytes,
}

impl Piece {
    pub(super) fn new(from: u64) -> Self {
        Self { from, to: from, caught_up: false, bytes: 0, slices: SmallVec::new() }
    }

    /// Whether a slice of this many bytes may be added. The first always may.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.slices.len() < PIECE_SLICES_MAX && (bytes + self.bytes <= PIECE_BYTES_MAX || self.from == self.to)
    }

    /// Adds whole frames.
    pub(super) fn push(&mut self, frames: Bytes) {
        self.bytes += frames.len();
        self.slices.push(frames);
    }

    pub(super) fn push_caught_up(&mut self, frame: Bytes) {
        self.caught_up = true;
        self.push(frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn slices(&self) -> &[Bytes] {
        &self.slices
    }

    pub(super) fn io_slices(&self) -> SmallVec<[IoSlice<'_>; 4]> {
        self.slices.iter().map(|slice| IoSlice::new(slice)).collect()
    }

    /// What it means that only this many bytes were written.
    pub(super) fn cut(&self, written: usize) -> Cut {
        let (mut begun, mut before) = (0, 0);
        let mut rest = Bytes::new();
        'slices: for slice in &self.slices {
            let mut frame = 0;
            while frame < slice.len() {
                if before + frame >= written {
                    break 'slices;
                }
                begun += 1;
                let end = frame + frame_bytes(&slice[frame..]);
                if before + end > written {
                    rest = BytesMut::from(&slice[written - before..end]).freeze();
                    break 'slices;
                }
                frame = end;
            }
            before += slice.len();
        }
        let entries = self.to - self.from;
        Cut { to: self.from + entries.min(begun), caught_up: self.caught_up && begun > entries, rest }
    }
}

/// The length of an unmasked WebSocket frame, header included (RFC 6455 §5.2).
fn frame_bytes(frame: &[u8]) -> usize {
    let length = match frame {
        [_, 127, a, b, c, d, e, f, g, h, ..] => {
            10 + usize::try_from(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])).unwrap_or(usize::MAX - 10)
        }
        [_, 126, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        [_, short, ..] => 2 + usize::from(*short),
        [] | [_] => frame.len(),
    };
    length.clamp(1, frame.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::encode_text;

    #[test]
    fn a_cut_at_any_byte_keeps_exactly_the_rest_of_the_frame_that_was_begun() {
        let frames: Vec<Bytes> = [3, 300, 70_000, 0, 126].map(|length| encode_text(&vec![b'x'; length])).into();
        let mut piece = Piece::new(10);
        piece.push([&frames[0][..], &frames[1][..]].concat().into());
        piece.push(frames[2].clone());
        piece.to = 13;
        piece.push_caught_up(frames[3].clone());
        piece.push(frames[4].clone());
        let all = piece.slices().concat();
        let (mut index, mut start) = (0_u64, 0);
        for written in (1..all.len()).filter(|n| *n < 400 || *n > all.len() - 400) {
            while start + frames[usize::try_from(index).unwrap()].len() < written {
                start += frames[usize::try_from(index).unwrap()].len();
                index += 1;
            }
            let end = start + frames[usize::try_from(index).unwrap()].len();
            let cut = piece.cut(written);
            assert_eq!(cut.to, 10 + (index + 1).min(3), "{written}");
            assert_eq!(cut.caught_up, index >= 3, "{written}");
            assert_eq!(cut.rest, all[written..end], "{written}");
        }
    }
}
