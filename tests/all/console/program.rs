//! A program that asks the API, with a token of somebody's.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Console;
use super::api::ALL;

pub(super) const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// A program with a token of the owner's.
pub(super) struct Program {
    pub(super) console: Console,
    pub(super) token: String,
}

impl Program {
    pub(super) async fn new() -> Program {
        Program::of("owner@ours.example", &ALL).await
    }

    /// With somebody's token of these scopes.
    pub(super) async fn of(email: &str, scopes: &[&str]) -> Program {
        let mut console = Console::new().await;
        let (_, token) = console.token(email, scopes, &[]).await;
        Program { console, token }
    }

    /// The same with another token.
    pub(super) async fn with(mut self, email: &str, scopes: &[&str]) -> Program {
        (_, self.token) = self.console.token(email, scopes, &[]).await;
        self
    }

    /// The id of somebody's login.
    pub(super) async fn login(&mut self, email: &str) -> Uuid {
        let of = "SELECT login_id FROM logins WHERE email = $1";
        sqlx::query_scalar(of).bind(email).fetch_one(&mut self.console.rows).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.console.api("GET", &format!("/api/v1/{path}"), &self.token, &[], None).await;
        (status, body)
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.post_with(path, &[], body).await
    }

    pub(super) async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: Value) -> (StatusCode, Value) {
        let path = format!("/api/v1/{path}");
        let (status, _, body) = self.console.api("POST", &path, &self.token, headers, Some(body)).await;
        (status, body)
    }

    /// Each of these is refused with the field named.
    pub(super) async fn refuses(&self, path: &str, wrong: &[(Value, &str)]) {
        for (body, field) in wrong {
            let (status, problem) = self.post(path, body.clone()).await;
            assert_eq!((status, &problem["field"]), (UNPROCESSABLE, &json!(field)), "{body}: {problem}");
        }
    }
}
