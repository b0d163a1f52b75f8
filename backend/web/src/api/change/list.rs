//! `GET /api/v1/changes`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::changes;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Page, Problem};

/// How many are told at most.
const MOST: i64 = 100;

/// Something that loosens.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    id: Uuid,
    /// What it changes.
    name: String,
    #[schema(value_type = Object)]
    was: Value,
    #[schema(value_type = Object)]
    wanted: Value,
    state: String,
    proposed_at: Timestamp,
    proposed_by: String,
    /// In their words; empty: they said nothing.
    why: String,
    /// No answer until then is a no.
    lapses_at: Timestamp,
    answered_by: Option<String>,
    reason: Option<String>,
    /// Confirmed: it takes effect then.
    due_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    end_reason: Option<String>,
}

/// Changes that wait for a second person, then those that are over. Who sees some clients only is told of none.
#[utoipa::path(get, path = "/api/v1/changes", tag = "Changes",
    responses((status = 200, description = "The changes, 100 at most", body = Page<Change>), Problem), security(("token" = ["read"])))]
pub async fn list(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Page<Change>>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    let rows = if caller.member.sees_all() { changes::list(&mut tx, MOST).await? } else { Vec::new() };
    let items = rows.into_iter().map(|row| Change {
        id: row.change_id,
        name: row.name,
        was: row.was,
        wanted: row.wanted,
        state: row.state.word().to_owned(),
        proposed_at: row.proposed_at,
        proposed_by: row.proposed_by,
        why: row.why,
        lapses_at: row.lapses_at,
        answered_by: row.answered_by,
        reason: row.reason,
        due_at: row.due_at,
        ended_at: row.ended_at,
        end_reason: row.end_reason,
    });
    Ok(Json(Page { items: items.collect(), next: None }))
}
