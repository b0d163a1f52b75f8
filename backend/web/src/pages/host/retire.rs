//! `POST /hosts/{id}/retire`: a person cuts a host off.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use serde::Deserialize;
use store::retiring::{self, Retired};
use store::{TenantTx, hosts};
use uuid::Uuid;
use views::signin::NotePage;

use crate::layers::refusing;
use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// Why it is not done.
const AT_WORK: &str = "A fix is at work on this host, or nobody knows whether one ran. It can be retired once that has ended; \
    on its incident a person can say how it did.";

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retire {
    csrf: String,
}

inputs!(Retire);

/// Cuts the host off: its key opens nothing any more, and what waits to run there never does. False: it was before.
pub async fn retire_host(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<Result<bool, Refusal>, Failure> {
    member.must(Act::TrustHost)?;
    let client_id = hosts::find_client(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(match retiring::retire(tx, client_id, id).await? {
        Retired::Yes => Ok(true),
        Retired::Before => Ok(false),
        Retired::AtWork => Err(Refusal::Stands(AT_WORK.to_owned())),
    })
}

/// The button's word, by somebody who has just proven who they are: nothing brings the host back.
pub async fn submit(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Retire>,
) -> Result<Response, Failure> {
    member.must(Act::TrustHost)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    // Whoever may not know of it is told that it is not there, before they are asked to prove anything.
    hosts::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    member.must_be_proven(&app).await?;
    match retire_host(&mut tx, &member, id).await? {
        Ok(true) => {
            tx.commit().await?;
            Ok(Redirect::to("/hosts").into_response())
        }
        Ok(false) => Err(Failure::NOT_FOUND),
        Err(refusal) => {
            let (title, lead) = ("It was not retired".to_owned(), refusal.words());
            let (leads_to, button) = (format!("/hosts/{id}"), "Back to the host".to_owned());
            let mut response = refusing(&NotePage { title, lead, leads_to, button });
            *response.status_mut() = StatusCode::CONFLICT;
            Ok(response)
        }
    }
}
