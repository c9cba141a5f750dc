//! The web UI: files that were built in.

use std::borrow::Cow;
use std::fmt::Debug;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::Front;
use super::handshake::tokens;
use super::respond::{self, Body};

/// What `/` says where no UI was built in.
const WITHOUT_UI: &str = "This is a Salon server without its web interface.\n\n\
     WebSocket  /ws\nREST       /api/v1, described at /api/openapi.json\nHealth     /healthz, /readyz\n";

/// A file of the UI.
#[derive(Debug, Clone)]
pub struct Asset {
    pub content_type: Cow<'static, str>,
    pub bytes: Bytes,
    /// The same, compressed at build time, where that is smaller.
    pub brotli: Option<Bytes>,
    /// Changes with the content; without quotes.
    pub etag: Cow<'static, str>,
    /// The name changes with the content, so it may be cached for ever.
    pub immutable: bool,
}

/// Gives the files of the UI by their path, without a slash in front.
pub trait Assets: Debug + Send + Sync + 'static {
    fn get(&self, path: &str) -> Option<Asset>;
}

pub(super) fn answer(front: &Front, request: &Parts) -> Response<Body> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return respond::method_not_allowed("GET, HEAD");
    }
    let path = match request.uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match &front.assets {
        Some(assets) => assets.get(path).map_or_else(respond::not_found, |asset| send(asset, &request.headers)),
        None if path == "index.html" => respond::text(StatusCode::OK, WITHOUT_UI),
        None => respond::not_found(),
    }
}

fn send(asset: Asset, request: &HeaderMap) -> Response<Body> {
    let (bytes, encoding, etag) = match asset.brotli {
        Some(brotli) if accepts_brotli(request) => (brotli, Some("br"), format!("\"{}-br\"", asset.etag)),
        Some(_) | None => (asset.bytes, None, format!("\"{}\"", asset.etag)),
    };
    let unchanged =
        tokens(request, header::IF_NONE_MATCH).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag);
    let mut response = if unchanged { Response::new(Body::default()) } else { Response::new(Body::new(bytes)) };
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let caching = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    for (name, value) in [(header::ETAG, &*etag), (header::CONTENT_TYPE, &*asset.content_type)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// `br` is named and not refused by a quality of zero (RFC 9110 §12.5.3).
fn accepts_brotli(request: &HeaderMap) -> bool {
    tokens(request, header::ACCEPT_ENCODING).any(|choice| {
        let (coding, quality) = choice.split_once(';').unwrap_or((choice, ""));
        let quality = quality.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        coding.trim().eq_ignore_ascii_case("br") && quality.is_ok_and(|quality| quality > 0.0)
    })
}
