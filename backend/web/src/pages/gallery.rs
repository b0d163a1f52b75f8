//! `GET /dev/gallery`: every component and every page with sample data, for those who change how they look. Nobody's
//! rows are read. A build without the feature `gallery` has none of it, and one with it only where it is asked for.

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};

use crate::{Failure, Route, read};

/// The routes of the gallery, to be given to the console.
pub fn routes() -> Vec<Route> {
    vec![read("/dev/gallery", components), read("/dev/gallery/{name}", page)]
}

async fn components() -> Result<Response, Failure> {
    shown("gallery")
}

async fn page(Path(name): Path<String>) -> Result<Response, Failure> {
    shown(&name)
}

fn shown(name: &str) -> Result<Response, Failure> {
    let page = views::gallery::page(name).ok_or(Failure::NOT_FOUND)?;
    let page = page.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a sample could not be rendered");
        Failure::BROKEN
    })?;
    Ok(Html(page).into_response())
}
