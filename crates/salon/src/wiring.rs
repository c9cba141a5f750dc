//! Chooses the engines and puts the parts together.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use salon_bus::InProcessBus;
use salon_core::ports::Store;
use salon_service::Parts;
use salon_store::{SqliteOptions, SqliteStore};

use crate::config::{BadConfig, Settings};
use crate::entropy::{SystemClock, SystemRandomness};

/// The parts of a service on this machine's data, opened.
pub(crate) struct Engine {
    pub(crate) parts: Parts,
    store: Arc<SqliteStore>,
}

impl Engine {
    /// Opens the data with links that begin as the defaults say: for the command line.
    pub(crate) async fn open(settings: Settings) -> anyhow::Result<Self> {
        let first = settings.http_addrs().first().copied().context("there is no listener")?;
        let public_url = settings.origins(first).first().cloned().unwrap_or_default();
        Self::open_for(&settings, public_url).await
    }

    /// Opens the data for a server whose links begin with `public_url`.
    pub(crate) async fn open_for(settings: &Settings, public_url: String) -> anyhow::Result<Self> {
        let config = settings.service(public_url)?;
        create_private_folder(&settings.data_dir())?;
        let path = settings.database()?;
        let opened = tokio::task::spawn_blocking(move || {
            SqliteStore::open(&path, SqliteOptions::default())
                .with_context(|| format!("the database {} cannot be opened", path.display()))
        });
        let store = opened.await??;
        let parts = Parts {
            config,
            store: store.clone() as Arc<dyn Store>,
            bus: InProcessBus::new(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRandomness::new()),
        };
        Ok(Self { parts, store })
    }

    /// Closes the database in order, so that the next start has nothing to recover.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

/// Only the owner may look inside: keys and messages are in there.
fn create_private_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let result = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    result.map_err(|error| {
        BadConfig::new(
            "data_dir",
            folder.display(),
            format!("the folder cannot be made: {error}; choose one that you may write to"),
        )
        .into()
    })
}
