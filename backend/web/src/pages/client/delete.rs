//! `POST /clients/{id}/delete`: an owner deletes an archived client, or leaves it, until its rows go.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::deletion::is_meant;
use serde::Deserialize;
use store::deletions::{self, Subject};
use views::client_edit::Part;
use views::error::Kind;

use super::edit::{back, filled};
use super::{Id, inputs, named, refused};
use crate::posted::Posted;
use crate::{App, Failure};

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

/// Deletes it as soon as nothing runs there any more.
pub async fn delete(State(app): State<App>, id: Id, Posted(member, form): Posted<Delete>) -> Result<Response, Failure> {
    if !member.sees_all() {
        return Err(Failure::NOT_FOUND);
    }
    member.must(Act::OwnOrganization)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let subject = Subject::Client(id);
    let mut tx = member.begin(&app).await?;
    let client = named(&mut tx, id).await?;
    let by = member.name(&mut tx).await?;
    match form.answer.as_str() {
        "keep" => {
            if !deletions::mark_called_off(&mut tx, subject, &by).await? {
                return Err(Failure::CONFLICT);
            }
            tx.commit().await?;
            return Ok(back(id, ""));
        }
        "delete" => {}
        _ => return Err(Failure(Kind::BadRequest)),
    }
    member.must_be_proven(&app).await?;
    let wrong = if client.archived_at.is_none() {
        Some("archive it first: what is looked after is not deleted")
    } else if !is_meant(&client.name, &form.name) {
        Some("that is not its name: nothing was deleted")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        let mut shown = filled(&app, &member, &mut tx, id, client).await?;
        shown.wrong = Some((Part::Deletion, wrong.to_owned()));
        return Ok(refused(&shown));
    }
    deletions::insert(&mut tx, subject, &client.name, &by, Duration::ZERO).await?;
    // At once, unless something runs; then by the sweep.
    deletions::begin_due(&mut tx).await?;
    let has_begun = deletions::find(&mut tx, subject).await?.is_some_and(|deletion| deletion.begun_at.is_some());
    tx.commit().await?;
    Ok(if has_begun { Redirect::to("/clients?show=archived").into_response() } else { back(id, "") })
}
