//! `POST /clients/{id}/sites` and `POST /clients/{id}/sites/{site}`: add, rename and remove a place.

use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Act;
use serde::Deserialize;
use store::{TenantTx, clients, sites};
use uuid::Uuid;
use views::client_edit::Part;
use views::error::Kind;

use super::{Id, Ids, Wrong, edit, inputs, name, named};
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

/// Where the page shows them.
const ANCHOR: &str = "#sites";
/// The most sites of a client.
const MOST: usize = 1_000;

/// Adds a site to a client; its id.
pub async fn insert_site(
    tx: &mut TenantTx,
    member: &Member,
    client_id: Uuid,
    typed: &str,
) -> Result<Result<Uuid, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, client_id).await?;
    Ok(match free(tx, client_id, None, typed).await? {
        Ok(name) => Ok(sites::insert(tx, client_id, &name).await?),
        Err(wrong) => Err(("name", wrong)),
    })
}

/// Renames a site of a client; whether anything is different now.
pub async fn rename_site(
    tx: &mut TenantTx,
    member: &Member,
    (client_id, site_id): (Uuid, Uuid),
    typed: &str,
) -> Result<Result<bool, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    let site = find(tx, client_id, site_id).await?;
    Ok(match free(tx, client_id, Some(site_id), typed).await? {
        Ok(name) if name == site.name => Ok(false),
        Ok(name) => Ok(sites::rename(tx, client_id, site_id, &name).await?),
        Err(wrong) => Err(("name", wrong)),
    })
}

/// Removes a site on which nothing stands; or a sentence that says why it stays.
pub async fn remove_site(
    tx: &mut TenantTx,
    member: &Member,
    (client_id, site_id): (Uuid, Uuid),
) -> Result<Result<(), String>, Failure> {
    member.must(Act::ManageClients)?;
    let site = find(tx, client_id, site_id).await?;
    let stays = || format!("“{}” stays: hosts stand there or are planned there", site.name);
    Ok(sites::delete(tx, client_id, site_id).await?.then_some(()).ok_or_else(stays))
}

async fn find(tx: &mut TenantTx, client_id: Uuid, site_id: Uuid) -> Result<sites::Site, Failure> {
    named(tx, client_id).await?;
    let sites = sites::list(tx, client_id).await?;
    sites.into_iter().find(|site| site.site_id == site_id).ok_or(Failure::NOT_FOUND)
}

/// Adds one.
pub async fn add(State(app): State<App>, id: Id, Posted(member, form): Posted<New>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    match insert_site(&mut tx, &member, id, &form.name).await? {
        Ok(_) => {
            tx.commit().await?;
            Ok(edit::back(id, ANCHOR))
        }
        Err((_, wrong)) => {
            edit::refuse(&app, &member, &mut tx, id, (Part::Sites, wrong), |page| page.new_site = form.name).await
        }
    }
}

/// Renames or removes one.
pub async fn answer(
    State(app): State<App>,
    ids: Ids,
    Posted(member, form): Posted<Answer>,
) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(ids) = ids.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let done = match form.answer.as_str() {
        "rename" => rename_site(&mut tx, &member, ids, &form.name).await?.map(drop).map_err(|(_, wrong)| wrong),
        "remove" => remove_site(&mut tx, &member, ids).await?,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    match done {
        Ok(()) => {
            tx.commit().await?;
            Ok(edit::back(ids.0, ANCHOR))
        }
        Err(wrong) => edit::refuse(&app, &member, &mut tx, ids.0, (Part::Sites, wrong), |_| {}).await,
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
    clients::lock(tx, client_id).await?;
    let sites = sites::list(tx, client_id).await?;
    if but.is_none() && sites.len() >= MOST {
        return Ok(Err(format!("a client has at most {MOST} sites")));
    }
    let same = |site: &&sites::Site| Some(site.site_id) != but && site.name.to_lowercase() == name.to_lowercase();
    Ok(match sites.iter().find(same) {
        Some(site) => Err(format!("there is a site “{}” already", site.name)),
        None => Ok(name),
    })
}
