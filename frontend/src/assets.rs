//! Static assets: built by `npm ci && npm run build` in this folder, embedded in release builds.
//!
//! File names carry a hash of their content, so every file but the manifest may be cached for ever.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/dist"]
struct Dist;

/// Source name to hashed name; empty when the assets were never built.
static MANIFEST: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    Dist::get("manifest.json").and_then(|file| serde_json::from_slice(&file.data).ok()).unwrap_or_default()
});

/// One static file: its bytes, its media type, and whether its name changes with its content.
pub struct Asset {
    /// The file's content.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type, with a charset where it is text.
    pub mime: String,
    /// True when the answer may be cached for ever.
    pub immutable: bool,
}

/// The file at `path` below `/assets/`, if there is one.
pub fn asset(path: &str) -> Option<Asset> {
    if path == "manifest.json" {
        return None;
    }
    let file = Dist::get(path)?;
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let mime = if guess.type_() == "text" { format!("{guess}; charset=utf-8") } else { guess.to_string() };
    Some(Asset { bytes: file.data, mime, immutable: MANIFEST.values().any(|name| name == path) })
}

/// The URL of a source file (`app.css`), with its hash when the assets were built.
pub fn url(source: &str) -> String {
    format!("/assets/{}", MANIFEST.get(source).map_or(source, String::as_str))
}

/// Whether the assets were built: a page without its style sheet is a mistake in packaging.
pub fn are_built() -> bool {
    MANIFEST.contains_key("app.css") && MANIFEST.contains_key("app.js")
}

/// The paths of all built files.
pub fn paths() -> impl Iterator<Item = String> {
    Dist::iter().filter(|path| path != "manifest.json").map(Cow::into_owned)
}
