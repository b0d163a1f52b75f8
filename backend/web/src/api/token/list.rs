//! `GET /api/v1/tokens`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use store::tokens::Token as Row;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Page, Problem};
use crate::pages::settings::tokens::list_tokens;

/// A token of the API. Its text is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiToken {
    id: Uuid,
    name: String,
    /// Its first characters.
    begins: String,
    /// Whose it is: the id of their login, by which members are listed; null: a service account's.
    member: Option<Uuid>,
    /// Whose it is: the id by which service accounts are listed, until it is removed; null: a member's.
    service: Option<Uuid>,
    scopes: Vec<String>,
    /// The networks it may be used from; none: all.
    networks: Vec<String>,
    /// The token that made it, with which it ends; none: a person made it.
    minted_by: Option<Uuid>,
    made_at: Timestamp,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    revoked_by: Option<String>,
}

/// The organization's tokens, 200 at most: those that work first, then the newest.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "Tokens",
    responses((status = 200, description = "The tokens", body = Page<ApiToken>), Problem), security(("token" = ["people"])))]
pub async fn list(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Page<ApiToken>>, Problem> {
    caller.member.must_for_all(Act::MakeTokens)?;
    let mut tx = caller.member.begin(&app).await?;
    let items = list_tokens(&mut tx, &caller.member).await?.into_iter().map(token).collect();
    Ok(Json(Page { items, next: None }))
}

fn token(row: Row) -> ApiToken {
    let is_of_service = row.service.is_some();
    ApiToken {
        id: row.token_id,
        name: row.name,
        begins: row.hint,
        member: (!is_of_service).then_some(row.whose),
        service: is_of_service.then_some(row.whose),
        scopes: row.scopes,
        networks: row.networks,
        minted_by: row.minted_by,
        made_at: row.made_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
        revoked_at: row.revoked_at,
        revoked_by: row.revoked_by,
    }
}
