//! `GET /sign-in`.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use store::people::founding::{SignUp, find_sign_up};
use views::signin::SignInPage;

use super::Destination;
use crate::layers::page;
use crate::{App, Failure, passkey};

/// The query.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
}

/// The empty form. It makes no session: nobody can fill the table by looking at it. Against forms from
/// elsewhere it is guarded by the origin of the request (the layer around all routes).
pub async fn show(State(app): State<App>, Query(asked): Query<Asked>) -> Response {
    let next = Destination::parse(&asked.next).map(|next| next.to_string());
    let may_sign_up = may_sign_up(&app).await;
    let passkeys = passkey::are_possible(&app.config);
    page(&SignInPage { email: String::new(), error: None, csrf: String::new(), next, may_sign_up, passkeys })
}

/// Whether everybody may begin an organization; while that cannot be told, nobody is led there.
pub async fn may_sign_up(app: &App) -> bool {
    find_sign_up(&app.store).await.map_err(Failure::from).is_ok_and(|sign_up| sign_up == SignUp::Open)
}
