//! `GET /api/v1/limits` and `POST /api/v1/limits/{limit}`: what tightens holds at once, what loosens waits.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Act;
use domain::limit::Limit as Known;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::changes::Change;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::api::{Asked, Caller, Nothing, Page, Problem, Sent, why};
use crate::pages::settings::limits::{Came, Stands, change_limit, list_limits};

/// A limit of all scopes of a kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limit {
    /// Its word, as in files: `client.in_flight`.
    limit: String,
    /// What it bounds.
    label: String,
    /// Whether it has a count, and whether it has a time: what it has not is refused.
    has_count: bool,
    has_secs: bool,
    /// What is set; null with neither: the rule of the scope's size.
    count: Option<u32>,
    secs: Option<u32>,
    /// What waits for it.
    waits: Option<Waiting>,
}

/// A change that waits for a second person, or confirmed for its time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Waiting {
    change: Uuid,
    state: String,
    #[schema(value_type = Object)]
    wanted: Value,
}

impl From<Change> for Waiting {
    fn from(change: Change) -> Waiting {
        Waiting { change: change.change_id, state: change.state.word().to_owned(), wanted: change.wanted }
    }
}

/// Every limit that people set, those of the widest scope first.
#[utoipa::path(get, path = "/api/v1/limits", tag = "Guardrails",
    responses((status = 200, description = "The limits", body = Page<Limit>), Problem), security(("token" = ["settings"])))]
pub async fn list(State(app): State<App>, caller: Caller, _: Asked<Nothing>) -> Result<Json<Page<Limit>>, Problem> {
    caller.member.must_for_all(Act::ManageOrganization)?;
    let mut tx = caller.member.begin(&app).await?;
    let limits = list_limits(&mut tx).await?;
    Ok(Json(Page { items: limits.into_iter().map(item).collect(), next: None }))
}

fn item(Stands { limit, set, waits }: Stands) -> Limit {
    let (count, secs) = limit.said(set);
    Limit {
        limit: limit.word.to_owned(),
        label: limit.label.to_owned(),
        has_count: limit.has_count(),
        has_secs: limit.has_secs(),
        count,
        secs,
        waits: waits.map(Waiting::from),
    }
}

/// A limit as it is to be; without count and seconds the rule of the scope's size holds again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitWanted {
    /// How many.
    #[schema(minimum = 1, maximum = 10000)]
    count: Option<u32>,
    /// In how many seconds.
    #[schema(minimum = 1, maximum = 604800)]
    secs: Option<u32>,
    /// Why; needed where it loosens, for the second person.
    #[serde(default)]
    #[schema(max_length = 200)]
    why: String,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// `set`: it tightens, and holds. `proposed`: it loosens, so somebody else than the token's maker answers it under
    /// changes. `waits`: exactly this is proposed already. `same`: it is what holds. `archived`, of a check: nothing looks at it.
    outcome: String,
}

impl Outcome {
    /// Of its word.
    pub fn of(outcome: &str) -> Outcome {
        Outcome { outcome: outcome.to_owned() }
    }
}

/// Sets a limit, or proposes to.
#[utoipa::path(post, path = "/api/v1/limits/{limit}", tag = "Guardrails", params(("limit" = String, Path, description = "The limit's word"), crate::api::document::Key),
    request_body = LimitWanted, responses((status = 200, description = "What came of it", body = Outcome), Problem), security(("token" = ["settings"])))]
pub async fn set(
    State(app): State<App>,
    caller: Caller,
    word: Result<Path<String>, PathRejection>,
    sent: Sent<LimitWanted>,
) -> Result<Response, Problem> {
    caller.member.must_for_all(Act::ManageOrganization)?;
    let limit = word.ok().and_then(|Path(word)| Known::parse(&word)).ok_or(Problem::NOT_FOUND)?;
    let LimitWanted { count, secs, why: said } = &sent.said;
    let set = limit.of(*count, *secs).map_err(|(field, wrong)| Problem::invalid(field, wrong))?;
    let why = why(said)?;
    sent.act(&app, &caller, async |tx| {
        let came = change_limit(&app, tx, &caller.member, &limit, set, why).await??;
        Ok(Outcome::of(match came {
            Came::Set => "set",
            Came::Proposed => "proposed",
            Came::Waits => "waits",
            Came::Same => "same",
        }))
    })
    .await
}
