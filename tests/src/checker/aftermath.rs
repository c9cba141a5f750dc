//! What a newcomer finds when everything has come to rest.

use std::collections::BTreeMap;

use super::trace::{Entry, PageMessage};

#[derive(Debug, Clone, Default)]
pub struct Aftermath {
    pub rooms: BTreeMap<String, FinalRoom>,
}

#[derive(Debug, Clone, Default)]
pub struct FinalRoom {
    pub epoch: String,
    /// Every entry from the first on, as a resumption behind position 0 sends them.
    pub entries: Vec<Entry>,
    /// Every message, as the pages of history show them, oldest first.
    pub messages: Vec<PageMessage>,
    /// Newcomers see only what came after them.
    pub since_join: bool,
}

impl FinalRoom {
    #[must_use]
    pub fn head(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.seq)
    }
}
