//! How fast a person may write, over all connections and transports.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use salon_core::limits::Limits;
use salon_core::rate::{Allowance, RateLimit};
use salon_core::{CommandError, Timestamp, UserId};

use crate::Service;

/// People whose allowance is remembered; with more of them active at once, the rested ones are forgotten early.
const ALLOWANCES_MAX: usize = 100_000;
/// How often the rested ones are forgotten, in milliseconds.
pub(crate) const SWEEP_EVERY_MS: u64 = 30_000;

#[derive(Debug)]
pub(crate) struct Limiter {
    limit: RateLimit,
    allowances: Mutex<BTreeMap<UserId, Allowance>>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let limit = RateLimit { burst: limits.message_burst, per_s: limits.messages_per_s };
        Self { limit, allowances: Mutex::default() }
    }

    fn take(&self, user: &UserId, now: Timestamp) -> Result<(), u64> {
        let mut allowances = self.allowances.lock();
        if allowances.len() >= ALLOWANCES_MAX && !allowances.contains_key(user) {
            allowances.retain(|_, allowance| !self.limit.is_rested(*allowance, now));
            if allowances.len() >= ALLOWANCES_MAX {
                // Everybody writes at once: whoever was not among them yet waits.
                return Err(SWEEP_EVERY_MS);
            }
        }
        self.limit.take(allowances.entry(user.clone()).or_default(), now)
    }

    pub(crate) fn sweep(&self, now: Timestamp) {
        self.allowances.lock().retain(|_, allowance| !self.limit.is_rested(*allowance, now));
    }
}

impl Service {
    /// Counts one message, edit, deletion or reaction.
    pub(crate) fn may_write(&self, user: &UserId) -> Result<(), CommandError> {
        self.limiter.take(user, self.now()).map_err(CommandError::rate_limited)
    }
}
