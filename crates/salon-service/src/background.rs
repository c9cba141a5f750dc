//! What runs beside the commands: a handful of tasks, each with its period, all of them tracked.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use salon_core::Seq;
use tokio::time::{Instant, MissedTickBehavior};

use crate::Service;
use crate::activity::ACTIVITY_EVERY_MS;
use crate::limiter::SWEEP_EVERY_MS;
use crate::logs::COMPARE_EVERY_MS;
use crate::presence::CROWDS_EVERY_MS;
use crate::revocations::POLL_EVERY_MS;

/// How often it is looked who has gone offline, in milliseconds.
const PRESENCE_EVERY_MS: u64 = 500;
/// How often retention is applied, in milliseconds.
const RETENTION_EVERY_MS: u64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

impl Service {
    pub(crate) fn start_background(self: &Arc<Self>) {
        self.tasks.spawn(Arc::clone(self).watch_revocations());
        self.every(PRESENCE_EVERY_MS, |service, _| async move { service.tell_who_left().await });
        self.every(CROWDS_EVERY_MS, |service, _| async move { service.tell_crowds().await });
        self.every(ACTIVITY_EVERY_MS, |service, _| async move { service.tell_activity().await });
        self.every(COMPARE_EVERY_MS, |service, round| async move { service.compare_round(round).await });
        self.every(SWEEP_EVERY_MS, |service, _| async move { service.limiter.sweep(service.now()) });
        self.every(RETENTION_EVERY_MS, |service, _| async move { service.apply_retention().await });
    }

    /// Does something again and again until the service stops. `work` gets the number of the round.
    fn every<F, Work>(self: &Arc<Self>, period_ms: u64, work: F)
    where
        F: Fn(Arc<Self>, u64) -> Work + Send + Sync + 'static,
        Work: Future<Output = ()> + Send + 'static,
    {
        let service = Arc::clone(self);
        self.tasks.spawn(async move {
            let period = Duration::from_millis(period_ms);
            let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for round in 0.. {
                let turn = async {
                    ticks.tick().await;
                    work(Arc::clone(&service), round).await;
                };
                tokio::select! {
                    biased;
                    () = service.stopping.cancelled() => return,
                    () = turn => {}
                }
            }
        });
    }

    async fn watch_revocations(self: Arc<Self>) {
        let period = Duration::from_millis(POLL_EVERY_MS);
        let mut last_answer = Instant::now();
        loop {
            let next = Instant::now() + period;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                answer = self.poll_revocations(last_answer) => last_answer = answer,
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    async fn tell_who_left(&self) {
        for (user, shown, rooms) in self.roster.tick(self.now()) {
            self.tell_shown(&user, &shown, rooms).await;
        }
    }

    /// Drops what is older than the installation keeps.
    async fn apply_retention(&self) {
        let Some(days) = self.parts.config.retention_days else { return };
        let before = self.now().plus_ms(-(i64::from(days) * DAY_MS));
        let old = match self.parts.store.older_than(before).await {
            Ok(old) => old,
            Err(error) => {
                tracing::warn!(%error, "retention has to wait");
                return;
            }
        };
        for (room, Seq(last)) in old {
            if let Err(error) = self.parts.store.trim(&room, Seq(last + 1)).await {
                tracing::warn!(%room, %error, "retention has to wait");
                return;
            }
            tracing::info!(%room, last, "retention has dropped old entries");
        }
    }
}
