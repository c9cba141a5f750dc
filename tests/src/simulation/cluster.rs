//! The servers of a run: nodes of a service and a gateway each, over one store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt as _;
use rand::rngs::StdRng;
use salon_core::ports::{Accounts as _, Bus, Clock, NewAccount, Randomness, SignUp, Store};
use salon_core::{Epoch, HistoryPolicy, MemberChange, RoomId, RoomKind, UserId};
use salon_gateway::http::{Sessions as _, Start};
use salon_gateway::socket::Socket;
use salon_gateway::{Gateway, GatewayConfig};
use salon_proto::link::{in_process, open_session};
use salon_service::commands::CreateRoom;
use salon_service::{Identity, Parts, Service, ServiceConfig};
use salon_store::{Faults, MemoryStore};

use super::bus::{Exchange, NodeBus};
use super::network::Network;
use super::seed::{self, SeededRandomness, VirtualClock};

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(5);
/// Life of every token: longer than any run.
const TOKEN_S: u32 = 24 * 3600;

pub(super) struct Cluster {
    seed: u64,
    rng: StdRng,
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) network: Arc<Network>,
    nodes: Vec<Option<Node>>,
    /// Counts the lives of nodes, so that each has randomness of its own.
    lives: u64,
}

struct Node {
    service: Arc<Service>,
    gateway: Arc<Gateway>,
    bus: Arc<NodeBus>,
}

impl Cluster {
    /// So many nodes on an empty store, all of them up.
    pub(super) async fn start(seed: u64, nodes: usize, network: Arc<Network>) -> Self {
        let mut cluster = Self {
            seed,
            rng: seed::rng(seed, "cluster"),
            store: MemoryStore::new(),
            clock: Arc::new(VirtualClock::new()),
            exchange: Exchange::new(seed::rng(seed, "bus")),
            network,
            nodes: (0..nodes).map(|_| None).collect(),
            lives: 0,
        };
        for at in 0..nodes {
            cluster.start_node(at).await;
        }
        cluster.listen();
        cluster
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::<VirtualClock>::clone(&self.clock)
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.store.set_faults(faults);
    }

    async fn start_node(&mut self, at: usize) {
        self.lives += 1;
        let random = |part: &str| -> Arc<dyn Randomness> {
            let rng = seed::rng(self.seed, &format!("{part} {}", self.lives));
            Arc::new(SeededRandomness::new(rng))
        };
        let bus = self.exchange.node();
        let parts = Parts {
            config: ServiceConfig::default(),
            store: Arc::<MemoryStore>::clone(&self.store) as Arc<dyn Store>,
            bus: Arc::<NodeBus>::clone(&bus) as Arc<dyn Bus>,
            clock: self.clock(),
            rng: random("service"),
        };
        let service = Service::start(parts).await.expect("a service starts on a store that works");
        let (gateway_end, service_end) = in_process();
        service.serve_link(service_end);
        let gateway = Gateway::start(GatewayConfig::default(), gateway_end, self.clock(), random("gateway"));
        self.nodes[at] = Some(Node { service, gateway, bus });
    }

    /// New connections go to any node that is up.
    fn listen(&self) {
        let gateways: Vec<Arc<Gateway>> = self.nodes.iter().flatten().map(|node| Arc::clone(&node.gateway)).collect();
        if gateways.is_empty() {
            return self.network.listen(None);
        }
        let rng = parking_lot::Mutex::new(seed::rng(self.seed, &format!("listener {}", self.lives)));
        self.network.listen(Some(Box::new(move |socket: Box<dyn Socket>| {
            let chosen = rng.lock().random_range(0..gateways.len());
            gateways[chosen].accept(socket, Bytes::new(), Start::AwaitHello { peer: "simulated".to_owned() });
            true
        })));
    }

    /// The power fails everywhere: what was not yet on the disk is lost, whole or in part.
    pub(super) async fn crash(&mut self) {
        self.network.listen(None);
        self.network.cut_all();
        let survivors = self.rng.random_range(0..=self.store.pending_writes());
        self.store.crash(survivors);
        for node in self.nodes.iter_mut().filter_map(Option::take) {
            node.die().await;
        }
        self.store = self.store.reopen();
    }

    /// Every node that is down starts.
    pub(super) async fn start_all(&mut self) {
        for at in 0..self.nodes.len() {
            if self.nodes[at].is_none() {
                self.start_node(at).await;
            }
        }
        self.listen();
    }

    /// One node is stopped in order, and started again.
    pub(super) async fn roll(&mut self) {
        let at = self.rng.random_range(0..self.nodes.len());
        let Some(node) = self.nodes[at].take() else { return };
        self.listen();
        node.gateway.drain(DRAIN).await;
        node.gateway.stop().await;
        node.service.stop().await;
        node.bus.cut();
    }

    fn service(&self) -> Option<&Arc<Service>> {
        self.nodes.iter().flatten().map(|node| &node.service).next()
    }

    /// An account, and a token for it.
    pub(super) async fn person(&self, name: &str) -> (UserId, String) {
        let random = SeededRandomness::new(seed::rng(self.seed, name));
        let email = format!("{name}@salon.test");
        let new = NewAccount {
            id: UserId::mint(random.next_u128()),
            email: email.clone(),
            name: name.to_owned(),
            // Nobody logs in with it; computing a real hash would only take time.
            password: "unusable".to_owned(),
            admin: false,
            epoch: Epoch::mint(random.next_u64()),
            at: self.clock.now(),
            invite: None,
        };
        let created = self.store.sign_up(new).await.expect("the store works in the beginning");
        let SignUp::Created { user, .. } = created else { panic!("{name} exists already") };
        let service = self.service().expect("a node is up in the beginning");
        let token = service.auth().create_token(&email, TOKEN_S).await.expect("a token for an account that exists");
        (user.id, token.expose().to_owned())
    }

    async fn identity(&self, token: &str) -> Option<(Arc<Service>, Identity)> {
        let service = Arc::clone(self.service()?);
        let credential = open_session::Credential::Token(token.to_owned());
        let identity = service.auth().open(&credential).await.ok()?;
        Some((service, identity))
    }

    /// A public room that belongs to whoever has this token.
    pub(super) async fn create_room(&self, token: &str, name: &str) {
        let (service, owner) = self.identity(token).await.expect("the token is good");
        let new = CreateRoom {
            name: name.to_owned(),
            title: String::new(),
            kind: RoomKind::Public,
            peer: None,
            history: HistoryPolicy::All,
        };
        service.create_room(&owner, new).await.expect("the name is free");
    }

    /// An owner throws somebody out, if the servers let it happen.
    pub(super) async fn remove(&self, token: &str, room: &str, target: &UserId) {
        let Some((service, owner)) = self.identity(token).await else { return };
        let room = RoomId::parse(room).expect("rooms of the simulation have good names");
        // Whether it worked shows in the log; while the store fails, or where there is no such member, it does not.
        let _ = service.change_member(&owner, &room, target, MemberChange::Removed, None).await;
    }

    /// Everything ends.
    pub(super) async fn stop(mut self) {
        self.network.listen(None);
        for node in self.nodes.iter_mut().filter_map(Option::take) {
            node.gateway.stop().await;
            node.service.stop().await;
        }
    }
}

impl Node {
    /// Its tasks end; its sockets and its store are dead already, so nobody hears what they still say.
    async fn die(self) {
        self.bus.cut();
        self.gateway.stop().await;
        self.service.stop().await;
    }
}
