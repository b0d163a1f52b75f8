//! `/settings/calls`: who is called about every incident of every client.

use axum::extract::{Path, Query, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::people::check_email;
use serde::Deserialize;
use store::channels::{self, Removed};
use store::{TenantTx, configuration, quotas};
use uuid::Uuid;
use views::Nav;
use views::settings::{CallRow, CallsPage, Tab};

use super::you::Click;
use crate::layers::{page, refusing};
use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// The most addresses that are called.
const MOST: usize = 100;

/// The query: what was just done.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// The form that adds somebody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    csrf: String,
    address: String,
}

inputs!(Wanted);

/// The page.
pub async fn show(State(app): State<App>, member: Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let done = match asked.done.as_str() {
        "added" => Some("The next mail about an incident goes there too."),
        "removed" => Some("No mail goes there any more."),
        _ => None,
    };
    Ok(page(&load(&app, &member, String::new(), Ok(done)).await?))
}

/// Calls an address from now on; its id. Asked of somebody who has just proven who they are.
pub async fn add_channel(tx: &mut TenantTx, member: &Member, address: &str) -> Result<Result<Uuid, Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let address = match check_email(address) {
        Ok(address) => address,
        Err(wrong) => return Ok(Err(Refusal::field("address", wrong))),
    };
    // Whoever adds one at the same time is counted.
    quotas::lock(tx).await?;
    if channels::list(tx).await?.len() >= MOST {
        let full = "100 addresses are called already: a list of your own mail server reaches more.";
        return Ok(Err(Refusal::Stands(full.to_owned())));
    }
    let made = channels::insert(tx, &address, "").await?;
    Ok(made.ok_or_else(|| Refusal::field("address", "This address is called already.")))
}

/// Calls an address no more. Asked of somebody who has just proven who they are.
pub async fn remove_channel(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<Result<(), Refusal>, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    match channels::delete(tx, id).await? {
        Removed::Yes => Ok(Ok(())),
        Removed::NotThere => Err(Failure::NOT_FOUND),
        Removed::Last => {
            let last = "It is the only address that is called: add another one first, or nobody hears of an incident.";
            Ok(Err(Refusal::Stands(last.to_owned())))
        }
    }
}

/// Adds an address.
pub async fn add(State(app): State<App>, Posted(member, form): Posted<Wanted>) -> Result<Response, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    if let Err(why) = add_channel(&mut tx, &member, &form.address).await? {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, form.address, Err(why.words())).await?));
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/calls?done=added").into_response())
}

/// Removes an address.
pub async fn remove(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Click>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    if let Err(why) = remove_channel(&mut tx, &member, id).await? {
        tx.rollback().await?;
        return Ok(refusing(&load(&app, &member, String::new(), Err(why.words())).await?));
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/calls?done=removed").into_response())
}

async fn load(
    app: &App,
    member: &Member,
    typed: String,
    said: Result<Option<&'static str>, String>,
) -> Result<CallsPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let there = channels::list(&mut tx).await?;
    let members = configuration::list_members(&mut tx).await?;
    let called = |email: &str| there.iter().any(|channel| channel.address.eq_ignore_ascii_case(email));
    let others = members.into_iter().filter(|seat| seat.client_ids.is_none() && !called(&seat.email));
    let others = others.map(|seat| (seat.email, seat.name)).collect();
    let rows = there
        .into_iter()
        .map(|channel| CallRow {
            id: channel.channel_id,
            address: channel.address,
            member: channel.member,
            sees_some: channel.sees_some,
        })
        .collect();
    let (done, error) = match said {
        Ok(done) => (done, None),
        Err(why) => (None, Some(why)),
    };
    Ok(CallsPage { shell, tab: Tab::Calls, rows, others, typed, done, error })
}
