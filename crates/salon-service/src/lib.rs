//! The chat service: use cases, accounts, presence. It sees no socket and speaks to gateways through the link only.
//!
//! Open `commands/` and you know what the server can do: one file per command.

use std::sync::Arc;

use salon_core::ports::{Bus, Clock, Randomness, Store};
use salon_proto::link::ServiceEnd;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub mod auth;
pub mod commands;
mod config;
pub mod http;

pub use auth::Identity;
pub use config::{RoomCreation, ServiceConfig, SignupPolicy};

/// What a service is made of; the binary chooses the engines.
#[derive(Clone)]
pub struct Parts {
    pub config: ServiceConfig,
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Randomness>,
}

/// A running chat service.
pub struct Service {
    pub(crate) parts: Parts,
    pub(crate) auth: auth::Auth,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] salon_core::ports::StoreError),
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
        Ok(Arc::new(Self { parts, auth, tasks: TaskTracker::new(), stopping: CancellationToken::new() }))
    }

    /// Serves one gateway until its end of the link is dropped or the service stops.
    pub fn serve_link(self: &Arc<Self>, _link: ServiceEnd) {}

    /// Stops: ends what runs in the background and returns when it has ended.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
