//! `GET /api/v1/hosts/{id}/metrics`.

use axum::Json;
use axum::extract::State;
use domain::access::Act;
use domain::metrics::{Sample, Step};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::metrics::{self, Point};
use store::pages::hosts;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::api::{Asked, Caller, Id, Problem, cursor};

/// The most points of an answer.
const MOST: i64 = 1_500;
/// What is shown unless `from` is said.
const SHOWN: SignedDuration = SignedDuration::from_hours(1);

/// Which time, and how finely.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// From this instant on; an hour before `to` unless said.
    from: Option<Timestamp>,
    /// Before this instant; now unless said.
    to: Option<Timestamp>,
    /// The time between two points in seconds: 60 (kept for 2 days), 300 (14 days) or 3600 (400 days); 60 unless said.
    step: Option<u32>,
}

/// A host's figures over some time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metrics {
    /// The time between two points, in seconds. A point that is missing was not read.
    step_secs: u32,
    /// The beginning of each point's time, ascending.
    at: Vec<Timestamp>,
    /// What was read.
    series: Vec<Series>,
    /// What its agent told last.
    newest: Option<Newest>,
}

/// One figure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    /// `cpu_busy`, `memory_used`, …
    name: &'static str,
    /// `percent`, `load`, `bytes` or `bytes_per_second`.
    unit: &'static str,
    /// Its mean at each point; none: it was not read then.
    values: Vec<Option<f32>>,
}

/// What was told last.
#[derive(Debug, Serialize, ToSchema)]
pub struct Newest {
    /// When it was read.
    at: Timestamp,
    /// The figures, in the order of `series`.
    values: Vec<Option<f32>>,
}

/// A host's metrics. Rows that are kept no longer are not there.
#[utoipa::path(get, path = "/api/v1/hosts/{id}/metrics", tag = "Hosts", params(("id" = Uuid, Path, description = "The host"), Query),
    responses((status = 200, description = "Its figures", body = Metrics), Problem), security(("token" = ["read"])))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Asked(asked): Asked<Query>,
) -> Result<Json<Metrics>, Problem> {
    caller.must(Act::Read)?;
    let secs = asked.step.unwrap_or(60);
    let step = Step::of(secs).ok_or_else(|| Problem::invalid("step", "it must be 60, 300 or 3600"))?;
    let mut tx = caller.member.begin(&app).await?;
    hosts::list(&mut tx, hosts::Of::Host(id), 1).await?.pop().ok_or(Problem::NOT_FOUND)?;
    let now = tx.now().await?;
    let to = asked.to.map_or(now, cursor::within);
    let from = cursor::within(asked.from.unwrap_or_else(|| to.saturating_sub(SHOWN).unwrap_or(to)));
    if from >= to {
        return Err(Problem::invalid("from", "it must be before `to`"));
    }
    if to.duration_since(from).as_secs() / i64::from(secs) > MOST {
        return Err(Problem::invalid("step", format!("that would be more than {MOST} points: take a longer one")));
    }
    let past = metrics::list_between(&mut tx, id, step, (from, to)).await?;
    let newest = metrics::find_now(&mut tx, id).await?;
    let series = Sample::ALL.into_iter().map(|(sample, name, unit)| Series {
        name,
        unit,
        values: past.iter().map(|point: &Point| sample.of(&point.samples)).collect(),
    });
    let of = |row: Vec<Option<f32>>| Sample::ALL.iter().map(|(sample, ..)| sample.of(&row)).collect();
    Ok(Json(Metrics {
        step_secs: secs,
        series: series.collect(),
        at: past.iter().map(|point| point.at).collect(),
        newest: newest.map(|newest| Newest { at: newest.at, values: of(newest.samples) }),
    }))
}
