//! An in-memory network: late, in pieces, sometimes cut. Clients see a byte stream, gateways a [`Socket`].

mod endpoint;
mod pipe;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Uri;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use salon_client::Connector;
use salon_gateway::socket::Socket;
use tokio::time::Instant;

pub use endpoint::{ClientStream, ServerSocket};
use pipe::Pipe;

/// How a network behaves.
#[derive(Debug, Clone)]
pub struct Temper {
    /// From a write to the moment when it can be read.
    pub delay_ms: RangeInclusive<u64>,
    /// Of so many reads and writes, one takes only a part.
    pub partial_one_in: u32,
    /// Bytes of one direction that are under way or wait to be read; a writer blocks beyond that.
    pub buffer_bytes: RangeInclusive<usize>,
}

impl Temper {
    /// What is written is there at once and whole.
    #[must_use]
    pub fn calm() -> Self {
        Self { delay_ms: 0..=0, partial_one_in: 0, buffer_bytes: 64 * 1024..=64 * 1024 }
    }
}

/// Who takes the server's end of new connections. `false`: nobody listens.
pub type Listener = Box<dyn Fn(Box<dyn Socket>) -> bool + Send + Sync>;

/// All connections of one run.
pub struct Network {
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    temper: Temper,
    listener: Option<Arc<Listener>>,
    wires: Vec<(u32, Weak<Mutex<Wire>>)>,
}

/// One connection: what the client writes, and what the server writes.
#[derive(Debug)]
pub(crate) struct Wire {
    up: Pipe,
    down: Pipe,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Network {
    #[must_use]
    pub fn new(rng: StdRng, temper: Temper) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { rng, temper, listener: None, wires: Vec::new() }) })
    }

    /// From now on new connections go there; `None`: they are refused.
    pub fn listen(&self, listener: Option<Listener>) {
        self.state.lock().listener = listener.map(Arc::new);
    }

    /// From now on new connections behave like this.
    pub fn set_temper(&self, temper: Temper) {
        self.state.lock().temper = temper;
    }

    /// How `client` reaches the server.
    #[must_use]
    pub fn dialer(self: &Arc<Self>, client: u32) -> Dialer {
        Dialer { network: Arc::clone(self), client }
    }

    /// Breaks the connections of one client: what is under way is lost, both ends see a reset.
    pub fn cut(&self, client: u32) {
        for wire in self.wires(Some(client)) {
            wire.lock().cut();
        }
    }

    /// Breaks every connection, as the end of the server's process does.
    pub fn cut_all(&self) {
        for wire in self.wires(None) {
            wire.lock().cut();
        }
    }

    /// Nothing arrives at one client for a while; nothing is lost either.
    pub fn hold(&self, client: u32, time: Duration) {
        let until = Instant::now() + time;
        for wire in self.wires(Some(client)) {
            wire.lock().down.hold(until);
        }
    }

    fn wires(&self, of: Option<u32>) -> Vec<Arc<Mutex<Wire>>> {
        let state = &mut *self.state.lock();
        state.wires.retain(|(_, wire)| wire.strong_count() > 0);
        let wanted = state.wires.iter().filter(|(client, _)| of.is_none_or(|of| of == *client));
        wanted.filter_map(|(_, wire)| wire.upgrade()).collect()
    }

    fn dial(&self, client: u32) -> io::Result<ClientStream> {
        let (listener, wire) = {
            let state = &mut *self.state.lock();
            let listener = state.listener.clone().ok_or(io::ErrorKind::ConnectionRefused)?;
            let mut pipe = || {
                let capacity = state.rng.random_range(state.temper.buffer_bytes.clone());
                Pipe::new(StdRng::seed_from_u64(state.rng.next_u64()), &state.temper, capacity)
            };
            let wire = Arc::new(Mutex::new(Wire { up: pipe(), down: pipe() }));
            state.wires.push((client, Arc::downgrade(&wire)));
            (listener, wire)
        };
        // The listener is called without the lock: it may look at the network.
        if !listener(Box::new(ServerSocket::new(Arc::clone(&wire)))) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(ClientStream::new(wire))
    }
}

impl Wire {
    fn cut(&mut self) {
        self.up.cut();
        self.down.cut();
    }
}

/// Makes connections for one client. There is no HTTP in this world: a stream begins with WebSocket frames.
#[derive(Debug, Clone)]
pub struct Dialer {
    network: Arc<Network>,
    client: u32,
}

impl Connector for Dialer {
    type Stream = ClientStream;

    async fn connect(&self, _: &Uri) -> io::Result<ClientStream> {
        self.network.dial(self.client)
    }

    fn skips_handshake(&self) -> bool {
        true
    }
}
