//! `GET /api/v1/hosts`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::api::hosts::{self, Row};
use store::fleet;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Named, Page, Problem, cursor, limit, page};

/// Which hosts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// Of this client.
    client: Option<Uuid>,
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A host.
#[derive(Debug, Serialize, ToSchema)]
pub struct Host {
    id: Uuid,
    name: String,
    client: Named,
    /// `trusted` or `quarantined`.
    state: String,
    quarantine_reason: Option<String>,
    #[schema(value_type = Object)]
    tags: Value,
    agent_version: Option<String>,
    /// When the newest link of its agent began.
    linked_at: Option<Timestamp>,
    /// When that link ended; none while it lasts.
    unlinked_at: Option<Timestamp>,
}

/// Hosts by id.
#[utoipa::path(get, path = "/api/v1/hosts", tag = "Hosts", params(Query),
    responses((status = 200, description = "A page of hosts", body = Page<Host>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Query>,
) -> Result<Json<Page<Host>>, Problem> {
    caller.must(Act::Read)?;
    let limit = limit(asked.limit)?;
    let after = cursor::read(asked.cursor.as_deref(), |[id]: [String; 1]| cursor::id(&id))?;
    let mut tx = caller.member.begin(&app).await?;
    if let Some(client_id) = asked.client {
        fleet::find_client(&mut tx, client_id).await?.ok_or(Problem::NOT_FOUND)?;
    }
    let rows = hosts::list(&mut tx, asked.client, after, limit + 1).await?;
    Ok(page(rows, limit, |row: &Row| cursor::said(&[row.host_id.simple().to_string()]), host))
}

fn host(row: Row) -> Host {
    Host {
        id: row.host_id,
        name: row.name,
        client: Named { id: row.client_id, name: row.client },
        state: row.state,
        quarantine_reason: row.quarantine_reason,
        tags: row.tags,
        agent_version: row.agent_version,
        linked_at: row.linked_at,
        unlinked_at: row.unlinked_at,
    }
}
