//! `GET /`: the board.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::access::Act;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use store::pages::board as stored;
use store::pages::guardrails::list_breakers;
use store::pages::trend;
use store::remediate::stops;
use views::board::{BoardPage, ClientRow, Fixed, Need, Silent, Told, Unrun, Watch};
use views::trend::{ClosedGap, Day, Trend};
use views::{HostRef, Nav};

use super::{count, guardrails, incident};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::trends::Trends;
use crate::{App, Failure};

/// The most rows of what needs somebody, did not run or stands: whoever has more has another problem.
const SHOWN: i64 = 50;
/// How many silent hosts, and how many fixes, are told by name; the counts beside them are whole.
const NAMED: i64 = 8;
/// The most clients.
const CLIENTS: i64 = 500;
/// The days of the trend.
const DAYS: i64 = 30;
/// What "the last 24 hours" means.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The board of what the member may see.
pub async fn show(
    State(app): State<App>,
    Extension(trends): Extension<Trends>,
    member: Member,
) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let shell = member.shell(&mut tx, Nav::Board).await?;
    let now = tx.now().await?;
    let since = now - DAY;
    let mut needs = stored::list_needs(&mut tx, SHOWN).await?;
    if member.is_of_client() {
        needs.iter_mut().filter_map(|need| need.told.as_mut()).for_each(|told| incident::ON_CALL.clone_into(told));
    }
    let unrun = stored::list_unrun(&mut tx, since, SHOWN).await?;
    // What concerns everybody is shown to who sees everything, as on the page of guardrails.
    let breakers = list_breakers(&mut tx, SHOWN).await?;
    let breakers = breakers.iter().filter(|b| b.client_id.is_some() || member.sees_all());
    let mut standing: Vec<_> = breakers.map(|b| guardrails::standing_breaker(b, false)).collect();
    standing.extend(stops::list(&mut tx, SHOWN).await?.iter().map(|s| guardrails::standing_stop(s, false, None)));
    let watch = stored::find_watch(&mut tx, since).await?;
    let gaps = stored::list_silent(&mut tx, NAMED).await?;
    let fixed = stored::list_fixed(&mut tx, since, NAMED).await?;
    let tenant = store::configuration::find_tenant(&mut tx).await?;
    let zone = tenant.map_or_else(|| "UTC".to_owned(), |tenant| tenant.time_zone);
    let today = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    let today = now.to_zoned(today).date();
    let days = trends.days(&mut tx, &member.seat().scope, &zone, today).await?;
    let closed = trend::list_closed_gaps(&mut tx, since, NAMED).await?;
    let clients = stored::list_clients(&mut tx, since, CLIENTS).await?;
    Ok(page(&BoardPage {
        shell,
        clock: clock(&app, now),
        needs: needs.into_iter().map(need).collect(),
        unrun: unrun.into_iter().map(not_run).collect(),
        standing,
        watch: Watch {
            linked: count(watch.linked),
            silent: count(watch.silent),
            never: count(watch.never),
            gaps: gaps
                .into_iter()
                .map(|gap| Silent { host: HostRef { id: gap.host_id, name: gap.host }, since: gap.since })
                .collect(),
            mailed_at: watch.mailed_at,
            mails_failed: count(watch.mails_failed),
            mails_queued: count(watch.mails_queued),
            closed: closed.into_iter().map(closed_gap).collect(),
        },
        fixed_all: fixed.first().map_or(0, |first| count(first.all)),
        fixed: fixed.into_iter().map(was_fixed).collect(),
        clients: clients.into_iter().map(client).collect(),
        trend: Trend::of(&days.into_iter().map(day).collect::<Vec<_>>(), today, DAYS),
    }))
}

fn closed_gap(gap: trend::Gap) -> ClosedGap {
    ClosedGap { host: HostRef { id: gap.host_id, name: gap.host }, from: gap.from, to: gap.to }
}

fn day(day: trend::Day) -> Day {
    Day {
        date: day.date,
        healed: count(day.healed),
        called: count(day.called),
        pages_sent: count(day.pages_sent),
        pages_avoided: count(day.pages_avoided),
    }
}

fn need(row: stored::Need) -> Need {
    let told = match (row.told, row.told_state.as_deref(), row.told_at) {
        (Some(who), Some("sent"), Some(at)) => Told::At(who, at),
        (Some(who), Some("failed"), _) => Told::Failed(who),
        (Some(who), ..) => Told::OnItsWay(who),
        (None, ..) => Told::Nobody,
    };
    let reason = match row.reason {
        Some(reason) => reason.trim_end_matches('.').to_owned(),
        None if row.asks => "its mapping asks first".to_owned(),
        None => "a person has to look".to_owned(),
    };
    Need {
        incident: row.incident_id,
        title: row.title,
        verdict: incident::verdict(&row.severity),
        client: row.client,
        host: row.host,
        since: row.since,
        reason,
        asks: row.asks,
        owner: row.owner,
        told,
    }
}

fn not_run(row: stored::Unrun) -> Unrun {
    let lapsed = row.state != "held";
    let reason = match row.reason {
        Some(reason) => reason.trim_end_matches('.').to_owned(),
        None if lapsed => "nobody said yes in time".to_owned(),
        None => "something holds it".to_owned(),
    };
    Unrun {
        incident: row.incident_id,
        playbook: row.playbook,
        host: row.host,
        client: row.client,
        reason,
        lapsed,
        at: row.at,
        until: row.until,
    }
}

fn was_fixed(row: stored::Fixed) -> Fixed {
    Fixed {
        incident: row.incident_id,
        title: row.title,
        client: row.client,
        host: row.host,
        at: row.at,
        bad_since: row.bad_since,
        relapsed: row.relapsed,
    }
}

fn client(row: stored::Client) -> ClientRow {
    ClientRow {
        id: row.client_id,
        name: row.name,
        hosts: count(row.hosts),
        critical: count(row.critical),
        warning: count(row.warning),
        needs_you: count(row.needs_you),
        fixed: count(row.fixed),
    }
}
