//! `POST /api/v1/service-accounts` and `/{id}/remove`.

use axum::extract::State;
use axum::response::Response;
use domain::access::Role;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Caller, Done, Id, Made, Nothing, Problem, Sent};
use crate::pages::settings::people::{Reach, Wanted, insert_service, remove_service};

/// A role that a service account can have.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceRole {
    Technician,
    Viewer,
}

/// A service account that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewService {
    /// What people call it; no other has the name.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(inline)]
    role: ServiceRole,
    /// The clients it sees; null: all. It must be said: what is forgotten is not everything.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    clients: Option<Vec<Uuid>>,
}

/// Makes a service account. It has no token yet: those are made by a person, in the console.
#[utoipa::path(post, path = "/api/v1/service-accounts", tag = "People", params(crate::api::document::Key), request_body = NewService,
    responses((status = 200, description = "It is there", body = Made), Problem), security(("token" = ["people"])))]
pub async fn make(State(app): State<App>, caller: Caller, sent: Sent<NewService>) -> Result<Response, Problem> {
    let role = match sent.said.role {
        ServiceRole::Technician => Role::Technician,
        ServiceRole::Viewer => Role::Viewer,
    };
    let reach = Reach { role, clients: sent.said.clients.clone() };
    let wanted = Wanted { name: sent.said.name.clone(), reach };
    sent.act(&app, &caller, async |tx| {
        let id = insert_service(tx, &caller.member, &wanted).await??;
        Ok(Made { id })
    })
    .await
}

/// Removes a service account and revokes its tokens.
#[utoipa::path(post, path = "/api/v1/service-accounts/{id}/remove", tag = "People", params(("id" = Uuid, Path, description = "The service account"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "It may nothing any more", body = Done), Problem), security(("token" = ["people"])))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        remove_service(tx, &caller.member, id).await?;
        Ok(Done { changed: true })
    })
    .await
}
