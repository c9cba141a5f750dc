//! The chat service: use cases, accounts, presence. It sees no socket and speaks to gateways through the link only.
//!
//! Open `commands/` and you know what the server can do: one file per command. `link/` is where a gateway's frames
//! arrive, `append` is where a decision becomes a durable entry, `logs/` is where entries leave for the gateways.
//!
//! Locks are `parking_lot`, never held across an await, and nest in one order only: a live log or a link's session
//! table, then a session, then an outbox or the roster. Nothing else is locked while a lock is held.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use salon_core::ports::{Bus, Clock, NewRoom, Randomness, Store, StoreError, Topic};
use salon_core::{CommandError, Epoch, HistoryPolicy, RoomId, RoomKind, Timestamp, UserId};
use salon_proto::link::ServiceEnd;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod access;
mod activity;
mod append;
pub mod auth;
mod background;
pub mod commands;
mod config;
pub mod grpc;
pub mod http;
mod limiter;
mod link;
mod logs;
mod metrics;
mod names;
mod presence;
mod print;
mod revocations;
mod roster;
mod session;
#[cfg(test)]
mod tests;

pub use auth::Identity;
pub use config::{RoomCreation, ServiceConfig, SignupPolicy};

/// The room that exists from the first start (PROTOCOL §8).
const GENERAL: &str = "general";
/// The name of the key of the body hashes among the installation's settings.
const BODY_HASH_KEY: &str = "body_hash_key";

/// What a service is made of; the binary chooses the engines.
#[derive(Clone)]
pub struct Parts {
    pub config: ServiceConfig,
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Randomness>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A running chat service.
pub struct Service {
    pub(crate) parts: Parts,
    pub(crate) auth: auth::Auth,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    /// The service itself, for the tasks that its methods start.
    itself: Weak<Self>,
    body_key: hmac::Key,
    links: Mutex<BTreeMap<u64, Arc<link::Link>>>,
    logs: logs::LiveLogs,
    roster: roster::Roster,
    names: names::Names,
    limiter: limiter::Limiter,
    activity: activity::Activity,
    crowds: presence::Crowds,
    revoked: revocations::Revoked,
    metrics: metrics::Metrics,
    /// Numbers of links and sessions, unique in this process.
    numbers: AtomicU64,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Keys(String),
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Opens the accounts, creates the room `general` on the first start, starts the background tasks.
    ///
    /// # Errors
    /// The store does not answer, or the keys cannot be read or written.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let auth = auth::Auth::start(&parts).await?;
        let body_key = body_key(&parts).await?;
        create_general(&parts).await?;
        let last = parts.store.revocations(None).await?.last().map_or(0, |revocation| revocation.number);
        let service = Arc::new_cyclic(|itself| Self {
            auth,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            itself: Weak::clone(itself),
            body_key,
            links: Mutex::default(),
            logs: logs::LiveLogs::default(),
            roster: roster::Roster::default(),
            names: names::Names::default(),
            limiter: limiter::Limiter::new(&parts.config.limits),
            activity: activity::Activity::default(),
            crowds: presence::Crowds::default(),
            revoked: revocations::Revoked::new(last),
            metrics: metrics::Metrics::new(),
            numbers: AtomicU64::new(1),
            parts,
        });
        service.parts.bus.attach(Arc::new(logs::Arrivals::new(&service)));
        service.parts.bus.follow(Topic::Everyone).await;
        service.start_background();
        Ok(service)
    }

    /// Serves one gateway until its end of the link is dropped or the service stops.
    pub fn serve_link(self: &Arc<Self>, link: ServiceEnd) {
        self.tasks.spawn(link::serve(Arc::clone(self), link));
    }

    /// Stops: ends what runs in the background and returns when it has ended.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.auth.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.auth.stop().await;
    }

    /// Accounts.
    #[must_use]
    pub fn auth(&self) -> &auth::Auth {
        &self.auth
    }

    /// Can it do its work now? For `/readyz`.
    ///
    /// # Errors
    /// What is missing, as a sentence.
    pub async fn ready(&self) -> Result<(), String> {
        if self.revoked.holding() {
            return Err("the store has not answered for a second: deliveries are held back".to_owned());
        }
        self.parts.store.ready().await.map_err(|error| error.to_string())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs something beside the caller, as one of the tasks that [`Service::stop`] waits for.
    pub(crate) fn spawn<F, Work>(&self, work: F)
    where
        F: FnOnce(Arc<Self>) -> Work,
        Work: Future<Output = ()> + Send + 'static,
    {
        if let Some(service) = self.itself.upgrade() {
            self.tasks.spawn(work(service));
        }
    }
}

/// A store that does not answer makes a command `unavailable`; the reason is for the operator, not for the client.
pub(crate) fn unavailable(error: &StoreError) -> CommandError {
    tracing::warn!(%error, "the store did not answer a command");
    CommandError::unavailable("the store does not answer: try again, a message with the same client_id")
}

async fn body_key(parts: &Parts) -> Result<hmac::Key, StoreError> {
    let mut random = [0; 32];
    parts.rng.fill(&mut random);
    let key = parts.store.setting_or_insert(BODY_HASH_KEY, &random).await?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

/// The room that everybody finds on the first start.
async fn create_general(parts: &Parts) -> Result<(), StoreError> {
    // `false`: it is there already, or another node was faster.
    create_unowned_room(parts, RoomId::from_stored(GENERAL), String::new()).await.map(|_| ())
}

/// Creates a public room that nobody owns: administrators moderate it. Its creator is an id that no account can have.
/// False where the name is taken.
///
/// # Errors
/// The store does not answer.
pub async fn create_unowned_room(parts: &Parts, id: RoomId, title: String) -> Result<bool, StoreError> {
    if !parts.store.heads(std::slice::from_ref(&id)).await?.is_empty() {
        return Ok(false);
    }
    let new = NewRoom {
        id,
        kind: RoomKind::Public,
        title,
        topic: String::new(),
        history: HistoryPolicy::All,
        epoch: Epoch::mint(parts.rng.next_u64()),
        creator: UserId::from_stored("u_salon"),
        members: Vec::new(),
        at: parts.clock.now(),
    };
    Ok(parts.store.create_room(new).await?.is_some())
}
