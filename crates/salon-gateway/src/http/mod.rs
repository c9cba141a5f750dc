//! The gateway's HTTP side: the WebSocket handshake, `/api` on its way to the service, the web UI, health and metrics.
//!
//! [`serve`] runs one listener; all listeners of a process share one [`Front`]. Open `route.rs` and you know the paths.

mod admission;
mod api;
mod assets;
mod config;
mod cors;
mod credentials;
mod handshake;
mod ops;
mod origin;
mod peer;
mod respond;
mod route;
mod server;
mod sessions;
mod upgrade;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use admission::Admission;
pub use assets::{Asset, Assets};
pub use config::{HttpConfig, HttpLimits, MetricsToken};
pub use ops::{Check, Ops, ReadyFuture};
pub use origin::{InvalidOrigin, Origin};
pub use server::serve;
pub use sessions::{CallFuture, OpenFuture, Opened, Sessions, Start};

/// What stands behind the listeners of a process.
#[derive(Debug)]
pub struct Front {
    config: HttpConfig,
    sessions: Arc<dyn Sessions>,
    ops: Arc<dyn Ops>,
    assets: Option<Arc<dyn Assets>>,
    stopping: CancellationToken,
    admission: Arc<Admission>,
    api_calls: Semaphore,
}

impl Front {
    /// Without `assets`, `/` says in a line of text where things are. `stopping` ends every listener.
    #[must_use]
    pub fn new(
        config: HttpConfig,
        sessions: Arc<dyn Sessions>,
        ops: Arc<dyn Ops>,
        assets: Option<Arc<dyn Assets>>,
        stopping: CancellationToken,
    ) -> Arc<Self> {
        let admission = Admission::new(config.limits.connections_max, config.limits.connections_per_peer_max);
        let api_calls = Semaphore::new(config.limits.api_calls_in_flight_max);
        Arc::new(Self { config, sessions, ops, assets, stopping, admission, api_calls })
    }
}
