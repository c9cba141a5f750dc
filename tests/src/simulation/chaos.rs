//! What goes wrong while people talk.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use salon_core::UserId;
use salon_store::{Faults, WriteFault};
use tokio::time::sleep;

use super::bus::BusTemper;
use super::cluster::Cluster;
use super::network::Temper;

/// Longest calm between two accidents.
const CALM_MS_MAX: u64 = 1_500;
/// How long the servers may be down.
const DOWN_MS_MAX: u64 = 3_000;

/// Who can be hit.
pub(super) struct Victims<'a> {
    /// Numbers of the clients, as the network knows them.
    pub(super) clients: u32,
    pub(super) people: &'a [UserId],
    /// Whose room it is, and which.
    pub(super) owner_token: &'a str,
    pub(super) owned_room: &'static str,
}

/// Makes so many things go wrong, then heals everything.
pub(super) async fn rage(cluster: &mut Cluster, rng: &mut StdRng, accidents: u32, victims: &Victims<'_>) {
    cluster.network.set_temper(rough(rng));
    for _ in 0..accidents {
        sleep(Duration::from_millis(rng.random_range(0..CALM_MS_MAX))).await;
        accident(cluster, rng, victims).await;
    }
    heal(cluster).await;
}

async fn accident(cluster: &mut Cluster, rng: &mut StdRng, victims: &Victims<'_>) {
    let client = rng.random_range(0..victims.clients);
    match rng.random_range(0..100) {
        0..30 => cluster.network.cut(client),
        30..45 => cluster.network.hold(client, Duration::from_millis(rng.random_range(100..20_000))),
        45..55 => {
            let target = &victims.people[rng.random_range(0..victims.people.len())];
            cluster.remove(victims.owner_token, victims.owned_room, target).await;
        }
        55..65 => {
            cluster.crash().await;
            sleep(Duration::from_millis(rng.random_range(0..DOWN_MS_MAX))).await;
            cluster.start_all().await;
        }
        65..72 => {
            cluster.roll().await;
            sleep(Duration::from_millis(rng.random_range(0..DOWN_MS_MAX))).await;
            cluster.start_all().await;
        }
        72..85 => {
            cluster.set_faults(faults(rng));
            sleep(Duration::from_millis(rng.random_range(0..DOWN_MS_MAX))).await;
            cluster.set_faults(Faults::default());
        }
        85..93 => cluster.exchange.set_temper(BusTemper {
            lost_one_in: rng.random_range(0..4),
            doubled_one_in: rng.random_range(0..4),
            late_one_in: rng.random_range(0..4),
        }),
        _ => cluster.network.set_temper(rough(rng)),
    }
}

async fn heal(cluster: &mut Cluster) {
    cluster.set_faults(Faults::default());
    cluster.exchange.set_temper(BusTemper::default());
    cluster.network.set_temper(Temper::calm());
    cluster.start_all().await;
}

fn rough(rng: &mut StdRng) -> Temper {
    let slowest_ms = rng.random_range(1..200);
    let smallest_bytes = rng.random_range(64..4096);
    Temper {
        delay_ms: 0..=slowest_ms,
        partial_one_in: rng.random_range(0..5),
        buffer_bytes: smallest_bytes..=smallest_bytes * rng.random_range(1..32),
    }
}

/// A store that is slow, and answers some questions badly or not at all.
fn faults(rng: &mut StdRng) -> Faults {
    let slowest_ms = rng.random_range(1..300);
    let (fail_writes_one_in, fail_reads_one_in) = (rng.random_range(2..20), rng.random_range(2..20));
    let mut part = || StdRng::seed_from_u64(rng.next_u64());
    let (mut delays, mut read_delays, mut writes, mut reads) = (part(), part(), part(), part());
    Faults {
        commit_delay: Some(Box::new(move || Duration::from_millis(delays.random_range(0..slowest_ms)))),
        read_delay: Some(Box::new(move || Duration::from_millis(read_delays.random_range(0..slowest_ms)))),
        write_fault: Some(Box::new(move || match writes.random_range(0..fail_writes_one_in * 2) {
            0 => WriteFault::Lost,
            1 => WriteFault::Unanswered,
            _ => WriteFault::None,
        })),
        read_fault: Some(Box::new(move || reads.random_ratio(1, fail_reads_one_in))),
    }
}
