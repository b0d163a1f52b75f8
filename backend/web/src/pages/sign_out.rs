//! `POST /sign-out`: ends this session.

use axum::response::Redirect;
use serde::Deserialize;
use tower_sessions::Session;

use crate::{
    Failure,
    posted::{Input, Posted},
};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignOut {
    csrf: String,
}

impl Input for SignOut {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Deletes the row and the cookie.
pub async fn submit(session: Session, Posted(_, _): Posted<SignOut>) -> Result<Redirect, Failure> {
    session.flush().await.map_err(|_| Failure::BUSY)?;
    Ok(Redirect::to("/sign-in"))
}
