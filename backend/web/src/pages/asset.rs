//! `GET /assets/{file}`: style sheets, scripts, fonts. For everybody; cached for ever where the name says the content.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::Failure;

/// Answers with the file.
pub async fn show(Path(file): Path<String>) -> Result<Response, Failure> {
    let asset = views::asset(&file).ok_or(Failure::NOT_FOUND)?;
    let caching = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, asset.mime), (CACHE_CONTROL, caching.to_owned())], asset.bytes.into_owned()).into_response())
}
