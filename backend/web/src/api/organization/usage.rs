//! `GET /api/v1/usage`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Problem};
use crate::pages::settings::usage::{Used, read_used};

/// Months at most.
const MONTHS: i8 = 13;

/// Since when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// How many months, this one among them; 1 unless said.
    #[param(minimum = 1, maximum = 13)]
    months: Option<i8>,
}

/// What a plan has room for, and what is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct Room {
    /// `hosts`, `checks` or `members`.
    of: String,
    used: u32,
    /// Null: no limit.
    allowed: Option<u32>,
}

/// What a client used in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientMonth {
    /// Its first day.
    month: String,
    client: Uuid,
    name: String,
    /// The sum of the days' most hosts.
    host_days: u32,
    /// The most hosts of any day.
    most: u32,
}

/// What is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    plan: String,
    /// For how many days the output of fixes and metrics are kept at most; null: as the server keeps them.
    keep_days: Option<u32>,
    /// Most reports of metrics a minute, of all hosts together; null: no limit.
    reports: Option<u32>,
    /// Reports of this month that were not kept.
    not_kept: u64,
    rooms: Vec<Room>,
    /// The newest first.
    months: Vec<ClientMonth>,
}

/// The plan, what is used of it, and each client's months.
#[utoipa::path(get, path = "/api/v1/usage", tag = "Organization", params(Query),
    responses((status = 200, description = "The use", body = Usage), Problem), security(("token" = ["settings"])))]
pub async fn show(State(app): State<App>, caller: Caller, Asked(asked): Asked<Query>) -> Result<Json<Usage>, Problem> {
    let months = asked.months.unwrap_or(1);
    if !(1..=MONTHS).contains(&months) {
        return Err(Problem::invalid("months", format!("it must be 1 to {MONTHS}")));
    }
    let mut tx = caller.member.begin(&app).await?;
    let Used { plan, counted, not_kept, months, .. } = read_used(&mut tx, &caller.member, months - 1).await?;
    let room =
        |(of, used): (domain::quota::Counted, u32)| Room { of: of.label().to_owned(), used, allowed: plan.limit(of) };
    let rooms = counted.into_iter().map(room).collect();
    let month = |month: store::quotas::Month| ClientMonth {
        month: month.month.to_string(),
        client: month.client_id,
        name: month.client,
        host_days: month.host_days,
        most: month.most,
    };
    let months = months.into_iter().map(month).collect();
    let (keep_days, reports) = (plan.keep_days, plan.max_reports);
    Ok(Json(Usage { plan: plan.name, keep_days, reports, not_kept, rooms, months }))
}
