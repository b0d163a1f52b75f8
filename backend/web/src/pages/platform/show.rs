//! `GET /platform`: the organizations, the queues, the plans and what operators did.

use axum::extract::{Query, State};
use axum::response::Response;
use domain::remediate::platform_storm::Sign;
use serde::Deserialize;
use store::platform::{self, storm};
use uuid::Uuid;
use views::platform::{Done, LagRow, OrganizationRow, PlatformPage, SignRow, Weather};

use crate::layers::page;
use crate::member::clock;
use crate::operator::{Known, Operator};
use crate::{App, Failure, entry};

/// Organizations on a page.
const SHOWN: i64 = 100;
/// Entries of the platform's audit that are shown.
const ENTRIES: i64 = 30;

/// The query: where the list goes on.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    after: Option<Uuid>,
}

/// The page.
pub async fn show(
    State(app): State<App>,
    Operator(operator): Operator,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(page(&load(&app, &operator, asked.after, None).await?))
}

/// The page as things stand.
pub(super) async fn load(
    app: &App,
    operator: &Known,
    after: Option<Uuid>,
    error: Option<&str>,
) -> Result<PlatformPage, Failure> {
    let now = entry::now(&app.store).await?;
    let standings = platform::list_standings(&app.store, after, SHOWN).await?;
    let next = if standings.len() as i64 == SHOWN { standings.last().map(|last| last.tenant_id) } else { None };
    let done = platform::list_audit(&app.store, ENTRIES).await?.into_iter().map(|entry| Done {
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        about: [entry.organization.map(|id| id.to_string()), said(&entry.detail)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": "),
    });
    Ok(PlatformPage {
        csrf: operator.csrf.clone(),
        email: operator.email.clone(),
        clock: clock(app, now),
        is_stopped: platform::find_frozen(&app.store).await?,
        storm: weather(&storm::look(&app.store).await?),
        organizations: standings.into_iter().map(OrganizationRow).collect(),
        next,
        plans: platform::list_plans(&app.store).await?,
        lags: platform::list_lags(&app.store)
            .await?
            .into_iter()
            .map(|lag| LagRow { queue: lag.queue, due: lag.due, oldest: lag.oldest.unsigned_abs() })
            .collect(),
        done: done.collect(),
        error: error.map(str::to_owned),
    })
}

fn weather(look: &storm::Look) -> Weather {
    let on = look.storm.filter(|storm| storm.ends_at > look.now);
    let row = |label, sign| SignRow { label, count: look.seen.count(sign), limit: look.seen.limit(sign) };
    Weather {
        on: on.map(|storm| (storm.kind == storm::Kind::Set, storm.since, storm.ends_at)),
        signs: [
            row("a fix went badly", Sign::Bad),
            row("a storm of their own holds fixes", Sign::Storm),
            row("a fix began", Sign::Began),
        ],
        organizations: look.seen.active,
    }
}

fn said(detail: &serde_json::Value) -> Option<String> {
    ["reason", "plan"].iter().find_map(|name| detail[name].as_str()).map(str::to_owned)
}
