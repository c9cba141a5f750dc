//! A bus between nodes that loses, doubles and delays: the port promises no more than that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::RngExt as _;
use rand::rngs::StdRng;
use salon_core::ports::{Bus, BusMessage, BusSink, Topic};

/// Of so many messages, one is treated like this; 0 means none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusTemper {
    pub(super) lost_one_in: u32,
    pub(super) doubled_one_in: u32,
    /// Waits for the next message to the same node, and arrives behind it.
    pub(super) late_one_in: u32,
}

/// What connects the nodes.
pub(super) struct Exchange {
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    temper: BusTemper,
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
}

#[derive(Default)]
struct Node {
    sink: Option<Arc<dyn BusSink>>,
    followed: BTreeSet<Topic>,
    late: Vec<BusMessage>,
}

impl Exchange {
    pub(super) fn new(rng: StdRng) -> Arc<Self> {
        let state = State { rng, temper: BusTemper::default(), nodes: BTreeMap::new(), next_node: 1 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    pub(super) fn set_temper(&self, temper: BusTemper) {
        self.state.lock().temper = temper;
    }

    /// A node joins.
    pub(super) fn node(self: &Arc<Self>) -> Arc<NodeBus> {
        let state = &mut *self.state.lock();
        let number = state.next_node;
        state.next_node += 1;
        state.nodes.insert(number, Node::default());
        Arc::new(NodeBus { exchange: Arc::clone(self), number })
    }
}

impl State {
    fn one_in(&mut self, chance: u32) -> bool {
        chance > 0 && self.rng.random_ratio(1, chance)
    }

    /// What arrives where.
    fn route(&mut self, topic: &Topic, message: &BusMessage) -> Vec<(Arc<dyn BusSink>, BusMessage)> {
        let mut arrivals = Vec::new();
        let followers: Vec<u64> =
            self.nodes.iter().filter(|(_, node)| node.followed.contains(topic)).map(|(number, _)| *number).collect();
        for number in followers {
            let BusTemper { lost_one_in, doubled_one_in, late_one_in } = self.temper;
            let (lost, doubled, late) = (self.one_in(lost_one_in), self.one_in(doubled_one_in), self.one_in(late_one_in));
            let Some(node) = self.nodes.get_mut(&number) else { continue };
            let Some(sink) = node.sink.clone() else { continue };
            if late && !lost {
                node.late.push(message.clone());
                continue;
            }
            let copies = if lost { 0 } else { 1 + usize::from(doubled) };
            arrivals.extend((0..copies).map(|_| (Arc::clone(&sink), message.clone())));
            arrivals.extend(node.late.drain(..).map(|late| (Arc::clone(&sink), late)));
        }
        arrivals
    }
}

/// One node's way to the bus. Dropping it leaves.
pub(super) struct NodeBus {
    exchange: Arc<Exchange>,
    number: u64,
}

impl NodeBus {
    /// The node is dead: nothing reaches it, and nothing that it still says reaches anybody.
    pub(super) fn cut(&self) {
        self.exchange.state.lock().nodes.remove(&self.number);
    }
}

#[async_trait::async_trait]
impl Bus for NodeBus {
    fn attach(&self, sink: Arc<dyn BusSink>) {
        if let Some(node) = self.exchange.state.lock().nodes.get_mut(&self.number) {
            node.sink = Some(sink);
        }
    }

    async fn follow(&self, topic: Topic) {
        if let Some(node) = self.exchange.state.lock().nodes.get_mut(&self.number) {
            node.followed.insert(topic);
        }
    }

    async fn unfollow(&self, topic: Topic) {
        if let Some(node) = self.exchange.state.lock().nodes.get_mut(&self.number) {
            node.followed.remove(&topic);
        }
    }

    fn publish(&self, topic: Topic, message: BusMessage) {
        let arrivals = {
            let state = &mut *self.exchange.state.lock();
            if state.nodes.contains_key(&self.number) { state.route(&topic, &message) } else { Vec::new() }
        };
        // Without the lock: what a sink does may publish again.
        for (sink, message) in arrivals {
            sink.deliver(message);
        }
    }
}
