//! `GET /sign-in`.

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;
use views::signin::SignInPage;

use super::Destination;
use crate::layers::page;

/// The query.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
}

/// The empty form. It makes no session: nobody can fill the table by looking at it. Against forms from
/// elsewhere it is guarded by the origin of the request (the layer around all routes).
pub async fn show(Query(asked): Query<Asked>) -> Response {
    let next = Destination::parse(&asked.next).map(|next| next.to_string());
    page(&SignInPage { email: String::new(), error: None, csrf: String::new(), next })
}
