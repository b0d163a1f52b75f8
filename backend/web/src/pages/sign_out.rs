//! `POST /sign-out`: ends this session.

use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use store::audit::{self, Entry};
use store::sessions;
use tower_sessions::Session;

use crate::sessions::this;
use crate::{
    App, Failure,
    posted::{Input, Posted},
};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignOut {
    csrf: String,
}

impl Input for SignOut {
    const ENDS_SESSION: bool = true;

    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Deletes the row and the cookie; the organization that the session was in has it in its audit.
pub async fn submit(
    State(app): State<App>,
    session: Session,
    Posted(member, _): Posted<SignOut>,
) -> Result<Redirect, Failure> {
    if let Some(grant_id) = member.support() {
        let mut tx = member.begin_trace(&app).await?;
        audit::insert(&mut tx, None, Entry::done("support.ended", ("support", grant_id))).await?;
        tx.commit().await?;
    } else if let Some(hash) = this(&session) {
        let tenant_id = member.seat().scope.tenant_id();
        sessions::sign_out(&app.store, &hash, member.login_id(), tenant_id, member.origin()).await?;
    }
    session.flush().await.map_err(|_| Failure::BUSY)?;
    Ok(Redirect::to("/sign-in"))
}
