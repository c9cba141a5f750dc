//! Blocks: what a gateway reads for connections that are behind its window.

use std::sync::Arc;

use salon_core::{RoomId, Seq};
use salon_proto::link::frames::{Block, ReadBlock};

use crate::Service;
use crate::print::Quotes;

/// Entries in one block.
const BLOCK_ENTRIES_MAX: u64 = 256;
/// Content in one block, in bytes; a single larger entry still fits.
const BLOCK_BYTES_MAX: usize = 256 * 1024;

impl Service {
    /// Reads a block. Nobody's visibility is checked here: a block belongs to no session, and a gateway asks only for
    /// what lies behind the cursors of its attached members, which were set within what each of them may see.
    pub(crate) async fn read_block(self: Arc<Self>, read: ReadBlock) -> Block {
        let failed = Block { request: read.request, log: read.log.clone(), unavailable: true, ..Block::default() };
        let log = RoomId::from_stored(&read.log);
        let after = Seq(read.after);
        let limit = u32::try_from(Seq(read.through).since(after).clamp(1, BLOCK_ENTRIES_MAX)).unwrap_or(1);
        let reading = async {
            let Some(slice) = self.parts.store.entries(&log, after, limit, BLOCK_BYTES_MAX).await? else { return Ok(None) };
            let entries: Vec<_> = slice.entries.into_iter().map(Arc::new).collect();
            let epoch = match entries.first() {
                Some(entry) => Some(entry.epoch.clone()),
                None => self.parts.store.heads(std::slice::from_ref(&log)).await?.pop().map(|head| head.epoch),
            };
            let printed = self.print(&log, &entries, Quotes::ForEverybody).await?;
            Ok(epoch.map(|epoch| (epoch, printed, slice.head)))
        };
        match self.within_time(reading).await {
            Ok(Some((epoch, entries, head))) => Block {
                request: read.request,
                log: read.log,
                epoch: epoch.as_str().to_owned(),
                entries,
                head: head.0,
                unavailable: false,
            },
            // A deleted room: those who are attached are being detached.
            Ok(None) | Err(_) => failed,
        }
    }
}
