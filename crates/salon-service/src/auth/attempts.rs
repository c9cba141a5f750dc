//! How often somebody may try: per address of the network and per account, so that neither one machine against many
//! accounts nor many machines against one account get far.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use parking_lot::Mutex;
use salon_core::rate::{Allowance, SlowLimit};
use salon_core::{CommandError, Timestamp, UserId};

/// Failed logins and sign-ups from one address: a school behind one router may sign up at once, a guesser gets 30 guesses
/// a minute in the long run.
const PER_PEER: SlowLimit = SlowLimit { burst: 300, refill_ms: 2_000 };
/// Failed logins to one account, whether it exists or not: ten guesses a minute in the long run.
const PER_ACCOUNT: SlowLimit = SlowLimit { burst: 10, refill_ms: 6_000 };
/// Tickets of one person: every reconnect of every device takes one.
const TICKETS: SlowLimit = SlowLimit { burst: 1_000, refill_ms: 100 };
/// Invitations that one person may make.
const INVITES: SlowLimit = SlowLimit { burst: 30, refill_ms: 10_000 };
/// Addresses or accounts that are remembered at once. Beyond that the one that is nearest to being forgiven is forgotten.
const KEYS_MAX: usize = 10_000;
/// Bytes of an address that is none, in the map.
const ODD_PEER_BYTES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Attempts {
    peers: Limiter,
    accounts: Limiter,
    tickets: Limiter,
    invites: Limiter,
}

/// One attempt that was allowed.
#[derive(Debug)]
pub(super) struct Attempt {
    peer: String,
    account: String,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            peers: Limiter::new(PER_PEER),
            accounts: Limiter::new(PER_ACCOUNT),
            tickets: Limiter::new(TICKETS),
            invites: Limiter::new(INVITES),
        }
    }

    /// Counts a login or sign-up before anything costly is done for it.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(super) fn begin(&self, peer: &str, email: &str, now: Timestamp) -> Result<Attempt, CommandError> {
        let attempt = Attempt { peer: network_of(peer), account: email.to_lowercase() };
        self.peers.take(&attempt.peer, now)?;
        self.accounts.take(&attempt.account, now)?;
        Ok(attempt)
    }

    /// The password was right: who can log in is not guessing.
    pub(super) fn succeeded(&self, attempt: &Attempt) {
        self.peers.give_back(&attempt.peer);
        self.accounts.give_back(&attempt.account);
    }

    pub(super) fn ticket(&self, user: &UserId, now: Timestamp) -> Result<(), CommandError> {
        self.tickets.take(user.as_str(), now)
    }

    pub(super) fn invite(&self, user: &UserId, now: Timestamp) -> Result<(), CommandError> {
        self.invites.take(user.as_str(), now)
    }
}

#[derive(Debug)]
struct Limiter {
    limit: SlowLimit,
    keys: Mutex<BTreeMap<String, Allowance>>,
}

impl Limiter {
    fn new(limit: SlowLimit) -> Self {
        Self { limit, keys: Mutex::default() }
    }

    fn take(&self, key: &str, now: Timestamp) -> Result<(), CommandError> {
        let mut keys = self.keys.lock();
        if let Some(allowance) = keys.get_mut(key) {
            return self.limit.take(allowance, now).map_err(CommandError::rate_limited);
        }
        if keys.len() >= KEYS_MAX {
            make_room(&mut keys, now);
        }
        let mut allowance = Allowance::default();
        self.limit.take(&mut allowance, now).map_err(CommandError::rate_limited)?;
        keys.insert(key.to_owned(), allowance);
        Ok(())
    }

    fn give_back(&self, key: &str) {
        if let Some(allowance) = self.keys.lock().get_mut(key) {
            self.limit.give_back(allowance);
        }
    }
}

/// Forgets who has rested, or else the one who is nearest to it.
fn make_room(keys: &mut BTreeMap<String, Allowance>, now: Timestamp) {
    keys.retain(|_, allowance| !allowance.is_rested(now));
    if keys.len() < KEYS_MAX {
        return;
    }
    if let Some(nearest) = keys.iter().min_by_key(|(_, allowance)| **allowance).map(|(key, _)| key.clone()) {
        keys.remove(&nearest);
    }
}

/// What counts as one address: an IPv4 address, or the /64 that an IPv6 host chooses its addresses from.
fn network_of(peer: &str) -> String {
    let address = peer.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| peer.parse::<IpAddr>());
    match address.map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Ok(IpAddr::V6(ip)) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).to_string(),
        Err(_) => peer.chars().scan(0, within).collect(),
    }
}

fn within(bytes: &mut usize, c: char) -> Option<char> {
    *bytes += c.len_utf8();
    (*bytes <= ODD_PEER_BYTES_MAX).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use salon_core::ErrorCode;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    #[test]
    fn one_account_is_guessed_slowly_from_however_many_addresses() {
        let attempts = Attempts::new();
        for n in 0..PER_ACCOUNT.burst {
            assert!(attempts.begin(&format!("192.0.2.{n}:5"), "ann@example.org", NOW).is_ok());
        }
        let refused = attempts.begin("198.51.100.1:5", "ANN@example.org", NOW).unwrap_err();
        assert_eq!(refused.code, ErrorCode::RateLimited);
        assert!(refused.retry_after_ms.is_some_and(|ms| (1..=6_001).contains(&ms)));
        assert!(attempts.begin("198.51.100.1:5", "bob@example.org", NOW).is_ok());
        assert!(attempts.begin("198.51.100.1:5", "ann@example.org", NOW.plus_ms(6_001)).is_ok());
    }

    #[test]
    fn one_address_guesses_slowly_at_however_many_accounts() {
        let attempts = Attempts::new();
        for n in 0..PER_PEER.burst {
            assert!(attempts.begin("192.0.2.1:5", &format!("{n}@example.org"), NOW).is_ok());
        }
        assert!(attempts.begin("192.0.2.1:6", "new@example.org", NOW).is_err());
        assert!(attempts.begin("192.0.2.2:6", "new@example.org", NOW).is_ok());
    }

    #[test]
    fn who_succeeds_is_not_counted() {
        let attempts = Attempts::new();
        for _ in 0..2 * PER_PEER.burst {
            let attempt = attempts.begin("192.0.2.1:5", "ann@example.org", NOW).unwrap();
            attempts.succeeded(&attempt);
        }
    }

    #[test]
    fn an_ipv6_host_is_one_however_it_calls_itself() {
        assert_eq!(network_of("[2001:db8:1:2:3::4]:443"), network_of("2001:db8:1:2:ffff::"));
        assert_ne!(network_of("[2001:db8:1:3::4]:443"), network_of("[2001:db8:1:2::4]:443"));
        assert_eq!(network_of("[::ffff:192.0.2.1]:443"), "192.0.2.1");
        assert_eq!(network_of(&"é".repeat(1_000)).len(), ODD_PEER_BYTES_MAX);
    }

    #[test]
    fn the_map_is_bounded_and_forgets_the_harmless_first() {
        let limiter = Limiter::new(SlowLimit { burst: 2, refill_ms: 60_000 });
        limiter.take("guesser", NOW).unwrap();
        limiter.take("guesser", NOW).unwrap();
        for n in 0..KEYS_MAX + 100 {
            limiter.take(&format!("{n}"), NOW).unwrap();
        }
        assert_eq!(limiter.keys.lock().len(), KEYS_MAX);
        assert!(limiter.take("guesser", NOW).is_err());
        limiter.take("later", NOW.plus_ms(3_600_000)).unwrap();
        assert_eq!(limiter.keys.lock().len(), 1);
    }
}
