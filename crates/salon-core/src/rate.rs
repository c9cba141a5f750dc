//! Rate limits as arithmetic: the generic cell rate algorithm (ITU-T I.371), one number per person and no timer.

use crate::time::Timestamp;

/// A bucket of `burst` tokens that fills with `per_s` tokens a second.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    pub burst: u32,
    pub per_s: u32,
}

/// When the next token would be due if tokens were taken at the long-run rate: all the state a person needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowance {
    due_us: i64,
}

impl RateLimit {
    /// Takes a token, or says after how many milliseconds there will be one.
    ///
    /// # Errors
    /// Milliseconds to wait.
    pub fn take(self, allowance: &mut Allowance, now: Timestamp) -> Result<(), u64> {
        let now_us = now.0.saturating_mul(1000);
        let step_us = 1_000_000 / i64::from(self.per_s.max(1));
        let tolerance_us = step_us * i64::from(self.burst.max(1) - 1);
        let due_us = allowance.due_us.max(now_us);
        let early_us = due_us - tolerance_us - now_us;
        if early_us > 0 {
            return Err(u64::try_from(early_us / 1000 + 1).unwrap_or(1));
        }
        allowance.due_us = due_us + step_us;
        Ok(())
    }

    /// True where forgetting this allowance changes nothing, because the bucket is full again.
    #[must_use]
    pub fn is_rested(self, allowance: Allowance, now: Timestamp) -> bool {
        allowance.due_us <= now.0.saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_long_run_rate() {
        let limit = RateLimit { burst: 200, per_s: 50 };
        let mut allowance = Allowance::default();
        let start = Timestamp(1_000_000);
        assert!((0..200).all(|_| limit.take(&mut allowance, start).is_ok()));
        let wait_ms = limit.take(&mut allowance, start).unwrap_err();
        assert!((20..=21).contains(&wait_ms), "{wait_ms}");
        let taken = (1..=1000).filter(|ms| limit.take(&mut allowance, start.plus_ms(*ms)).is_ok()).count();
        assert_eq!(taken, 50);
        assert!(limit.is_rested(allowance, start.plus_ms(6_000)));
    }
}
