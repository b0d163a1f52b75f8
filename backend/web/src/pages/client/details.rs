//! `POST /clients` and `POST /clients/{id}`: add a client, change its name and time zone.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::classify::mapping::Mapping;
use domain::fleet::means_client;
use serde::Deserialize;
use store::pages::clients::Which;
use store::{StoreError, TenantTx, classify, clients, detect};
use uuid::Uuid;
use views::client_edit::Part;
use views::clients::Typed;

use super::{Id, edit, inputs, list, name, named, refused, zone};
use crate::member::Member;
use crate::posted::Posted;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    csrf: String,
    name: String,
    zone: String,
}
inputs!(Details);

/// Said to whoever cannot see which names there are.
const SEES_SOME: &str = "no two clients have one name: somebody who sees all of them renames it";

/// Which field cannot be taken, and why.
pub type Wrong = (&'static str, String);

/// What is to be stored; or why it is not.
async fn check(
    tx: &mut TenantTx,
    typed: (&str, &str),
    but: Option<Uuid>,
) -> Result<Result<(String, String), Wrong>, Failure> {
    let both = name(typed.0)
        .map_err(|wrong| ("name", wrong))
        .and_then(|name| Ok((name, zone(typed.1).map_err(|wrong| ("time_zone", wrong))?)));
    if let Ok((name, _)) = &both
        && clients::is_taken(tx, name, but).await?
    {
        return Ok(Err(("name", format!("there is a client “{name}” already, looked after or archived"))));
    }
    Ok(both)
}

/// Adds a client of this name and time zone; its id.
pub async fn insert(tx: &mut TenantTx, member: &Member, typed: (&str, &str)) -> Result<Result<Uuid, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    // A client is the whole organization's: who sees only some makes none.
    if !member.sees_all() {
        return Err(Failure::FORBIDDEN);
    }
    Ok(match check(tx, typed, None).await? {
        Ok((name, zone)) => Ok(clients::insert(tx, &name, &zone).await?),
        Err(wrong) => Err(wrong),
    })
}

/// Renames it, which is for those who see all clients, or moves it to another time zone; whether anything is different now.
pub async fn update(
    tx: &mut TenantTx,
    member: &Member,
    id: Uuid,
    typed: (&str, &str),
) -> Result<Result<bool, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    let client = named(tx, id).await?;
    let (name, zone) = match check(tx, typed, Some(id)).await? {
        Ok(both) => both,
        Err(wrong) => return Ok(Err(wrong)),
    };
    if name != client.name {
        // A name that another client has is refused, hidden or not: so whoever sees some clients would find the others out.
        if !member.sees_all() {
            return Ok(Err(("name", SEES_SOME.to_owned())));
        }
        let by = is_meant(tx, &client.name).await?;
        if !by.is_empty() {
            let by = by.join(", ");
            let wrong =
                format!("“{}” is meant by its name in {by}; change that first, or rename it in the file", client.name);
            return Ok(Err(("name", wrong)));
        }
    }
    let is_changed = (&name, &zone) != (&client.name, &client.time_zone);
    if is_changed {
        clients::update(tx, id, &name, &zone).await?;
    }
    Ok(Ok(is_changed))
}

impl Details {
    fn typed(self) -> Typed {
        Typed { name: self.name, zone: self.zone }
    }
}

/// Adds a client; its page to change it is next.
pub async fn add(State(app): State<App>, Posted(member, form): Posted<Details>) -> Result<Response, Failure> {
    let mut tx = member.begin(&app).await?;
    match insert(&mut tx, &member, (&form.name, &form.zone)).await? {
        Ok(client_id) => {
            tx.commit().await?;
            Ok(Redirect::to(&format!("/clients/{client_id}/edit")).into_response())
        }
        Err((_, wrong)) => {
            let mut page = list::filled(&app, &member, &mut tx, Which::Active, form.typed()).await?;
            page.wrong = Some(wrong);
            Ok(refused(&page))
        }
    }
}

/// Renames it, or moves it to another time zone.
pub async fn change(
    State(app): State<App>,
    id: Id,
    Posted(member, form): Posted<Details>,
) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Ok(axum::extract::Path(id)) = id else { return Err(Failure::NOT_FOUND) };
    let mut tx = member.begin(&app).await?;
    match update(&mut tx, &member, id, (&form.name, &form.zone)).await? {
        Ok(_) => {
            tx.commit().await?;
            Ok(Redirect::to(&format!("/clients/{id}")).into_response())
        }
        Err((_, wrong)) => {
            edit::refuse(&app, &member, &mut tx, id, (Part::Details, wrong), |page| page.typed = form.typed()).await
        }
    }
}

/// What selects by the client's name.
async fn is_meant(tx: &mut TenantTx, client: &str) -> Result<Vec<String>, Failure> {
    let checks: Vec<_> = detect::checks::list(tx).await?.into_iter().map(|(_, check)| check).collect();
    let rows = classify::mappings::list_active(tx).await?;
    let mappings: Result<Vec<Mapping>, StoreError> = rows
        .into_iter()
        .map(|row| {
            let corrupt = StoreError::Corrupt { table: "mapping_versions", column: "definition", id: row.mapping_id };
            serde_json::from_value(row.definition).map_err(|_| corrupt)
        })
        .collect();
    Ok(means_client(&checks, &mappings?, client))
}
