//! Live logs: the logs that somebody here listens to, or would be told about.
//!
//! A live log knows its head, the position of the last entry that the gateways were given. Entries arrive from the bus
//! in any order, doubled or not at all; each is given to every listening gateway once, in order (see [`pump`]). What
//! the bus has lost is found by comparing heads with the store (see [`heads`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use salon_core::ports::{BusMessage, BusSink, StoreError, Topic};
use salon_core::{Entry, EntryBody, Epoch, RoomId, Seq};
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;

use crate::Service;
use crate::access::AccessCache;

mod heads;
mod listeners;
mod pump;

pub(crate) use heads::COMPARE_EVERY_MS;
pub(crate) use listeners::Stale;

use listeners::Listeners;

/// Entries of one log that wait for an earlier one; beyond it they are read from the store when their turn comes.
const EARLY_ENTRIES_MAX: usize = 1024;

pub(crate) struct LiveLog {
    pub(crate) log: RoomId,
    pub(crate) access: AccessCache,
    state: Mutex<State>,
    /// The head has moved, or nobody can attach any more.
    progress: Notify,
    /// Set once the bus is followed and the head is known.
    ready: OnceCell<()>,
}

struct State {
    /// `None` until the head is known.
    epoch: Option<Epoch>,
    /// The last entry that the gateways were given, or that was there before anybody listened.
    head: Seq,
    /// The last entry that is known to exist.
    target: Seq,
    /// Entries behind the head, waiting for their turn.
    early: BTreeMap<Seq, Arc<Entry>>,
    /// Somebody runs the pump.
    pumping: bool,
    listeners: Listeners,
    /// The last entry up to the head that ended somebody's membership: who decided to attach before it decides again.
    fence: Seq,
    /// Nobody can attach any more: another live log takes this one's place, or the room is gone.
    gone: bool,
    /// When the log was last needed or written to.
    touched: Instant,
}

impl LiveLog {
    fn new(log: RoomId) -> Self {
        let state = State {
            epoch: None,
            head: Seq::START,
            target: Seq::START,
            early: BTreeMap::new(),
            pumping: false,
            listeners: Listeners::default(),
            fence: Seq::START,
            gone: false,
            touched: Instant::now(),
        };
        Self { log, access: AccessCache::default(), state: Mutex::new(state), progress: Notify::new(), ready: OnceCell::new() }
    }

    /// Nothing is delivered any more, as if somebody else did it.
    #[cfg(test)]
    pub(crate) fn hold(&self) {
        self.state.lock().pumping = true;
    }

    #[cfg(test)]
    pub(crate) fn is_heard_by(&self, user: &salon_core::UserId) -> bool {
        !self.state.lock().listeners.of(user).is_empty()
    }

    pub(crate) fn has_listeners(&self) -> bool {
        !self.state.lock().listeners.is_empty()
    }

    /// An entry is there. True if the pump has to be started.
    fn note(&self, entry: Arc<Entry>) -> bool {
        let mut state = self.state.lock();
        if state.epoch.as_ref().is_some_and(|epoch| *epoch != entry.epoch) {
            // Another life of this log: comparing heads finds out.
            return false;
        }
        state.touched = Instant::now();
        state.target = state.target.max(entry.seq);
        if entry.seq > state.head {
            state.early.insert(entry.seq, entry);
            if state.early.len() > EARLY_ENTRIES_MAX {
                state.early.pop_last();
            }
        }
        state.start_pump()
    }

    /// The head became known. True if the pump has to be started.
    fn begin(&self, epoch: Epoch, head: Seq) -> bool {
        let mut state = self.state.lock();
        state.epoch = Some(epoch);
        state.head = head;
        state.target = state.target.max(head);
        state.early = state.early.split_off(&head.next());
        state.start_pump()
    }
}

impl State {
    /// True if there is something to deliver and nobody does it yet; whoever asks does it then.
    fn start_pump(&mut self) -> bool {
        let needed = !self.pumping && !self.gone && self.epoch.is_some() && self.target > self.head;
        self.pumping |= needed;
        needed
    }
}

impl std::fmt::Debug for LiveLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveLog").field("log", &self.log).finish_non_exhaustive()
    }
}

/// All live logs of this service. Bounded by what the sessions have joined and the rooms of the people who are there.
#[derive(Debug, Default)]
pub(crate) struct LiveLogs {
    map: Mutex<BTreeMap<RoomId, Arc<LiveLog>>>,
}

impl LiveLogs {
    pub(crate) fn get(&self, log: &RoomId) -> Option<Arc<LiveLog>> {
        self.map.lock().get(log).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.lock().len()
    }

    fn all(&self) -> Vec<Arc<LiveLog>> {
        self.map.lock().values().cloned().collect()
    }

    fn get_or_insert(&self, log: &RoomId) -> Arc<LiveLog> {
        let mut map = self.map.lock();
        if let Some(live) = map.get(log) {
            return Arc::clone(live);
        }
        let live = Arc::new(LiveLog::new(log.clone()));
        map.insert(log.clone(), Arc::clone(&live));
        live
    }

    /// Takes this very log out of the map; a later one under the same name stays.
    fn remove(&self, live: &Arc<LiveLog>) {
        let mut map = self.map.lock();
        if map.get(&live.log).is_some_and(|current| Arc::ptr_eq(current, live)) {
            map.remove(&live.log);
        }
    }
}

impl Service {
    /// The live log of a room, followed from before its head is read: nothing is missed after that. `Ok(None)`: there
    /// is no such room.
    pub(crate) async fn live(&self, log: &RoomId) -> Result<Option<Arc<LiveLog>>, StoreError> {
        let live = self.logs.get_or_insert(log);
        let begun = live.ready.get_or_try_init(|| async {
            self.parts.bus.follow(Topic::Log(log.clone())).await;
            let heads = self.parts.store.heads(std::slice::from_ref(log)).await.map_err(Some)?;
            let head = heads.into_iter().next().ok_or(None)?;
            self.begin_log(&live, head.epoch, head.seq);
            Ok::<(), Option<StoreError>>(())
        });
        match begun.await {
            Ok(()) => {
                live.state.lock().touched = Instant::now();
                Ok(Some(live))
            }
            Err(None) => {
                self.drop_log(&live).await;
                Ok(None)
            }
            Err(Some(error)) => Err(error),
        }
    }

    /// Makes a log live for the sake of people who are there, its head being known well enough: an older head only
    /// means that the next entry shows a hole.
    pub(crate) async fn track(&self, log: &RoomId, epoch: Epoch, head: Seq) -> Arc<LiveLog> {
        let live = self.logs.get_or_insert(log);
        live.ready
            .get_or_init(|| async {
                self.parts.bus.follow(Topic::Log(log.clone())).await;
                self.begin_log(&live, epoch, head);
            })
            .await;
        live
    }

    fn begin_log(&self, live: &Arc<LiveLog>, epoch: Epoch, head: Seq) {
        if live.begin(epoch, head) {
            self.start_pump(live);
        }
    }

    /// An entry that is known to be durable, from the bus or from the store.
    pub(crate) fn arrive(&self, entry: Arc<Entry>) {
        let Some(live) = self.logs.get(&entry.room) else { return };
        match &entry.body {
            EntryBody::Member { .. } | EntryBody::Room(_) => live.access.forget(),
            EntryBody::Message(_)
            | EntryBody::Edit { .. }
            | EntryBody::Delete { .. }
            | EntryBody::React { .. }
            | EntryBody::Call { .. }
            | EntryBody::RoomAdded { .. }
            | EntryBody::RoomRemoved { .. }
            | EntryBody::Mention { .. }
            | EntryBody::Read { .. }
            | EntryBody::Notice { .. } => {}
        }
        if live.note(entry) {
            self.start_pump(&live);
        }
    }

    fn start_pump(&self, live: &Arc<LiveLog>) {
        let live = Arc::clone(live);
        self.spawn(|service| pump::run(service, live));
    }

    /// Forgets a log that nobody needs. Where somebody came to need it meanwhile, the bus is followed again and the
    /// heads are compared: what fell between is found.
    async fn drop_log(&self, live: &Arc<LiveLog>) {
        live.state.lock().gone = true;
        live.progress.notify_waiters();
        self.logs.remove(live);
        self.parts.bus.unfollow(Topic::Log(live.log.clone())).await;
        if self.logs.get(&live.log).is_some() {
            self.parts.bus.follow(Topic::Log(live.log.clone())).await;
            self.compare_heads(std::slice::from_ref(&live.log)).await;
        }
    }
}

/// The end of the bus. It must not keep the service alive: the bus is older.
pub(crate) struct Arrivals {
    service: Weak<Service>,
}

impl Arrivals {
    pub(crate) fn new(service: &Arc<Service>) -> Self {
        Self { service: Arc::downgrade(service) }
    }
}

impl BusSink for Arrivals {
    fn deliver(&self, message: BusMessage) {
        let Some(service) = self.service.upgrade() else { return };
        match message {
            BusMessage::Entry(entry) => service.arrive(entry),
            // Made by other nodes only, once there are any.
            BusMessage::Ephemeral { .. } => {}
            BusMessage::Revoked { user, login } => service.revoke_sessions(&user, login.as_ref()),
        }
    }
}
