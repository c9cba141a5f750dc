//! The page, embedded in the binary by the build.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/ui"]
struct Page;

/// A file of the page, and the same compressed by brotli where the build made that.
pub(crate) fn get(path: &str) -> Option<(Cow<'static, [u8]>, Option<Cow<'static, [u8]>>)> {
    let plain = Page::get(path)?;
    let brotli = Page::get(&format!("{path}.br")).map(|file| file.data);
    Some((plain.data, brotli))
}
