//! Everybody is asked for a second factor, or no more.

use axum::extract::State;
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use serde_json::json;
use store::TenantTx;
use store::audit::{self, Entry};
use store::people::members;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// The form that asks everybody for a second factor, or no more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    csrf: String,
    required: String,
}

inputs!(Require);

/// Asks everybody for a second factor, or no more; whether anything is different now. Asked of somebody who has just proven
/// who they are.
pub async fn ask_for_second_factor(tx: &mut TenantTx, member: &Member, required: bool) -> Result<bool, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    let was = members::lock_second_factor(tx).await?;
    if was == required {
        return Ok(false);
    }
    members::set_second_factor(tx, required).await?;
    let (subject, told) = (("tenant", tx.tenant_id()), |required: bool| json!({ "required": required }));
    let entry = Entry::changed("organization.second_factor", subject, told(was), told(required));
    audit::insert(tx, None, entry).await?;
    Ok(true)
}

/// Asks everybody for a second factor, or no more.
pub async fn require(State(app): State<App>, Posted(member, form): Posted<Require>) -> Result<Redirect, Failure> {
    member.must_for_all(Act::ManageOrganization)?;
    member.must_be_proven(&app).await?;
    let required = match form.required.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    let mut tx = member.begin(&app).await?;
    ask_for_second_factor(&mut tx, &member, required).await?;
    tx.commit().await?;
    Ok(Redirect::to("/settings/people?done=changed"))
}
