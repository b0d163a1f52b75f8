//! `GET /api/v1/incidents`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Deserialize;
use store::fleet;
use store::pages::incidents::{self, Filter, Place, Row};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Incident;
use crate::App;
use crate::api::{Asked, Caller, Page, Problem, cursor, limit, page};

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// Only open or only closed ones.
    #[param(inline)]
    state: Option<Wanted>,
    /// Of this client.
    client: Option<Uuid>,
    /// With an alert on a host whose name contains this.
    #[param(max_length = 100)]
    host: Option<String>,
    /// With an alert of a check of this kind.
    #[param(max_length = 100)]
    kind: Option<String>,
    /// Opened at this instant or later.
    from: Option<Timestamp>,
    /// Opened before this instant.
    to: Option<Timestamp>,
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Whether they are over.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Not over.
    Open,
    /// Over.
    Closed,
}

/// Incidents: open ones first, the newest first in each.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "Incidents", params(Query),
    responses((status = 200, description = "A page of incidents", body = Page<Incident>), Problem), security(("token" = ["read"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Query>,
) -> Result<Json<Page<Incident>>, Problem> {
    caller.must(Act::Read)?;
    let limit = limit(asked.limit)?;
    let after = cursor::read(asked.cursor.as_deref(), |[open, at, id]: [String; 3]| {
        Some(Place { is_open: open == "open", opened_at: cursor::at(&at)?, incident_id: cursor::id(&id)? })
    })?;
    let mut tx = caller.member.begin(&app).await?;
    if let Some(client_id) = asked.client {
        fleet::find_client(&mut tx, client_id).await?.ok_or(Problem::NOT_FOUND)?;
    }
    let filter = Filter {
        is_open: asked.state.map(|state| state == Wanted::Open),
        client_id: asked.client,
        host: text("host", asked.host)?,
        kind: text("kind", asked.kind)?,
        from_at: asked.from.map(cursor::within),
        to_at: asked.to.map(cursor::within),
        ..Filter::default()
    };
    let rows = incidents::list(&mut tx, &filter, after, limit + 1).await?;
    Ok(page(rows, limit, place, Incident::from))
}

fn text(field: &str, said: Option<String>) -> Result<Option<String>, Problem> {
    match said {
        Some(said) if said.chars().count() > 100 => Err(Problem::invalid(field, "it must be at most 100 characters")),
        said => Ok(said.filter(|said| !said.is_empty())),
    }
}

fn place(row: &Row) -> String {
    let open = if row.state == "closed" { "closed" } else { "open" };
    cursor::said(&[open.to_owned(), cursor::micros(row.opened_at), row.incident_id.simple().to_string()])
}
