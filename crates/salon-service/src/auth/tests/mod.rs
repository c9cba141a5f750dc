//! A service with an empty memory store, a clock that stands until it is moved, and a bus that remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use salon_core::Timestamp;
use salon_core::ports::{Bus, BusMessage, BusSink, Clock, Randomness, Topic};
use salon_store::MemoryStore;

use super::{Auth, Granted, SignUpRequest};
use crate::{Parts, ServiceConfig, SignupPolicy};

mod invitations;
mod logins;
mod tokens;

pub(crate) const PEER: &str = "192.0.2.7:40000";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Bytes that are different each time and the same in each run.
#[derive(Debug, Default)]
pub(crate) struct CountingRandomness(AtomicU64);

impl Randomness for CountingRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_le_bytes());
        for (byte, random) in bytes.iter_mut().zip(digest.as_ref().iter().cycle()) {
            *byte = *random;
        }
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Remembers who was said to be revoked.
#[derive(Debug, Default)]
pub(crate) struct RememberingBus(Mutex<Vec<String>>);

impl RememberingBus {
    /// `user` or `user/login`, in order.
    pub(crate) fn revoked(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

#[async_trait::async_trait]
impl Bus for RememberingBus {
    fn attach(&self, _: Arc<dyn BusSink>) {}

    async fn follow(&self, _: Topic) {}

    async fn unfollow(&self, _: Topic) {}

    fn publish(&self, topic: Topic, message: BusMessage) {
        match message {
            BusMessage::Revoked { user, login } => {
                assert_eq!(topic, Topic::Everyone);
                self.0.lock().push(login.map_or_else(|| user.to_string(), |login| format!("{user}/{login}")));
            }
            BusMessage::Entry(_) | BusMessage::Ephemeral { .. } => {}
        }
    }
}

/// What a test holds of the world around the service.
pub(crate) struct World {
    pub(crate) parts: Parts,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) bus: Arc<RememberingBus>,
}

impl World {
    pub(crate) fn new(signup: SignupPolicy) -> Self {
        Self::with(ServiceConfig { signup, ..ServiceConfig::default() })
    }

    pub(crate) fn with(config: ServiceConfig) -> Self {
        let store = MemoryStore::new();
        let clock = Arc::new(StandingClock(AtomicI64::new(1_800_000_000_000)));
        let bus = Arc::new(RememberingBus::default());
        let parts = Parts {
            config,
            store: store.clone(),
            bus: bus.clone(),
            clock: clock.clone(),
            rng: Arc::new(CountingRandomness::default()),
        };
        Self { parts, store, clock, bus }
    }

    pub(crate) async fn auth(&self) -> Auth {
        Auth::start(&self.parts).await.unwrap()
    }
}

pub(crate) fn request(email: &str, invite: Option<&str>) -> SignUpRequest {
    SignUpRequest { email: email.to_owned(), password: PASSWORD.to_owned(), name: None, invite: invite.map(str::to_owned) }
}

impl Auth {
    async fn newcomer(&self, email: &str) -> Granted {
        self.sign_up(request(email, None), PEER).await.unwrap()
    }
}
