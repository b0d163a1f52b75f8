//! `GET /api/v1/audit`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::audit::{self, Filter, Place, Row};
use store::fleet;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Page, Problem, cursor, limit, page};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// Whose actor, or member's name, contains this.
    #[param(max_length = 100)]
    actor: Option<String>,
    /// Whose action begins with this.
    #[param(max_length = 100)]
    action: Option<String>,
    /// About this thing.
    subject: Option<Uuid>,
    /// Telling of this client.
    client: Option<Uuid>,
    /// Written at this instant or later.
    from: Option<Timestamp>,
    /// Written before this instant.
    to: Option<Timestamp>,
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Who did what.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    id: Uuid,
    at: Timestamp,
    /// A member, a token and its maker, a loop, a host, the operator.
    actor: String,
    /// The member's name.
    name: Option<String>,
    /// From which network address.
    source: Option<String>,
    /// In which request.
    request: Option<Uuid>,
    action: String,
    subject_kind: String,
    subject: Uuid,
    client: Option<Uuid>,
    #[schema(value_type = Object)]
    detail: Value,
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    /// Its number in the chain, once it is linked.
    seq: Option<i64>,
    /// Its hash.
    hash: Option<String>,
}

/// Entries, the newest first. A member of some clients may not read them.
#[utoipa::path(get, path = "/api/v1/audit", tag = "Audit", params(Query),
    responses((status = 200, description = "A page of entries", body = Page<Entry>), Problem), security(("token" = ["audit"])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Query>,
) -> Result<Json<Page<Entry>>, Problem> {
    caller.member.must_for_all(Act::ReadAudit)?;
    let limit = limit(asked.limit)?;
    let after = cursor::read(asked.cursor.as_deref(), |[at, id]: [String; 2]| {
        Some(Place { at: cursor::at(&at)?, audit_id: cursor::id(&id)? })
    })?;
    for (field, said) in [("actor", &asked.actor), ("action", &asked.action)] {
        if said.as_ref().is_some_and(|said| said.chars().count() > 100) {
            return Err(Problem::invalid(field, "it must be at most 100 characters"));
        }
    }
    let mut tx = caller.member.begin(&app).await?;
    if let Some(client_id) = asked.client {
        fleet::find_client(&mut tx, client_id).await?.ok_or(Problem::NOT_FOUND)?;
    }
    let filter = Filter {
        actor: asked.actor,
        action: asked.action,
        subject_id: asked.subject,
        client_id: asked.client,
        from_at: asked.from.map(cursor::within),
        to_at: asked.to.map(cursor::within),
    };
    let rows = audit::list(&mut tx, &filter, after, limit + 1).await?;
    let place = |row: &Row| cursor::said(&[cursor::micros(row.at), row.audit_id.simple().to_string()]);
    Ok(page(rows, limit, place, entry))
}

fn entry(row: Row) -> Entry {
    Entry {
        id: row.audit_id,
        at: row.at,
        actor: row.actor,
        name: row.actor_name,
        source: row.source,
        request: row.request_id,
        action: row.action,
        subject_kind: row.subject_kind,
        subject: row.subject_id,
        client: row.client_id,
        detail: row.detail,
        before: row.before,
        after: row.after,
        seq: row.seq,
        hash: row.hash.map(hex::encode),
    }
}
