//! The bus: what nodes tell each other. A message may be lost, late or doubled; the store is the truth.

use std::sync::Arc;

use crate::entry::Entry;
use crate::ids::{LoginId, RoomId, UserId};

/// Where a message belongs; a node receives the topics that it follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// One log: rooms and people's own.
    Log(RoomId),
    /// What every node has to know.
    Everyone,
}

#[derive(Debug, Clone)]
pub enum BusMessage {
    /// A durable entry, as a hint.
    Entry(Arc<Entry>),
    /// An ephemeral event of a room, printed by the service that made it: opaque here.
    Ephemeral { room: RoomId, bytes: Arc<[u8]> },
    /// A login was ended; `None` means all of this person's.
    Revoked { user: UserId, login: Option<LoginId> },
}

/// Takes what arrives. Called in order per topic, from any thread; must not block.
pub trait BusSink: Send + Sync + 'static {
    fn deliver(&self, message: BusMessage);
}

#[async_trait::async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Sets who receives. Once, before anything is followed.
    fn attach(&self, sink: Arc<dyn BusSink>);

    /// Starts to receive a topic. When it returns, everything published from now on arrives, losses aside.
    async fn follow(&self, topic: Topic);

    /// Stops to receive a topic.
    async fn unfollow(&self, topic: Topic);

    /// Tells every node that follows the topic, this one included. Best effort.
    fn publish(&self, topic: Topic, message: BusMessage);
}
