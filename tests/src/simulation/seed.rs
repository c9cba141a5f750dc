//! Everything that is random or tells the time, from one number.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use salon_core::Timestamp;
use salon_core::ports::{Clock, Randomness};
use tokio::time::Instant;

/// 2026-11-20T00:00:00Z: when every simulation begins.
const BEGINNING: Timestamp = Timestamp(1_795_132_800_000);

/// A source of randomness for one part of a run, so that the parts do not disturb one another.
#[must_use]
pub fn rng(seed: u64, part: &str) -> StdRng {
    // FNV-1a: the same on every machine and in every version of the standard library.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.rotate_left(17);
    for byte in part.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    StdRng::seed_from_u64(hash ^ seed)
}

/// Randomness that a seed repeats. Never for anything that has to be secret.
#[derive(Debug)]
pub struct SeededRandomness(Mutex<StdRng>);

impl SeededRandomness {
    #[must_use]
    pub fn new(rng: StdRng) -> Self {
        Self(Mutex::new(rng))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill_bytes(bytes);
    }
}

/// The time of day of the simulated world; it goes with the runtime's clock.
#[derive(Debug)]
pub struct VirtualClock(Instant);

impl VirtualClock {
    /// It is the beginning now.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it notes the time, which is no default")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed_ms = i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        BEGINNING.plus_ms(passed_ms)
    }
}
