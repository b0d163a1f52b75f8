//! `POST /clients/{id}/delete`: an owner deletes an archived client, or leaves it, until its rows go.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::deletion::{By, delay_of_client, is_meant};
use serde::Deserialize;
use store::TenantTx;
use store::deletions::{self, Deletion, Subject};
use uuid::Uuid;
use views::client_edit::Part;
use views::error::Kind;

use super::edit::{back, refuse};
use super::{Id, inputs, named};
use crate::member::Member;
use crate::pages::settings::data::{asks, call_off, may_ask};
use crate::posted::Posted;
use crate::{App, Failure, Refusal};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    csrf: String,
    /// `delete`, with the client's name, or `keep`.
    answer: String,
    #[serde(default)]
    name: String,
}
inputs!(Delete);

/// Asks for an archived client to be deleted, as soon as nothing runs there any more; asked of an owner who has just proven who
/// they are. A token cannot: what it asks for waits for seven days, the owners are told, and each can call it off. What was
/// asked for already stays as it is.
pub async fn ask_deletion(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    id: Uuid,
    typed: &str,
) -> Result<Result<Deletion, Refusal>, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let client = named(tx, id).await?;
    member.must_be_proven(app).await?;
    if client.archived_at.is_none() {
        return Ok(Err(Refusal::Stands("archive it first: what is looked after is not deleted".to_owned())));
    }
    if !is_meant(&client.name, typed) {
        return Ok(Err(Refusal::field("name", "that is not its name: nothing was deleted")));
    }
    let (subject, by) = (Subject::Client(id), if member.is_token() { By::Token } else { By::Person });
    // Of what a person asks for at once nobody is told.
    if by == By::Token
        && let Err(often) = may_ask(tx, subject).await?
    {
        return Ok(Err(often));
    }
    let name = asks(tx, member).await?;
    deletions::insert(tx, subject, &client.name, &name, delay_of_client(by)).await?;
    // At once, unless something runs or it waits; then by the sweep.
    deletions::begin_due(tx).await?;
    Ok(Ok(deletions::find(tx, subject).await?.ok_or(Failure::BROKEN)?))
}

/// Calls its deletion off. False: there is none, or it has begun.
pub async fn keep(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<bool, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    named(tx, id).await?;
    call_off(tx, member, Subject::Client(id)).await
}

/// The form.
pub async fn delete(State(app): State<App>, id: Id, Posted(member, form): Posted<Delete>) -> Result<Response, Failure> {
    member.must_for_all(Act::OwnOrganization)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match form.answer.as_str() {
        "keep" => {
            if !keep(&mut tx, &member, id).await? {
                return Err(Failure::CONFLICT);
            }
            tx.commit().await?;
            return Ok(back(id, ""));
        }
        "delete" => {}
        _ => return Err(Failure(Kind::BadRequest)),
    }
    match ask_deletion(&app, &mut tx, &member, id, &form.name).await? {
        Ok(deletion) => {
            tx.commit().await?;
            let has_begun = deletion.begun_at.is_some();
            Ok(if has_begun { Redirect::to("/clients?show=archived").into_response() } else { back(id, "") })
        }
        Err(wrong) => refuse(&app, &member, &mut tx, id, (Part::Deletion, wrong.words()), |_| ()).await,
    }
}
