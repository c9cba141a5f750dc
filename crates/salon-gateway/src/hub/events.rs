//! Ephemeral events of a room: best effort, the last of a kind wins, never in the way of the log.

use bytes::Bytes;
use salon_proto::v1::ServerFrame;

use super::piece::Piece;
use crate::dialect::Encoding;
use crate::metrics::Metrics;
use crate::registry::ConnectionId;

/// Ephemeral events of one room that wait for a flush; the oldest goes when another one comes.
const EVENTS_MAX: usize = 64;

#[derive(Debug)]
struct Event {
    key: String,
    except: Option<ConnectionId>,
    frames: [Bytes; Encoding::COUNT],
}

#[derive(Debug, Default)]
pub(super) struct Events {
    /// For the next flush.
    waiting: Vec<Event>,
    /// Of the flush that is under way: everybody gets the same.
    passing: Vec<Event>,
}

impl Events {
    pub(super) fn push(
        &mut self,
        key: String,
        except: Option<ConnectionId>,
        frame: &ServerFrame,
        encodings: impl Iterator<Item = Encoding>,
        metrics: &Metrics,
    ) {
        let mut frames = [(); Encoding::COUNT].map(|()| Bytes::new());
        for encoding in encodings {
            frames[encoding.index()] = encoding.print(frame);
        }
        if !key.is_empty() {
            self.waiting.retain(|event| event.key != key);
        }
        if self.waiting.len() == EVENTS_MAX {
            self.waiting.remove(0);
            metrics.ephemeral_dropped.inc();
        }
        self.waiting.push(Event { key, except, frames });
    }

    /// A flush begins.
    pub(super) fn pass(&mut self) {
        self.passing = std::mem::take(&mut self.waiting);
    }

    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether this connection gets something else than the others.
    pub(super) fn spare(&self, id: ConnectionId) -> bool {
        self.passing.iter().any(|event| event.except == Some(id))
    }

    /// Adds what is for this connection.
    pub(super) fn collect(&self, id: ConnectionId, encoding: Encoding, piece: &mut Piece) {
        let frames = self.passing.iter().filter(|event| event.except != Some(id));
        for frame in frames.map(|event| &event.frames[encoding.index()]).filter(|frame| !frame.is_empty()) {
            if piece.has_room(frame.len()) {
                piece.push(frame.clone());
            }
        }
    }

    pub(super) fn passing(&self) -> usize {
        self.passing.len()
    }
}
