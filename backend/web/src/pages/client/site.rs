//! `POST /clients/{id}/sites` and `POST /clients/{id}/sites/{site}`: add, rename and remove a place.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use serde::Deserialize;
use store::{TenantTx, sites};
use uuid::Uuid;
use views::client_edit::Part;
use views::error::Kind;

use super::{Id, Ids, edit, inputs, name, named, refused};
use crate::member::Member;
use crate::posted::Posted;
use crate::{App, Failure};

/// The form of a new site.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    csrf: String,
    name: String,
}

/// The form of one that is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    csrf: String,
    name: String,
    answer: String,
}
inputs!(New, Answer);

/// Adds one.
pub async fn add(State(app): State<App>, id: Id, Posted(member, form): Posted<New>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    named(&mut tx, id).await?;
    match free(&mut tx, id, None, &form.name).await? {
        Ok(name) => {
            sites::insert(&mut tx, id, &name).await?;
            tx.commit().await?;
            Ok(back(id))
        }
        Err(wrong) => refuse(&app, &member, &mut tx, id, wrong, form.name).await,
    }
}

/// Renames or removes one.
pub async fn answer(
    State(app): State<App>,
    ids: Ids,
    Posted(member, form): Posted<Answer>,
) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path((id, site_id)) = ids.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    named(&mut tx, id).await?;
    let sites = sites::list(&mut tx, id).await?;
    let site = sites.iter().find(|site| site.site_id == site_id).ok_or(Failure::NOT_FOUND)?;
    let wrong = match form.answer.as_str() {
        "rename" => match free(&mut tx, id, Some(site_id), &form.name).await? {
            Ok(name) => {
                sites::rename(&mut tx, id, site_id, &name).await?;
                None
            }
            Err(wrong) => Some(wrong),
        },
        "remove" => {
            let stays = || format!("“{}” stays: hosts stand there or are planned there", site.name);
            (!sites::delete(&mut tx, id, site_id).await?).then(stays)
        }
        _ => return Err(Failure(Kind::BadRequest)),
    };
    match wrong {
        None => {
            tx.commit().await?;
            Ok(back(id))
        }
        Some(wrong) => refuse(&app, &member, &mut tx, id, wrong, String::new()).await,
    }
}

/// A name that no other site of the client has.
async fn free(
    tx: &mut TenantTx,
    client_id: Uuid,
    but: Option<Uuid>,
    typed: &str,
) -> Result<Result<String, String>, Failure> {
    let name = match name(typed) {
        Ok(name) => name,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let sites = sites::list(tx, client_id).await?;
    let same = |site: &&sites::Site| Some(site.site_id) != but && site.name.to_lowercase() == name.to_lowercase();
    Ok(match sites.iter().find(same) {
        Some(site) => Err(format!("there is a site “{}” already", site.name)),
        None => Ok(name),
    })
}

async fn refuse(
    app: &App,
    member: &Member,
    tx: &mut TenantTx,
    id: Uuid,
    wrong: String,
    typed: String,
) -> Result<Response, Failure> {
    let client = named(tx, id).await?;
    let mut page = edit::filled(app, member, tx, id, client).await?;
    page.wrong = Some((Part::Sites, wrong));
    page.new_site = typed;
    Ok(refused(&page))
}

fn back(id: Uuid) -> Response {
    Redirect::to(&format!("/clients/{id}/edit#sites")).into_response()
}
