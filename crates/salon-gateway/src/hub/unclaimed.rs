//! Heads of logs that nobody listens to just now.
//!
//! The service announces entries of a log from the moment in which it handles somebody's `join`; the answer to that
//! `join` may arrive behind them. What they were is in the store, but that they were must not be forgotten: a lost
//! last entry has no successor to betray it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::moment::Moment;

/// Longer than a `join` can take.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Logs that are remembered. Beyond that the store is asked, see [`Unclaimed::has_forgotten`].
const LOGS_MAX: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    logs: BTreeMap<Arc<str>, Head>,
    order: VecDeque<(Moment, Arc<str>)>,
    forgot: Option<Moment>,
}

#[derive(Debug)]
struct Head {
    epoch: Arc<str>,
    seq: u64,
    at: Moment,
}

impl Unclaimed {
    pub(super) fn note(&mut self, log: &str, epoch: &str, seq: u64, now: Moment) {
        self.expire(now);
        if let Some(head) = self.logs.get_mut(log) {
            if *head.epoch == *epoch {
                head.seq = head.seq.max(seq);
            } else {
                (head.epoch, head.seq) = (epoch.into(), seq);
            }
            head.at = now;
            return;
        }
        if self.logs.len() == LOGS_MAX {
            self.forgot = Some(now);
            return;
        }
        let log: Arc<str> = log.into();
        self.order.push_back((now, Arc::clone(&log)));
        self.logs.insert(log, Head { epoch: epoch.into(), seq, at: now });
    }

    /// The last member of a log has left. What was announced of a later epoch stays.
    pub(super) fn keep(&mut self, log: &str, epoch: &str, seq: u64, now: Moment) {
        if self.logs.get(log).is_none_or(|head| *head.epoch == *epoch) {
            self.note(log, epoch, seq, now);
        }
    }

    /// The head of a log that somebody listens to from now on, if an entry of it was announced lately.
    pub(super) fn claim(&mut self, log: &str, epoch: &str) -> Option<u64> {
        self.logs.remove(log).filter(|head| *head.epoch == *epoch).map(|head| head.seq)
    }

    /// Whether a head may have been forgotten that somebody needs now.
    pub(super) fn has_forgotten(&self, now: Moment) -> bool {
        self.forgot.is_some_and(|forgot| now.since(forgot) < REMEMBERED)
    }

    fn expire(&mut self, now: Moment) {
        while let Some((_, log)) = self.order.pop_front_if(|(noted, _)| now.since(*noted) >= REMEMBERED) {
            match self.logs.get(&log).map(|head| head.at) {
                Some(at) if now.since(at) < REMEMBERED => self.order.push_back((at, log)),
                Some(_) => {
                    self.logs.remove(&log);
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default().after(Duration::from_secs(seconds))
    }

    #[test]
    fn the_newest_head_is_remembered_for_a_while() {
        let mut unclaimed = Unclaimed::default();
        unclaimed.note("general", "e", 3, at(0));
        unclaimed.note("general", "e", 4, at(20));
        unclaimed.note("other", "e", 1, at(40));
        assert_eq!(unclaimed.claim("general", "e"), Some(4));
        assert_eq!(unclaimed.claim("general", "e"), None);
        unclaimed.note("third", "e", 1, at(71));
        assert_eq!(unclaimed.claim("other", "e"), None);
        unclaimed.note("third", "other epoch", 1, at(72));
        assert_eq!(unclaimed.claim("third", "e"), None);
    }

    #[test]
    fn it_knows_when_it_had_to_forget() {
        let mut unclaimed = Unclaimed::default();
        for log in 0..=LOGS_MAX {
            assert!(!unclaimed.has_forgotten(at(1)));
            unclaimed.note(&log.to_string(), "e", 1, at(1));
        }
        assert!(unclaimed.has_forgotten(at(30)) && !unclaimed.has_forgotten(at(31)));
    }
}
