//! The server's half of the opening handshake: RFC 6455 §4.2.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};

use super::respond::{Body, method_not_allowed, text};

/// What the key is hashed with, so that no other server can answer by accident (RFC 6455 §1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES: usize = 16;
const VERSION: &str = "13";
const SUBPROTOCOL_JSON: &str = "salon.v1.json";
const SUBPROTOCOL_PROTO: &str = "salon.v1.proto";

/// The specification asks for 16 bytes in base64 and nobody for zero padding bits, so some clients send others.
const KEY_BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A handshake that can be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handshake {
    accept: String,
    /// `None` where the client offered none: then none may be named, and it gets JSON.
    subprotocol: Option<&'static str>,
}

/// Checks a request for `/ws`.
pub(super) fn check(request: &Parts) -> Result<Handshake, Box<Response<Body>>> {
    if request.method != Method::GET {
        return Err(Box::new(method_not_allowed("GET")));
    }
    let headers = &request.headers;
    let is_upgrade = has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket");
    if request.version != Version::HTTP_11 || !is_upgrade {
        return Err(upgrade_required("This is a WebSocket: connect with ws:// or wss://.\n"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(upgrade_required("Only version 13 of the WebSocket protocol is spoken here.\n"));
    }
    let accept = accept_key(headers).ok_or_else(|| bad_request("Sec-WebSocket-Key has to be 16 bytes in base64.\n"))?;
    Ok(Handshake { accept, subprotocol: choose_subprotocol(headers)? })
}

impl Handshake {
    /// 101: from here on the connection speaks WebSocket.
    pub(super) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::try_from(self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(subprotocol) = self.subprotocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
        }
        response
    }
}

fn bad_request(reason: &'static str) -> Box<Response<Body>> {
    Box::new(text(StatusCode::BAD_REQUEST, reason))
}

fn upgrade_required(reason: &'static str) -> Box<Response<Body>> {
    let mut response = text(StatusCode::UPGRADE_REQUIRED, reason);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
    Box::new(response)
}

/// What proves to the client that its key was read by a WebSocket server. Exactly one key must be there.
fn accept_key(headers: &HeaderMap) -> Option<String> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (key, None) = (keys.next()?, keys.next()) else { return None };
    if KEY_BASE64.decode(key).ok()?.len() != KEY_BYTES {
        return None;
    }
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), KEY_SUFFIX].concat());
    Some(KEY_BASE64.encode(hash))
}

fn choose_subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Box<Response<Body>>> {
    let offered = |name: &str| tokens(headers, header::SEC_WEBSOCKET_PROTOCOL).any(|token| token == name);
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        Ok(None)
    } else if offered(SUBPROTOCOL_JSON) {
        Ok(Some(SUBPROTOCOL_JSON))
    } else if offered(SUBPROTOCOL_PROTO) {
        Err(bad_request("salon.v1.proto is not spoken here yet: offer salon.v1.json.\n"))
    } else {
        Err(bad_request("None of the offered subprotocols is spoken here: offer salon.v1.json, or none.\n"))
    }
}

/// The elements of a header that is a comma-separated list, over all its lines (RFC 9110 §5.6.1).
pub(super) fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");

    fn request(lines: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/ws");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn upgrade(more: &[(&str, &str)]) -> Parts {
        let mut lines = vec![("Connection", "keep-alive, UPGRADE"), ("Upgrade", "WebSocket"), ("Sec-WebSocket-Version", "13")];
        lines.extend(more);
        request(&lines)
    }

    fn status(request: &Parts) -> u16 {
        check(request).unwrap_err().status().as_u16()
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let handshake = check(&upgrade(&[KEY])).unwrap();
        assert_eq!(handshake, Handshake { accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(), subprotocol: None });
        let response = handshake.response();
        assert_eq!(response.status(), 101);
        assert!(!response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn json_is_chosen_among_what_is_offered() {
        let choose = |offer: &[(&str, &str)]| check(&upgrade(&[&[KEY], offer].concat()));
        let chosen = choose(&[("sec-websocket-protocol", "x, salon.v1.proto"), ("sec-websocket-protocol", "salon.v1.json")]);
        assert_eq!(chosen.unwrap().subprotocol, Some("salon.v1.json"));
        let refusal = choose(&[("sec-websocket-protocol", "salon.v1.proto, x")]).unwrap_err();
        assert_eq!(refusal.status(), 400);
        for strange in ["graphql-ws", "SALON.V1.JSON", ""] {
            assert_eq!(choose(&[("sec-websocket-protocol", strange)]).unwrap_err().status(), 400, "{strange}");
        }
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        assert_eq!(status(&request(&[])), 426);
        assert_eq!(status(&request(&[("connection", "upgrade"), ("sec-websocket-version", "13"), KEY])), 426);
        assert_eq!(status(&request(&[("upgrade", "websocket"), ("sec-websocket-version", "13"), KEY])), 426);
        let old = request(&[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "8"), KEY]);
        let refusal = check(&old).unwrap_err();
        assert_eq!((refusal.status().as_u16(), &refusal.headers()["sec-websocket-version"]), (426, &"13".parse().unwrap()));
        assert_eq!(status(&upgrade(&[])), 400);
        assert_eq!(status(&upgrade(&[KEY, KEY])), 400);
        for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25jZSE!"] {
            assert_eq!(status(&upgrade(&[("sec-websocket-key", key)])), 400, "{key}");
        }
        let mut posted = upgrade(&[KEY]);
        posted.method = Method::POST;
        assert_eq!(status(&posted), 405);
        let mut old = upgrade(&[KEY]);
        old.version = Version::HTTP_10;
        assert_eq!(status(&old), 426);
    }
}
