//! The page, embedded in the binary by the build.

use bytes::Bytes;
use rust_embed::RustEmbed;
use salon_gateway::http::{Asset, Assets};

/// Bytes of the hash that make an entity tag: enough to tell versions apart.
const ETAG_HASH_BYTES: usize = 12;
/// Vite puts what has a hash in its name here.
const IMMUTABLE_FOLDER: &str = "assets/";
const BROTLI_SUFFIX: &str = ".br";

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/ui"]
struct Files;

/// The files of the page.
#[derive(Debug)]
pub(crate) struct Page;

impl Assets for Page {
    fn get(&self, path: &str) -> Option<Asset> {
        if path.ends_with(BROTLI_SUFFIX) {
            return None;
        }
        let file = Files::get(path)?;
        let hash = file.metadata.sha256_hash();
        Some(Asset {
            content_type: content_type(path).into(),
            bytes: bytes(file.data),
            brotli: Files::get(&format!("{path}{BROTLI_SUFFIX}")).map(|file| bytes(file.data)),
            etag: hash.iter().take(ETAG_HASH_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            immutable: path.starts_with(IMMUTABLE_FOLDER),
        })
    }
}

fn bytes(data: std::borrow::Cow<'static, [u8]>) -> Bytes {
    match data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
