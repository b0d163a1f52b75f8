//! `/settings/data`: an owner takes everything that is the organization's along, and deletes it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::deletion::{self, DELAY, is_meant};
use futures_util::stream;
use serde::Deserialize;
use store::audit::{self, Entry};
use store::deletions::{self, Deletion, Subject};
use store::everything::{Everything, LEFT_OUT};
use store::remediate::guardrails;
use store::{TenantTx, configuration};
use views::Nav;
use views::settings::{DataPage, Deleting, Tab};

use super::you::Click;
use crate::downloads::{LASTS, Place, Places};
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal, pages::count};

/// Files that a node writes at once: each reads all of an organization.
static PLACES: Places = Places::new(8);

/// How often a deletion is asked for is counted over so long.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The form that deletes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    csrf: String,
    name: String,
}
inputs!(Delete);

/// The page.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    Ok(page(&load(&app, &member, None).await?))
}

async fn load(app: &App, member: &Member, error: Option<&str>) -> Result<DataPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let deleting = match deletions::find(&mut tx, Subject::Tenant).await? {
        Some(deletion) => Some(Deleting {
            by: deletion.asked_by,
            asked_at: deletion.asked_at,
            due_at: deletion.due_at,
            unfinished: count(deletions::count_unfinished(&mut tx, Subject::Tenant).await?),
        }),
        None => None,
    };
    let left_out = LEFT_OUT.to_vec();
    let error = error.map(str::to_owned);
    Ok(DataPage { shell, clock: clock(app, now), tab: Tab::Data, left_out, deleting, error })
}

/// A file on its way: each part is read in a transaction of its own, as its reader takes it.
struct Writing {
    app: App,
    member: Arc<Member>,
    everything: Everything,
    place: Place,
}

/// Sends everything.
pub async fn export(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Response, Failure> {
    send(app, Arc::new(member)).await
}

/// Sends everything; asked of an owner who has just proven who they are. That it was taken is an entry, which is in it.
pub async fn send(app: App, member: Arc<Member>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(&app).await?;
    let place = PLACES.enter(member.seat().scope.tenant_id(), LASTS).ok_or(Failure::BUSY)?;
    let mut tx = member.begin(&app).await?;
    let entry = Entry::done("organization.exported", ("tenant", tx.tenant_id()));
    audit::insert(&mut tx, None, entry).await?;
    tx.commit().await?;
    let writing = Writing { app, member, everything: Everything::default(), place };
    let parts = stream::try_unfold(writing, async |mut writing| {
        let part = next(&mut writing).await.map_err(|_| std::io::Error::other("a part could not be read"))?;
        Ok::<_, std::io::Error>(part.map(|part| (part, writing)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"organization.json\""),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// The next part; a failure is logged and cuts the file off, which is then no JSON.
async fn next(writing: &mut Writing) -> Result<Option<String>, Failure> {
    if writing.place.is_over() {
        return Err(Failure::BUSY);
    }
    let mut tx = writing.member.begin(&writing.app).await?;
    writing.member.must_still(&mut tx, Act::OwnOrganization).await?;
    Ok(writing.everything.next(&mut tx).await?)
}

/// Asks for the organization to be deleted, in seven days; asked of an owner who has just proven who they are. Its owners are
/// told, and each can call it off. What was asked for already stays as it is.
pub async fn ask_deletion(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    typed: &str,
) -> Result<Result<Deletion, Refusal>, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    member.must_be_proven(app).await?;
    let tenant = configuration::find_tenant(tx).await?.ok_or(Failure::NOT_FOUND)?;
    if !is_meant(&tenant.name, typed) {
        return Ok(Err(Refusal::field("name", "That is not its name: nothing was asked for.")));
    }
    if let Err(often) = may_ask(tx, Subject::Tenant).await? {
        return Ok(Err(often));
    }
    let by = asks(tx, member).await?;
    deletions::insert(tx, Subject::Tenant, &tenant.name, &by, DELAY).await?;
    Ok(Ok(deletions::find(tx, Subject::Tenant).await?.ok_or(Failure::BROKEN)?))
}

/// Whether a deletion may be asked for that the owners are told of: so often within a day, one request after the other. What is
/// asked for already is nothing new.
pub async fn may_ask(tx: &mut TenantTx, subject: Subject) -> Result<Result<(), Refusal>, Failure> {
    guardrails::lock_tenant(tx).await?;
    if deletions::find(tx, subject).await?.is_some() {
        return Ok(Ok(()));
    }
    let (of_this, of_all) = deletions::count_recent(tx, subject, DAY).await?;
    Ok(deletion::may_ask(of_this, of_all).map_err(|often| Refusal::Stands(often.to_owned())))
}

/// Calls a deletion off; an owner may, whoever asked for it. False: there is none, or it has begun.
pub async fn call_off(tx: &mut TenantTx, member: &Member, subject: Subject) -> Result<bool, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let by = asks(tx, member).await?;
    Ok(deletions::mark_called_off(tx, subject, &by).await?)
}

/// Who asks, as owners are told: they know what they asked for themselves, and not what a program did in their name.
pub async fn asks(tx: &mut TenantTx, member: &Member) -> Result<String, Failure> {
    let name = member.name(tx).await?;
    Ok(if member.is_token() { format!("An API token of {name}") } else { name })
}

/// The form that deletes it.
pub async fn delete(State(app): State<App>, Posted(member, form): Posted<Delete>) -> Result<Response, Failure> {
    let mut tx = member.begin(&app).await?;
    if let Err(wrong) = ask_deletion(&app, &mut tx, &member, &form.name).await? {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, Some(&wrong.words())).await?));
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/data").into_response())
}

/// The button that calls it off.
pub async fn keep(State(app): State<App>, Posted(member, _): Posted<Click>) -> Result<Response, Failure> {
    let mut tx = member.begin(&app).await?;
    if !call_off(&mut tx, &member, Subject::Tenant).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/data").into_response())
}
