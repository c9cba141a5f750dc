//! Who is at the other end.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};

pub(super) const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of a connection, and what its proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    address: IpAddr,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address: address.ip().to_canonical() }
    }

    /// The client's address: the connection's, or what the last trusted proxy says of who connected to it. Entries
    /// further left are what strangers claim.
    pub(super) fn client(self, headers: &HeaderMap, trusted_proxies: &[IpAddr]) -> IpAddr {
        let mut client = self.address;
        let values = headers.get_all(X_FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            if !trusted_proxies.contains(&client) {
                break;
            }
            let Ok(address) = hop.parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }

    /// Whether a program on this machine asks, for itself. A proxy on this machine asks for others, and a web page
    /// whose name was rebound to this machine gives itself away by its `Host`.
    pub(super) fn is_local(self, headers: &HeaderMap) -> bool {
        self.address.is_loopback()
            && !headers.contains_key(X_FORWARDED_FOR)
            && !headers.contains_key(header::FORWARDED)
            && headers.get(header::HOST).is_none_or(|host| host.to_str().is_ok_and(names_this_machine))
    }
}

/// `localhost` or a literal address, with or without a port.
fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn client(connection: &str, forwarded_for: &'static str) -> String {
        let trusted = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let peer = Peer::new(SocketAddr::new(connection.parse().unwrap(), 5));
        peer.client(&headers(&[(X_FORWARDED_FOR, forwarded_for)]), &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_its_own_peer() {
        assert_eq!(client("192.0.2.9", "198.51.100.1"), "192.0.2.9");
        assert_eq!(client("10.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", "203.0.113.7, 198.51.100.1, 10.0.0.2"), "198.51.100.1");
        assert_eq!(client("10.0.0.1", "198.51.100.1, nonsense"), "10.0.0.1");
    }

    #[test]
    fn local_is_who_asks_from_here_for_himself() {
        let local = Peer::new("127.0.0.1:5".parse().unwrap());
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]"] {
            assert!(local.is_local(&headers(&[("host", host)])), "{host}");
        }
        assert!(local.is_local(&HeaderMap::new()));
        assert!(!local.is_local(&headers(&[("host", "rebound.evil.test:8080")])));
        assert!(!local.is_local(&headers(&[("x-forwarded-for", "192.0.2.1")])));
        assert!(!local.is_local(&headers(&[("forwarded", "for=192.0.2.1")])));
        assert!(!Peer::new("192.0.2.1:5".parse().unwrap()).is_local(&HeaderMap::new()));
    }
}
