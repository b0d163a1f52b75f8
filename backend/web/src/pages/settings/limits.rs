//! `/settings/limits`: what tightens holds at once; what loosens is proposed to a second person, and waits.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::change::{self, Direction, of_limit};
use domain::limit::Limit;
use domain::remediate::guardrails::{BucketKind, Numbers};
use serde::Deserialize;
use serde_json::json;
use store::TenantTx;
use store::audit::{self, Entry};
use store::changes::{self, Change, NewChange, Subject, limit_key, limit_value};
use store::remediate::guardrails;
use store::remediate::runs::{self, Withdraw};
use views::settings::{LimitGroup, LimitRow, LimitsPage, Tab};
use views::{Nav, took};

use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::pages::change::{list_waiting, value, waits};
use crate::posted::{Posted, inputs, reason};
use crate::{App, Failure, Refusal};

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form: one limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    csrf: String,
    limit: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    secs: String,
    #[serde(default)]
    why: String,
}

inputs!(Wanted);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let done = match asked.done.as_str() {
        "set" => Some("It holds from now on, also for what waits."),
        "proposed" => Some("It loosens, so it waits for somebody else than you. They find it under Changes."),
        "waits" => Some("Exactly this is proposed already."),
        "same" => Some("It is what holds already."),
        _ => None,
    };
    Ok(page(&load(&app, &member, None, Ok(done)).await?))
}

/// What comes of a limit that somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It tightens: it holds.
    Set,
    /// It loosens: it waits for a second person.
    Proposed,
    /// Exactly this waits already.
    Waits,
    /// It is what holds.
    Same,
}

/// A limit as it stands.
#[derive(Clone, Debug)]
pub struct Stands {
    /// Which one.
    pub limit: Limit,
    /// Its own part of what is set; nothing: the rule of the scope's size.
    pub set: Numbers,
    /// What waits for it.
    pub waits: Option<Change>,
}

/// Sets one limit, or proposes to.
pub async fn set(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let limit = Limit::parse(&form.limit).ok_or(Failure::NOT_FOUND)?;
    let came = match limit.numbers(&form.count, &form.secs) {
        Ok(set) => {
            let mut tx = member.begin(&app).await?;
            let came = change_limit(&app, &mut tx, &member, &limit, set, reason(&form.why)).await?;
            tx.commit().await?;
            came.map_err(Refusal::words)
        }
        Err(wrong) => Err(wrong.to_owned()),
    };
    let done = match came {
        Ok(Came::Set) => "set",
        Ok(Came::Proposed) => "proposed",
        Ok(Came::Waits) => "waits",
        Ok(Came::Same) => "same",
        Err(wrong) => return Ok(refusing(&load(&app, &member, Some((&limit, &form)), Err(wrong)).await?)),
    };
    Ok(Redirect::to(&format!("/settings/limits?done={done}")).into_response())
}

/// Sets a limit if that tightens it, and proposes it to a second person if it loosens, which is asked of somebody who has
/// just proven who they are.
pub async fn change_limit(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    limit: &Limit,
    set: Numbers,
    why: Option<String>,
) -> Result<Result<Came, Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let (tenant_id, Limit { kind, part, .. }) = (tx.tenant_id(), *limit);
    guardrails::lock_tenant(tx).await?;
    let key = limit_key(tenant_id, kind);
    let old = guardrails::find(tx, kind, &key).await?.set;
    let new = part.moved(old, set);
    if new == old {
        return Ok(Ok(Came::Same));
    }
    let (was, wanted) = (limit_value(part, old), limit_value(part, new));
    let by = member.name(tx).await?;
    let sizes = guardrails::list_sizes(tx, kind).await?;
    if of_limit(kind, part, old, new, &sizes) == Direction::Looser {
        member.must_be_proven(app).await?;
        let Some(why) = why else {
            return Ok(Err(Refusal::field("why", "This loosens the limit: say why, for the second person.")));
        };
        let change = NewChange {
            subject: Subject::Limit(kind, part),
            name: &format!("{}: {}", kind.label(), limit.word),
            was,
            wanted,
            why: &why,
            by: &by,
            login_id: Some(member.login_id()),
        };
        return Ok(Ok(if changes::propose(tx, &change).await? { Came::Proposed } else { Came::Waits }));
    }
    guardrails::set_numbers(tx, kind, &key, new).await?;
    // What has no permit yet is decided anew, under the new numbers.
    for host_id in runs::list_hosts_unpermitted(tx, None).await? {
        runs::withdraw_unpermitted(tx, &Withdraw::of_host(host_id), "a limit was tightened").await?;
    }
    let detail = json!({ "limit": limit.word, "by": by, "why": why });
    let entry = Entry::changed("limit.tightened", ("tenant", tenant_id), was, wanted);
    audit::insert(tx, None, entry.with(detail)).await?;
    Ok(Ok(Came::Set))
}

/// Every limit as it stands.
pub async fn list_limits(tx: &mut TenantTx) -> Result<Vec<Stands>, Failure> {
    let tenant_id = tx.tenant_id();
    let open = list_waiting(tx).await?;
    let mut limits = Vec::new();
    for limit in Limit::ALL {
        let set = guardrails::find(tx, limit.kind, &limit_key(tenant_id, limit.kind)).await?.set;
        let subject = Some(Subject::Limit(limit.kind, limit.part));
        let waits = open.iter().find(|change| change.subject == subject).cloned();
        limits.push(Stands { limit, set: limit.part.moved(Numbers::default(), set), waits });
    }
    Ok(limits)
}

async fn load(
    app: &App,
    member: &Member,
    typed: Option<(&Limit, &Wanted)>,
    said: Result<Option<&'static str>, String>,
) -> Result<LimitsPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let clock = clock(app, tx.now().await?);
    let limits = list_limits(&mut tx).await?;
    let mut groups: Vec<LimitGroup> = Vec::new();
    for Stands { limit, set, waits: waiting } in limits {
        let (mut count, mut secs) = limit.typed(set);
        if let Some((_, form)) = typed.filter(|(of, _)| **of == limit) {
            (count, secs) = (form.count.clone(), form.secs.clone());
        }
        let row = LimitRow {
            word: limit.word,
            label: limit.label,
            now: value(Some(Subject::Limit(limit.kind, limit.part)), &limit_value(limit.part, set)),
            is_set: set != Numbers::default(),
            count: limit.has_count().then_some(count),
            secs: limit.has_secs().then_some(secs),
            waits: waiting.as_ref().map(|change| waits(change, &value(change.subject, &change.wanted))),
        };
        let title = match limit.kind {
            BucketKind::Tenant => "The whole organization",
            BucketKind::Client | BucketKind::Undo => "Each client",
            BucketKind::ServiceGroup => "Each service group",
            BucketKind::Host => "Each host",
            BucketKind::HostPlaybook | BucketKind::HostPlaybookDay => "The same fix on the same host",
        };
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.rows.push(row),
            None => groups.push(LimitGroup { title, rows: vec![row] }),
        }
    }
    let delay = took(change::delay(changes::count_owners(&mut tx).await?).unsigned_abs());
    let (done, error) = match said {
        Ok(done) => (done, None),
        Err(error) => (None, Some(error)),
    };
    let open = typed.map(|(limit, _)| limit.word);
    Ok(LimitsPage {
        shell,
        clock,
        tab: Tab::Limits,
        groups,
        delay: format!("{delay} after the yes"),
        open,
        done,
        error,
    })
}
