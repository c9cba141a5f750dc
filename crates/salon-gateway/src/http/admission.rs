//! How many connections there may be.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// Counts connections, in all and per address.
#[derive(Debug)]
pub(super) struct Admission {
    connections_max: usize,
    connections_per_peer_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Never iterated. Addresses without a connection are not in it, so `connections_max` bounds it.
    by_peer: HashMap<IpAddr, usize>,
}

/// A connection's place; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    /// `None` for addresses that are not counted one by one.
    peer: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Total,
    Peer,
}

impl Admission {
    pub(super) fn new(connections_max: usize, connections_per_peer_max: usize) -> Arc<Self> {
        Arc::new(Self { connections_max, connections_per_peer_max, counts: Mutex::default() })
    }

    /// A place for one more connection. `exempt` peers speak for many and count in the total only.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, exempt: bool) -> Result<Place, Full> {
        let peer = (!exempt).then(|| subscriber(address));
        let mut counts = self.counts.lock();
        if counts.total >= self.connections_max {
            return Err(Full::Total);
        }
        if let Some(peer) = peer {
            let count = counts.by_peer.entry(peer).or_default();
            if *count >= self.connections_per_peer_max {
                return Err(Full::Peer);
            }
            *count += 1;
        }
        counts.total += 1;
        drop(counts);
        Ok(Place { admission: Arc::clone(self), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock();
        counts.total -= 1;
        if let Some(peer) = self.peer
            && let Some(count) = counts.by_peer.get_mut(&peer)
        {
            *count -= 1;
            if *count == 0 {
                counts.by_peer.remove(&peer);
            }
        }
    }
}

/// What one subscriber of an internet provider has: an IPv4 address, or a whole /64 of IPv6.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_places_than_allowed_and_leaving_frees_them() {
        let admission = Admission::new(4, 2);
        let admit = |address: &str, exempt| admission.admit(address.parse().unwrap(), exempt);
        let first = admit("192.0.2.1", false).unwrap();
        let _second = admit("::ffff:192.0.2.1", false).unwrap();
        assert_eq!(admit("192.0.2.1", false).unwrap_err(), Full::Peer);
        drop(first);
        let _third = admit("192.0.2.1", false).unwrap();
        let local = [admit("127.0.0.1", true).unwrap(), admit("127.0.0.1", true).unwrap()];
        assert_eq!(admit("192.0.2.7", false).unwrap_err(), Full::Total);
        drop(local);
        let _fourth = admit("2001:db8::1", false).unwrap();
        let fifth = admit("2001:db8::ffff:1", false).unwrap();
        drop(fifth);
        assert_eq!(admission.counts.lock().by_peer.len(), 2);
    }
}
