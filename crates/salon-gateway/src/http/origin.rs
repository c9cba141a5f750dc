//! Origins: RFC 6454. Compared exactly; there are no wildcards.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, Uri, header};

/// A web page's scheme, host and port, as browsers write them: in lower case, without a default port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Text that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin; one looks like https://chat.example.org or http://localhost:8080")]
pub struct InvalidOrigin(pub String);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidOrigin(text.to_owned());
        let uri: Uri = text.to_ascii_lowercase().parse().map_err(|_| invalid())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(invalid)?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(invalid()),
        };
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(invalid());
        }
        let port = authority.port_u16().filter(|port| *port != default_port);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Ok(Self(format!("{scheme}://{}{port}", authority.host())))
    }
}

/// What the `Origin` header of a request amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No browser sent this, or a browser that sends none with such a request.
    Absent,
    Allowed,
    /// Another page, `null`, or several.
    Refused,
}

pub(super) fn judge(headers: &HeaderMap, allowed: &[Origin]) -> Verdict {
    let mut sent = headers.get_all(header::ORIGIN).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Verdict::Absent,
        (Some(origin), None) if allowed.iter().any(|allowed| allowed.0.as_bytes() == origin.as_bytes()) => Verdict::Allowed,
        (Some(_), _) => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (configured, written) in [
            ("https://Chat.Example.org/", "https://chat.example.org"),
            ("https://chat.example.org:443", "https://chat.example.org"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(configured.parse::<Origin>().unwrap().to_string(), written);
        }
        for wrong in
            ["", "*", "null", "localhost", "localhost:8080", "ftp://x", "https://x/app", "https://x?y", "https://a@x", "https://"]
        {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_exactly_this_page_is_allowed() {
        let allowed = ["https://chat.example.org".parse().unwrap()];
        let verdict = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, origin.parse().unwrap());
            }
            judge(&headers, &allowed)
        };
        assert_eq!(verdict(&[]), Verdict::Absent);
        assert_eq!(verdict(&["https://chat.example.org"]), Verdict::Allowed);
        for other in
            ["null", "", "http://chat.example.org", "https://chat.example.org:8443", "https://chat.example.org.evil.test"]
        {
            assert_eq!(verdict(&[other]), Verdict::Refused, "{other}");
        }
        assert_eq!(verdict(&["https://chat.example.org", "https://evil.test"]), Verdict::Refused);
    }
}
