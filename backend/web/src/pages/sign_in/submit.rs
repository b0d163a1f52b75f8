//! `POST /sign-in`: the same work, the same words and the same status for a wrong password, an unknown account
//! and one that rests after too many tries.

use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use keys::password::{DUMMY_HASH, verify};
use serde::Deserialize;
use store::logins::{self, Attempt};
use tokio::sync::Semaphore;
use tower_sessions::Session;
use uuid::Uuid;
use views::signin::SignInPage;

use super::Destination;
use crate::layers::{Dressed, page};
use crate::{App, Failure, sessions::key};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
    /// Always empty here: there is no session yet.
    #[serde(default, rename = "csrf")]
    _csrf: String,
}

/// Password hashes computed side by side: each takes 19 MiB and a core.
static HASHING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest address there can be.
const EMAIL_MAX: usize = 254;

/// How long a login rests after so many tries without success: four are free, then it doubles up to 15 minutes.
fn wait(tries: u32) -> Duration {
    match tries {
        0..=4 => Duration::ZERO,
        _ => Duration::from_secs(1 << (tries - 5).min(10)).min(Duration::from_secs(900)),
    }
}

/// Signs in, with a new session id.
pub async fn submit(State(app): State<App>, session: Session, Form(input): Form<SignIn>) -> Result<Response, Failure> {
    let email = input.email.trim();
    let attempt =
        if email.len() > EMAIL_MAX { Attempt::Unknown } else { logins::claim_attempt(&app.store, email, wait).await? };
    let (login_id, stored) = match attempt {
        Attempt::Compare { login_id, password_hash } => (Some(login_id), password_hash),
        Attempt::Unknown | Attempt::Locked => (None, DUMMY_HASH.to_owned()),
    };
    let right = matches(input.password, stored).await?;
    let next = Destination::parse(&input.next);
    match login_id {
        Some(login_id) if right => {
            logins::mark_signed_in(&app.store, login_id).await?;
            begin(&session, login_id).await.map_err(|_| Failure::BUSY)?;
            tracing::info!(%login_id, "signed in");
            Ok(Redirect::to(&next.unwrap_or(Destination::Board).to_string()).into_response())
        }
        _ => Ok(refused(email, next)),
    }
}

async fn matches(password: String, stored: String) -> Result<bool, Failure> {
    let turn = tokio::time::timeout(PATIENCE, HASHING.acquire())
        .await
        .map_err(|_| Failure::BUSY)?
        .map_err(|_| Failure::BROKEN)?;
    let compared = tokio::task::spawn_blocking(move || verify(&password, &stored)).await;
    drop(turn);
    match compared {
        Ok(Ok(right)) => Ok(right),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a stored password hash cannot be read");
            Ok(false)
        }
        Err(_) => Err(Failure::BROKEN),
    }
}

/// A new session id and a new token: nothing from before the sign-in goes on.
async fn begin(session: &Session, login_id: Uuid) -> Result<(), tower_sessions::session::Error> {
    session.clear().await;
    session.cycle_id().await?;
    session.insert(key::LOGIN, login_id).await?;
    session.insert(key::CSRF, token()).await
}

fn token() -> String {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    hex::encode(bytes)
}

fn refused(email: &str, next: Option<Destination>) -> Response {
    let error = "That did not work. Check e-mail and password; after several tries, wait a minute.".to_owned();
    let email: String = email.chars().take(EMAIL_MAX).collect();
    let next = next.map(|next| next.to_string());
    let mut response = page(&SignInPage { email, error: Some(error), csrf: String::new(), next });
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response.extensions_mut().insert(Dressed);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_tries_are_free_and_no_wait_is_longer_than_a_quarter_of_an_hour() {
        assert_eq!([1, 4, 5, 6, 10].map(|n| wait(n).as_secs()), [0, 0, 1, 2, 32]);
        assert_eq!(wait(u32::MAX).as_secs(), 900);
    }
}
