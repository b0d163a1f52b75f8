//! Deleting the organization or a client, and calling it off. What a token asks for waits for seven days.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::access::Act;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::deletions::{self, Deletion as Row, Subject};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Done, Id, Nothing, Page, Problem, Sent};
use crate::pages::client;
use crate::pages::settings::data::{ask_deletion, call_off};

/// A deletion that waits, or has begun and is not over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deletion {
    /// The client that is deleted; null: the whole organization.
    client: Option<Uuid>,
    name: String,
    asked_at: Timestamp,
    asked_by: String,
    /// When it begins, once no fix runs there; each owner can call it off until then.
    begins_at: Timestamp,
    begun_at: Option<Timestamp>,
}

impl From<Row> for Deletion {
    fn from(row: Row) -> Deletion {
        let client = match row.subject {
            Subject::Tenant => None,
            Subject::Client(client_id) => Some(client_id),
        };
        let Row { name, asked_at, asked_by, due_at, begun_at, .. } = row;
        Deletion { client, name, asked_at, asked_by, begins_at: due_at, begun_at }
    }
}

/// What is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Meant {
    /// The name of what is to be deleted, as it is written: to be sure.
    #[schema(max_length = 200)]
    name: String,
}

/// What is being deleted or waits for it, the oldest first.
#[utoipa::path(get, path = "/api/v1/deletions", tag = "Organization",
    responses((status = 200, description = "The deletions", body = Page<Deletion>), Problem), security(("token" = ["own"])))]
pub async fn list(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Page<Deletion>>, Problem> {
    caller.member.must_for_all(Act::OwnOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let items = deletions::list(&mut tx).await?.into_iter().map(Deletion::from).collect();
    Ok(Json(Page { items, next: None }))
}

/// Asks for the whole organization to be deleted, in seven days. Its owners are told, and each can call it off.
#[utoipa::path(post, path = "/api/v1/organization/delete", tag = "Organization", params(crate::api::document::Key), request_body = Meant,
    responses((status = 202, description = "It waits", body = Deletion), Problem), security(("token" = ["own"])))]
pub async fn delete(State(app): State<App>, caller: Caller, sent: Sent<Meant>) -> Result<Response, Problem> {
    sent.act_as(&app, &caller, async |tx| {
        let deletion = ask_deletion(&app, tx, &caller.member, &sent.said.name).await??;
        Ok((StatusCode::ACCEPTED, Deletion::from(deletion)))
    })
    .await
}

/// Calls the organization's deletion off.
#[utoipa::path(post, path = "/api/v1/organization/keep", tag = "Organization", params(crate::api::document::Key), request_body = Nothing,
    responses((status = 200, description = "It is not deleted", body = Done), Problem), security(("token" = ["own"])))]
pub async fn keep(State(app): State<App>, caller: Caller, sent: Sent<Nothing>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = call_off(tx, &caller.member, Subject::Tenant).await?;
        kept(deletions::find(tx, Subject::Tenant).await?, changed)
    })
    .await
}

/// Asks for an archived client to be deleted, in seven days. The owners are told, and each can call it off.
#[utoipa::path(post, path = "/api/v1/clients/{id}/delete", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Meant, responses((status = 202, description = "It waits", body = Deletion), Problem), security(("token" = ["own"])))]
pub async fn delete_client(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Meant>,
) -> Result<Response, Problem> {
    sent.act_as(&app, &caller, async |tx| {
        let deletion = client::ask_deletion(&app, tx, &caller.member, id, &sent.said.name).await??;
        Ok((StatusCode::ACCEPTED, Deletion::from(deletion)))
    })
    .await
}

/// Calls a client's deletion off. It stays archived.
#[utoipa::path(post, path = "/api/v1/clients/{id}/keep", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It is not deleted", body = Done), Problem), security(("token" = ["own"])))]
pub async fn keep_client(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = client::keep(tx, &caller.member, id).await?;
        kept(deletions::find(tx, Subject::Client(id)).await?, changed)
    })
    .await
}

/// What has begun is not kept any more.
fn kept(left: Option<Row>, changed: bool) -> Result<Done, Problem> {
    match left {
        Some(_) => Err(Problem::of_status(StatusCode::CONFLICT).because("it has begun")),
        None => Ok(Done { changed }),
    }
}
