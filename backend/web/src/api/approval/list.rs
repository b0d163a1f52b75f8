//! `GET /api/v1/approvals`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::pages;
use store::remediate::approvals::{Plan, list_plans};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Named, Nothing, Page, Problem};

/// How many are told at most; who has more waiting has another problem.
const MOST: i64 = 200;

/// A fix that waits for a yes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Approval {
    /// The run that waits; the answer names it.
    id: Uuid,
    incident: Uuid,
    title: String,
    severity: String,
    client: String,
    host: Named,
    check: String,
    target: String,
    bad_since: Timestamp,
    playbook: String,
    playbook_version: i32,
    /// What it would be run with.
    #[schema(value_type = Object)]
    parameters: Value,
    /// The digest of exactly this plan; the answer says it again.
    plan: String,
    asked_at: Option<Timestamp>,
    /// No answer until then is a no.
    lapses_at: Timestamp,
}

/// What waits for a yes, what lapses first at the head.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "Approvals",
    responses((status = 200, description = "What waits, 200 at most", body = Page<Approval>), Problem), security(("token" = ["read"])))]
pub async fn list(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Page<Approval>>, Problem> {
    caller.must(Act::Read)?;
    let mut tx = caller.member.begin(&app).await?;
    let now = tx.now().await?;
    let rows = pages::approvals::list(&mut tx, MOST).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.run_id).collect();
    let plans: HashMap<Uuid, Plan> = list_plans(&mut tx, &ids).await?.into_iter().collect();
    let items = rows.into_iter().filter_map(|row| {
        let plan = plans.get(&row.run_id)?;
        Some(Approval {
            id: row.run_id,
            incident: row.incident_id,
            title: row.title,
            severity: row.severity,
            client: row.client,
            host: Named { id: row.host_id, name: row.host },
            check: row.check,
            target: row.target,
            bad_since: row.bad_since,
            playbook: row.playbook,
            playbook_version: row.version,
            parameters: plan.parameters.clone(),
            plan: hex::encode(plan.digest),
            asked_at: plan.asked_at,
            lapses_at: plan.lapses_at.filter(|at| *at > now)?,
        })
    });
    Ok(Json(Page { items: items.collect(), next: None }))
}
