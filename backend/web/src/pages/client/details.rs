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

impl Details {
    /// What is to be stored; or why it is not.
    async fn check(&self, tx: &mut TenantTx, but: Option<Uuid>) -> Result<Result<(String, String), String>, Failure> {
        let both = name(&self.name).and_then(|name| Ok((name, zone(&self.zone)?)));
        if let Ok((name, _)) = &both
            && clients::is_taken(tx, name, but).await?
        {
            return Ok(Err(format!("there is a client “{name}” already, looked after or archived")));
        }
        Ok(both)
    }

    fn typed(self) -> Typed {
        Typed { name: self.name, zone: self.zone }
    }
}

/// Adds a client; its page to change it is next.
pub async fn add(State(app): State<App>, Posted(member, form): Posted<Details>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    // A client is the whole organization's: who sees only some makes none.
    if !member.sees_all() {
        return Err(Failure::FORBIDDEN);
    }
    let mut tx = member.begin(&app).await?;
    match form.check(&mut tx, None).await? {
        Ok((name, zone)) => {
            let client_id = clients::insert(&mut tx, &name, &zone).await?;
            tx.commit().await?;
            Ok(Redirect::to(&format!("/clients/{client_id}/edit")).into_response())
        }
        Err(wrong) => {
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
    let client = named(&mut tx, id).await?;
    let checked = match form.check(&mut tx, Some(id)).await? {
        Ok((name, _)) if name != client.name && !is_meant(&mut tx, &client.name).await?.is_empty() => {
            let by = is_meant(&mut tx, &client.name).await?.join(", ");
            Err(format!("“{}” is meant by its name in {by}; change that first, or rename it in the file", client.name))
        }
        checked => checked,
    };
    match checked {
        Ok((name, zone)) => {
            if (&name, &zone) != (&client.name, &client.time_zone) {
                clients::update(&mut tx, id, &name, &zone).await?;
                tx.commit().await?;
            }
            Ok(Redirect::to(&format!("/clients/{id}")).into_response())
        }
        Err(wrong) => {
            let mut page = edit::filled(&app, &member, &mut tx, id, client).await?;
            page.typed = form.typed();
            page.wrong = Some((Part::Details, wrong));
            Ok(refused(&page))
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
