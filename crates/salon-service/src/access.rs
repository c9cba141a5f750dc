//! Who may do what in a live room, remembered from the store. Every append carries the access version that it was
//! decided on, so that a memory that is out of date costs a second decision and never a wrong one.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use salon_core::ports::{RoomRow, StoreError};
use salon_core::{HistoryPolicy, Room, RoomId, RoomKind, Seq, Standing, UserId};

use crate::Service;

/// Behind every entry that there will ever be: integers of the protocol stay below it.
const NEVER: Seq = Seq(1 << 53);
/// People whose standing is remembered for one room.
const STANDINGS_MAX: usize = 4096;

/// A room and how somebody stands to it. Counts, heads and read marks in it may be old.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) room: Arc<Room>,
    pub(crate) standing: Standing,
}

#[derive(Debug, Default)]
pub(crate) struct AccessCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts how often everything was forgotten: what was read before that is not remembered after it.
    generation: u64,
    room: Option<Arc<Room>>,
    standings: BTreeMap<UserId, Standing>,
}

impl AccessCache {
    fn get(&self, user: &UserId) -> Option<Access> {
        let known = self.known.lock();
        Some(Access { room: known.room.clone()?, standing: known.standings.get(user)?.clone() })
    }

    fn generation(&self) -> u64 {
        self.known.lock().generation
    }

    fn put(&self, generation: u64, user: &UserId, access: &Access) {
        let mut known = self.known.lock();
        if known.generation != generation {
            return;
        }
        if known.standings.len() >= STANDINGS_MAX || known.room.as_ref().is_some_and(|room| room.access != access.room.access) {
            known.standings.clear();
        }
        known.room = Some(Arc::clone(&access.room));
        known.standings.insert(user.clone(), access.standing.clone());
    }

    /// Somebody's access has changed, or the room itself.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock();
        *known = Known { generation: known.generation + 1, ..Known::default() };
    }

    pub(crate) fn room(&self) -> Option<Arc<Room>> {
        self.known.lock().room.clone()
    }
}

impl Service {
    /// What is known about somebody's access to a room. `Ok(None)`: there is no such room.
    pub(crate) async fn access(&self, room: &RoomId, user: &UserId) -> Result<Option<Access>, StoreError> {
        let live = self.logs.get(room);
        if let Some(access) = live.as_ref().and_then(|live| live.access.get(user)) {
            return Ok(Some(access));
        }
        let generation = live.as_ref().map_or(0, |live| live.access.generation());
        let Some(RoomRow { room, standing }) = self.parts.store.room(room, user).await? else { return Ok(None) };
        let access = Access { room: Arc::new(room), standing };
        if let Some(live) = live {
            live.access.put(generation, user, &access);
        }
        Ok(Some(access))
    }

    /// A room of which no more is needed than what changes with its access: kind, title, settings, number of members.
    pub(crate) async fn room(&self, room: &RoomId, asker: &UserId) -> Result<Option<Arc<Room>>, StoreError> {
        if let Some(room) = self.logs.get(room).and_then(|live| live.access.room()) {
            return Ok(Some(room));
        }
        Ok(self.access(room, asker).await?.map(|access| access.room))
    }

    pub(crate) fn forget_access(&self, room: &RoomId) {
        if let Some(live) = self.logs.get(room) {
            live.access.forget();
        }
    }
}

impl Access {
    /// The first entry that this person may see: retention may have dropped more than membership hides.
    pub(crate) fn visible_from(&self) -> Seq {
        let from = match (self.standing.member(), self.room.kind, self.room.history) {
            (Some(member), ..) => member.visible_from,
            (None, RoomKind::Me, _) | (None, _, HistoryPolicy::All) => Seq(1),
            // Who has not come yet sees nothing of what was before.
            (None, _, HistoryPolicy::SinceJoin) => NEVER,
        };
        from.max(self.room.first)
    }
}
