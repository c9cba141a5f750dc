//! Logins that ended: their sessions are closed. The bus tells at once; rows in the store, looked at twice a second,
//! make sure. A node that cannot look does not deliver (G7).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use salon_core::{LoginId, UserId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Service;

/// How often the store is asked, in milliseconds.
pub(crate) const POLL_EVERY_MS: u64 = 500;
/// Without an answer for this long, in milliseconds, deliveries are held back.
const SILENCE_MS_MAX: u64 = 1_000;

#[derive(Debug)]
pub(crate) struct Revoked {
    /// The last revocation that was applied.
    number: AtomicU64,
    /// Counts what was applied, to be compared.
    count: AtomicU64,
    holding: watch::Sender<bool>,
}

impl Revoked {
    /// `number` is the last revocation at the start: nothing before it concerns sessions of this process.
    pub(crate) fn new(number: u64) -> Self {
        Self { number: AtomicU64::new(number), count: AtomicU64::new(0), holding: watch::Sender::new(false) }
    }

    /// Changes with every revocation.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Is the store silent, so that nobody may be delivered to?
    pub(crate) fn holding(&self) -> bool {
        *self.holding.borrow()
    }

    /// Waits until deliveries may go on.
    pub(crate) async fn released(&self) {
        if self.holding() {
            // The sender lives as long as the service.
            let _ = self.holding.subscribe().wait_for(|holding| !holding).await;
        }
    }
}

impl Service {
    /// Asks the store what was revoked. Returns when it answered last.
    pub(crate) async fn poll_revocations(&self, last_answer: Instant) -> Instant {
        let behind = self.revoked.number.load(Ordering::Acquire);
        let asking = self.parts.store.revocations(Some(behind));
        match tokio::time::timeout(Duration::from_millis(POLL_EVERY_MS), asking).await {
            Ok(Ok(revocations)) => {
                for revocation in revocations {
                    self.revoke_sessions(&revocation.user, revocation.login.as_ref());
                    self.revoked.number.fetch_max(revocation.number, Ordering::AcqRel);
                }
                if self.revoked.holding.send_replace(false) {
                    tracing::info!("the store answers again: deliveries go on");
                }
                Instant::now()
            }
            Ok(Err(_)) | Err(_) => {
                let silent = last_answer.elapsed() >= Duration::from_millis(SILENCE_MS_MAX);
                if silent && !self.revoked.holding.send_replace(true) {
                    tracing::error!("the store does not answer: deliveries are held back");
                }
                last_answer
            }
        }
    }

    /// Closes the sessions of a login, or of all of somebody's.
    pub(crate) fn revoke_sessions(&self, user: &UserId, login: Option<&LoginId>) {
        self.revoked.count.fetch_add(1, Ordering::AcqRel);
        for session in self.roster.sessions_of(user) {
            if session.depends_on(login) {
                self.metrics.revocations.inc();
                self.revoke_session(&session);
            }
        }
    }
}
