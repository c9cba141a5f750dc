//! Rate limits as arithmetic: the generic cell rate algorithm (ITU-T I.371), one number per person and no timer.

use crate::time::Timestamp;

/// A bucket of `burst` tokens that fills with `per_s` tokens a second.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    pub burst: u32,
    pub per_s: u32,
}

/// When the next token would be due if tokens were taken at the long-run rate: all the state a person needs. The least
/// one is the fullest bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Allowance {
    due_us: i64,
}

impl RateLimit {
    /// Takes a token, or says after how many milliseconds there will be one.
    ///
    /// # Errors
    /// Milliseconds to wait.
    pub fn take(self, allowance: &mut Allowance, now: Timestamp) -> Result<(), u64> {
        allowance.take(self.burst, 1_000_000 / i64::from(self.per_s.max(1)), now)
    }

    /// True where forgetting this allowance changes nothing, because the bucket is full again.
    #[must_use]
    pub fn is_rested(self, allowance: Allowance, now: Timestamp) -> bool {
        allowance.is_rested(now)
    }
}

/// A bucket of `burst` tokens that gains one every `refill_ms`: for what should happen less than once a second.
#[derive(Debug, Clone, Copy)]
pub struct SlowLimit {
    pub burst: u32,
    pub refill_ms: u32,
}

impl SlowLimit {
    /// Takes a token, or says after how many milliseconds there will be one.
    ///
    /// # Errors
    /// Milliseconds to wait.
    pub fn take(self, allowance: &mut Allowance, now: Timestamp) -> Result<(), u64> {
        allowance.take(self.burst, self.step_us(), now)
    }

    /// Returns a token that turned out not to be owed.
    pub fn give_back(self, allowance: &mut Allowance) {
        allowance.due_us = allowance.due_us.saturating_sub(self.step_us());
    }

    fn step_us(self) -> i64 {
        i64::from(self.refill_ms.max(1)) * 1000
    }
}

impl Allowance {
    /// True where forgetting this allowance changes nothing, because the bucket is full again.
    #[must_use]
    pub fn is_rested(self, now: Timestamp) -> bool {
        self.due_us <= now.0.saturating_mul(1000)
    }

    fn take(&mut self, burst: u32, step_us: i64, now: Timestamp) -> Result<(), u64> {
        let now_us = now.0.saturating_mul(1000);
        let tolerance_us = step_us * i64::from(burst.max(1) - 1);
        let due_us = self.due_us.max(now_us);
        let early_us = due_us - tolerance_us - now_us;
        if early_us > 0 {
            return Err(u64::try_from(early_us / 1000 + 1).unwrap_or(1));
        }
        self.due_us = due_us + step_us;
        Ok(())
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
    #[test]
    fn a_slow_limit_refills_less_than_once_a_second_and_takes_tokens_back() {
        let limit = SlowLimit { burst: 3, refill_ms: 6_000 };
        let mut allowance = Allowance::default();
        let start = Timestamp(1_000_000);
        assert!((0..3).all(|_| limit.take(&mut allowance, start).is_ok()));
        assert_eq!(limit.take(&mut allowance, start), Err(6_001));
        limit.give_back(&mut allowance);
        assert_eq!(limit.take(&mut allowance, start), Ok(()));
        assert!(limit.take(&mut allowance, start.plus_ms(5_999)).is_err());
        assert_eq!(limit.take(&mut allowance, start.plus_ms(6_000)), Ok(()));
        assert!(!allowance.is_rested(start.plus_ms(6_000)) && allowance.is_rested(start.plus_ms(24_000)));
    }
}
