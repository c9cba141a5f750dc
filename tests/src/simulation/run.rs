//! One run, from a seed to a verdict.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt as _;
use salon_client::{Backoff, Client, ClientConfig, Credential, Events, Tap};
use salon_core::UserId;
use salon_core::ports::Clock;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::actor::{self, Actor};
use super::chaos::{self, Victims};
use super::cluster::Cluster;
use super::network::{Network, Temper};
use super::seed::{self, SeededRandomness};
use crate::checker::{Aftermath, DeviceRecorder, Recorder, Trace, Violation, check};
use crate::support::inspector;

/// The room that everybody finds, and one that belongs to the first person.
const ROOMS: [&str; 2] = ["general", "attic"];
const PEOPLE: usize = 5;
const ACTIONS: u32 = 30;
const ACCIDENTS: u32 = 25;
/// Virtual time after which a run is stuck.
const RUN_MAX: Duration = Duration::from_secs(3600);
/// Virtual time that the last entries may need. A client that waits to reconnect comes back within its longest back-off.
const REST_MAX: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// No network, no name: the connector knows the way.
const URL: &str = "ws://salon.test/ws";

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub trace: Trace,
    pub aftermath: Aftermath,
    pub violations: Vec<Violation>,
}

/// Runs one seed to its end.
///
/// # Panics
/// The run is stuck, or something in it panicked.
#[must_use]
pub fn simulate(seed: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without a network can always be built");
    runtime.block_on(async {
        match timeout(RUN_MAX, run(seed)).await {
            Ok(report) => report,
            Err(_) => panic!("seed {seed} is stuck"),
        }
    })
}

struct World {
    seed: u64,
    network: Arc<Network>,
    clock: Arc<dyn Clock>,
    recorder: Recorder,
    tasks: TaskTracker,
}

impl World {
    fn config(&self, token: &str, number: u32, tap: Option<Arc<dyn Tap>>) -> ClientConfig {
        let rng = seed::rng(self.seed, &format!("client {number}"));
        ClientConfig {
            backoff: Backoff {
                first: Duration::from_millis(100),
                max: Duration::from_secs(10),
                stable_after: Duration::from_secs(2),
            },
            clock: Arc::clone(&self.clock),
            rng: Arc::new(SeededRandomness::new(rng)),
            tap,
            events_max: 16,
            ..ClientConfig::new(URL, Credential::Token(token.to_owned()))
        }
    }

    /// A device that is recorded, with somebody who reads its events.
    fn device(&self, token: &str, number: u32) -> Client {
        let recorder = self.recorder.device();
        let tap: Arc<dyn Tap> = Arc::<DeviceRecorder>::clone(&recorder);
        let (client, events) = self.connect(token, number, Some(tap));
        self.tasks.spawn(actor::listen(events, recorder));
        client
    }

    fn connect(&self, token: &str, number: u32, tap: Option<Arc<dyn Tap>>) -> (Client, Events) {
        Client::start(self.config(token, number, tap), self.network.dialer(number))
    }
}

async fn run(seed: u64) -> Report {
    let mut rng = seed::rng(seed, "run");
    let network = Network::new(seed::rng(seed, "network"), Temper::calm());
    let nodes = rng.random_range(1..=2);
    let mut cluster = Cluster::start(seed, nodes, Arc::clone(&network)).await;
    let (clock, recorder, tasks) = (cluster.clock(), Recorder::new(), TaskTracker::new());
    let world = World { seed, network, clock, recorder, tasks };

    let mut people: Vec<(UserId, String)> = Vec::new();
    for n in 0..PEOPLE {
        people.push(cluster.person(&format!("person-{n}")).await);
    }
    let owner_token = people[0].1.clone();
    cluster.create_room(&owner_token, ROOMS[1]).await;

    // Everybody has one device, the first two have another one.
    let owners: Vec<usize> = (0..PEOPLE).chain(0..2).collect();
    let mut clients = Vec::new();
    let mut lives = Vec::new();
    for (number, owner) in (0_u32..).zip(owners) {
        let client = world.device(&people[owner].1, number);
        let rng = seed::rng(seed, &format!("actor {number}"));
        let actor = Actor::new(client.clone(), rng, ROOMS.to_vec(), format!("device-{number}"));
        clients.push(client);
        lives.push(actor.live(ACTIONS));
    }
    let ids: Vec<UserId> = people.iter().skip(1).map(|(id, _)| id.clone()).collect();
    let count = u32::try_from(clients.len()).unwrap_or(u32::MAX);
    let victims = Victims { clients: count, people: &ids, owner_token: &owner_token, owned_room: ROOMS[1] };
    tokio::join!(join_all(lives), chaos::rage(&mut cluster, &mut rng, ACCIDENTS, &victims));

    let (trace, aftermath, violations) = judge(&world, &owner_token, count).await;
    for client in &clients {
        client.close().await;
    }
    cluster.stop().await;
    world.tasks.close();
    world.tasks.wait().await;
    Report { seed, trace, aftermath, violations }
}

/// Reads what remains, and waits until everybody has it.
async fn judge(world: &World, token: &str, number: u32) -> (Trace, Aftermath, Vec<Violation>) {
    let (inspector, mut events) = world.connect(token, number, None);
    let mut aftermath = Aftermath::default();
    for room in ROOMS {
        aftermath.rooms.insert(room.to_owned(), inspector::read(&inspector, &mut events, room).await);
    }
    inspector.close().await;
    let mut waited = Duration::ZERO;
    loop {
        let trace = world.recorder.trace();
        let violations = check(&trace, &aftermath);
        let resting = !violations.iter().any(Violation::may_pass);
        if resting || waited >= REST_MAX {
            return (trace, aftermath, violations);
        }
        sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}
