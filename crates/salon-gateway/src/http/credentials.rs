//! What a request says about who sends it.

use axum::extract::Query;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use salon_proto::link::open_session::Credential;
use serde::Deserialize;

use super::origin::Verdict;

/// The session cookie's names, the better one first: the prefix makes browsers keep it to this host and to TLS.
const SESSION_COOKIES: [&str; 2] = ["__Host-salon_session", "salon_session"];

/// Why the credentials of a handshake cannot even be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    Query,
    /// `?token=` is switched off.
    TokenInUrl,
    /// `Authorization` of another scheme than `Bearer`.
    Scheme,
}

#[derive(Deserialize)]
struct InQuery {
    ticket: Option<String>,
    token: Option<String>,
}

/// The credential of a handshake, in the order of PROTOCOL §2; `None` if a `hello` has to bring it. The cookie counts
/// only for a page that may use it, since browsers send it for every page.
pub(super) fn of_handshake(request: &Parts, origin: Verdict, token_in_url: bool) -> Result<Option<Credential>, Unusable> {
    let Query(query) = Query::<InQuery>::try_from_uri(&request.uri).map_err(|_| Unusable::Query)?;
    if let Some(ticket) = query.ticket {
        return Ok(Some(Credential::Ticket(ticket)));
    }
    if request.headers.contains_key(header::AUTHORIZATION) {
        let token = bearer(&request.headers).ok_or(Unusable::Scheme)?;
        return Ok(Some(Credential::Token(token.to_owned())));
    }
    if let Some(token) = query.token {
        return if token_in_url { Ok(Some(Credential::Token(token))) } else { Err(Unusable::TokenInUrl) };
    }
    let cookie = match origin {
        Verdict::Allowed => session_cookie(&request.headers),
        Verdict::Absent | Verdict::Refused => None,
    };
    Ok(cookie.map(|cookie| Credential::Cookie(cookie.to_owned())))
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let find = |wanted: &str| {
        let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    SESSION_COOKIES.into_iter().find_map(find)
}

/// Whether the cookies of a request may count (against cross-site request forgery): the browser says that one of our
/// own pages sent it; an older browser proves it by the Origin; what only reads needs no Origin, for older browsers
/// send none with it and other pages cannot read the answer.
pub(super) fn cookies_count(method: &Method, headers: &HeaderMap, origin: Verdict) -> bool {
    match (headers.get("sec-fetch-site"), origin) {
        (Some(site), _) => site == "same-origin",
        (None, Verdict::Allowed) => true,
        (None, Verdict::Absent) => method == Method::GET || method == Method::HEAD,
        (None, Verdict::Refused) => false,
    }
}

/// The path alone: a query may hold a secret.
pub(super) fn for_log(uri: &Uri) -> &str {
    uri.path()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(uri: &str, lines: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_first_credential_in_the_order_of_the_protocol_counts() {
        let all = [("authorization", "bearer B"), ("cookie", "salon_session=C")];
        let pick = |uri, lines: &[(&str, &str)]| of_handshake(&request(uri, lines), Verdict::Allowed, true).unwrap();
        assert_eq!(pick("/ws?token=T&ticket=a%2Bb", &all), Some(Credential::Ticket("a+b".into())));
        assert_eq!(pick("/ws?token=T", &all), Some(Credential::Token("B".into())));
        assert_eq!(pick("/ws?token=T", &all[1..]), Some(Credential::Token("T".into())));
        assert_eq!(pick("/ws", &all[1..]), Some(Credential::Cookie("C".into())));
        assert_eq!(pick("/ws?x=1", &[]), None);
    }

    #[test]
    fn the_cookie_counts_for_our_own_pages_only() {
        let both = request("/ws", &[("cookie", "a=b; salon_session=weak"), ("cookie", "__Host-salon_session=strong")]);
        assert_eq!(of_handshake(&both, Verdict::Allowed, true), Ok(Some(Credential::Cookie("strong".into()))));
        assert_eq!(of_handshake(&both, Verdict::Absent, true), Ok(None));
        assert_eq!(of_handshake(&both, Verdict::Refused, true), Ok(None));
    }

    #[test]
    fn unusable_credentials_are_not_ignored() {
        let refusal = |uri, lines: &[(&str, &str)]| of_handshake(&request(uri, lines), Verdict::Absent, false).unwrap_err();
        assert_eq!(refusal("/ws?token=T", &[]), Unusable::TokenInUrl);
        assert_eq!(refusal("/ws?ticket=a&ticket=b", &[]), Unusable::Query);
        assert_eq!(refusal("/ws", &[("authorization", "Basic eDp5")]), Unusable::Scheme);
    }

    #[test]
    fn cookies_count_only_where_a_page_of_ours_asks() {
        let count = |method: Method, site: Option<&'static str>, origin| {
            let headers = site.map(|site| (http::HeaderName::from_static("sec-fetch-site"), site.parse().unwrap()));
            cookies_count(&method, &headers.into_iter().collect(), origin)
        };
        assert!(count(Method::POST, Some("same-origin"), Verdict::Allowed));
        for site in ["same-site", "cross-site", "none", "nonsense"] {
            assert!(!count(Method::GET, Some(site), Verdict::Allowed), "{site}");
        }
        assert!(count(Method::POST, None, Verdict::Allowed));
        assert!(count(Method::GET, None, Verdict::Absent));
        assert!(!count(Method::POST, None, Verdict::Absent));
        assert!(!count(Method::GET, None, Verdict::Refused));
    }
}
