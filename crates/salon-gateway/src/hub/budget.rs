//! The memory that all rooms share for encoded frames.

use std::collections::BTreeMap;

use super::RoomKey;

/// What may be given up to make room, least recently used first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Window(RoomKey, usize),
    Block(RoomKey, BlockKey),
}

/// A block of a log in one encoding: the block's number, and the encoding's index.
pub(super) type BlockKey = (u64, usize);

#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    bytes: usize,
    touches: u64,
    order: BTreeMap<u64, Kept>,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, touches: 0, order: BTreeMap::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Something was used or has another size now. `touched` is its place in the order, 0 if it had none.
    pub(super) fn update(&mut self, kept: Kept, touched: &mut u64, bytes_before: usize, bytes_now: usize) {
        self.bytes = self.bytes - bytes_before + bytes_now;
        self.order.remove(touched);
        if bytes_now == 0 {
            *touched = 0;
            return;
        }
        self.touches += 1;
        *touched = self.touches;
        self.order.insert(self.touches, kept);
    }

    /// Something is gone.
    pub(super) fn release(&mut self, touched: u64, bytes: usize) {
        self.bytes -= bytes;
        self.order.remove(&touched);
    }

    /// What has to go next, while there is too much.
    pub(super) fn excess(&self) -> Option<Kept> {
        if self.bytes <= self.bytes_max {
            return None;
        }
        self.order.first_key_value().map(|(_, kept)| *kept)
    }
}
