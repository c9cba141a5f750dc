//! Which connection is which session of the link.

use parking_lot::Mutex;
use salon_proto::link::frames::{EndSession, SessionOpened};
use salon_proto::v1;
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

use crate::connection::{Census, Connection};

/// A session's number on the link: a place in the registry and how often that place was used, so that no number means
/// two sessions. It is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    fn new(place: usize, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | place as u64 & u64::from(u32::MAX))
    }

    /// Where per-connection data lies in vectors.
    pub(crate) fn place(self) -> usize {
        usize::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(usize::MAX)
    }

    fn generation(self) -> u64 {
        self.0 >> 32
    }
}

/// What the service said to a request for a session.
pub(crate) type Answer = Result<SessionOpened, v1::Error>;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    places: Mutex<Places>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Places {
    all: Vec<Place>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    occupant: Occupant,
}

#[derive(Debug)]
enum Occupant {
    Nobody,
    /// The service was asked; the handshake waits.
    Asked(oneshot::Sender<Answer>),
    /// Opened; the socket is on its way, unless the service has ended the session meanwhile.
    Expected(Option<Box<EndSession>>),
    Connected(Arc<Connection>),
}

impl Registry {
    /// Takes a number for a session that the service is about to be asked for.
    pub(crate) fn ask(&self) -> (ConnectionId, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        (self.places.lock().take(Occupant::Asked(answer)), answered)
    }

    /// Takes a number for a socket that has no session yet.
    pub(crate) fn reserve(&self) -> ConnectionId {
        self.places.lock().take(Occupant::Expected(None))
    }

    /// Takes the service's answer. Gives it back when it is for a socket that is there already.
    pub(crate) fn answer(&self, id: ConnectionId, answer: Answer) -> Option<(Arc<Connection>, Answer)> {
        let mut places = self.places.lock();
        let place = places.get_mut(id)?;
        if let Occupant::Connected(connection) = &place.occupant {
            return Some((Arc::clone(connection), answer));
        }
        if let Occupant::Asked(waiting) = std::mem::replace(&mut place.occupant, Occupant::Expected(None)) {
            // A handshake that has given up releases the number itself.
            let _ = waiting.send(answer);
        }
        None
    }

    /// Puts the socket in its place. Gives the end that the service has decided meanwhile.
    pub(crate) fn connect(&self, id: ConnectionId, connection: &Arc<Connection>) -> Option<Box<EndSession>> {
        let mut places = self.places.lock();
        let place = places.get_mut(id)?;
        match std::mem::replace(&mut place.occupant, Occupant::Connected(Arc::clone(connection))) {
            Occupant::Expected(end) => end,
            Occupant::Nobody | Occupant::Asked(_) | Occupant::Connected(_) => None,
        }
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        match &self.places.lock().get_mut(id)?.occupant {
            Occupant::Connected(connection) => Some(Arc::clone(connection)),
            Occupant::Nobody | Occupant::Asked(_) | Occupant::Expected(_) => None,
        }
    }

    /// The connection that the service ends; where its socket is still on its way the end is remembered.
    pub(crate) fn end(&self, id: ConnectionId, end: EndSession) -> Option<(Arc<Connection>, EndSession)> {
        let mut places = self.places.lock();
        match &mut places.get_mut(id)?.occupant {
            Occupant::Connected(connection) => return Some((Arc::clone(connection), end)),
            Occupant::Expected(ended) => *ended = Some(Box::new(end)),
            Occupant::Nobody | Occupant::Asked(_) => {}
        }
        None
    }

    /// Gives a number back. Nobody will use it again. False if it had been given back already.
    pub(crate) fn release(&self, id: ConnectionId) -> bool {
        let mut places = self.places.lock();
        let Some(place) = places.get_mut(id) else { return false };
        place.occupant = Occupant::Nobody;
        place.generation = place.generation.wrapping_add(1);
        places.free.push(id.place());
        self.released.notify_one();
        true
    }

    /// Whether there is nobody, neither here nor on the way.
    pub(crate) fn is_empty(&self) -> bool {
        let places = self.places.lock();
        places.free.len() == places.all.len()
    }

    /// Returns when somebody may have gone. For one waiter.
    pub(crate) async fn changed(&self) {
        self.released.notified().await;
    }

    /// Every connection, in order of place.
    pub(crate) fn connections(&self) -> Vec<Arc<Connection>> {
        let places = self.places.lock();
        let connected = places.all.iter().filter_map(|place| match &place.occupant {
            Occupant::Connected(connection) => Some(Arc::clone(connection)),
            Occupant::Nobody | Occupant::Asked(_) | Occupant::Expected(_) => None,
        });
        connected.collect()
    }

    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for connection in self.connections() {
            census.count(&connection);
        }
        census
    }
}

impl Places {
    fn take(&mut self, occupant: Occupant) -> ConnectionId {
        let place = self.free.pop().unwrap_or_else(|| {
            self.all.push(Place { generation: 1, occupant: Occupant::Nobody });
            self.all.len() - 1
        });
        self.all[place].occupant = occupant;
        ConnectionId::new(place, self.all[place].generation)
    }

    fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Place> {
        let occupied =
            |place: &&mut Place| u64::from(place.generation) == id.generation() && !matches!(place.occupant, Occupant::Nobody);
        self.all.get_mut(id.place()).filter(occupied)
    }
}
