//! Whether the database can still be trusted.

use rusqlite::ErrorCode;
use salon_core::ports::StoreError;
use tokio::sync::watch;

/// Shared by everything that touches the database.
#[derive(Debug, Clone)]
pub(super) struct Health {
    reason: watch::Sender<Option<String>>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { reason: watch::Sender::new(None) }
    }

    /// Why the database is not to be trusted any more, if it is not.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// The first reason stays: what follows is a consequence.
    pub(super) fn fail(&self, reason: &str) -> StoreError {
        let first = self.reason.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert_with(|| reason.to_owned());
            first
        });
        if first {
            tracing::error!(reason, "the database has failed, nothing more is written");
        }
        StoreError::Failed(self.reason().unwrap_or_default())
    }

    /// Waits for the end.
    pub(super) async fn failed(&self) -> String {
        let mut reason = self.reason.subscribe();
        // The sender lives as long as this does, so waiting ends with a reason only.
        let found = reason.wait_for(Option::is_some).await.map(|reason| reason.clone());
        found.ok().flatten().unwrap_or_default()
    }

    /// What an error means for whoever asked, and for everybody else.
    pub(super) fn judge(&self, error: &rusqlite::Error) -> StoreError {
        if is_fatal(error) {
            return self.fail(&error.to_string());
        }
        if !is_busy(error) {
            tracing::error!(%error, "the database refused");
        }
        StoreError::Unavailable(error.to_string())
    }
}

/// Another process holds the lock for longer than it is waited for.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// After these nobody knows what is on the disk, or nothing fits on it: the process ends rather than guess (G1).
pub(super) fn is_fatal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport
        )
    )
}
