//! `POST /incidents/{id}/owner` and `POST /incidents/owners`: acknowledge, take, give back; of one and of many.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::remediate::hands_off::{self, Whose};
use store::{TenantTx, owners};
use uuid::Uuid;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Chosen, Posted, inputs};
use crate::{App, Failure};

/// For so long hands are off the hosts of what somebody takes.
const TAKEN_HOURS: u8 = 4;
/// The most incidents that are answered at once.
const MOST: usize = 100;

/// The form of one incident.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    csrf: String,
    answer: String,
}

inputs!(Answer);

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// I have seen it; fixes go on.
    Acknowledge,
    /// I am at it: hands off its hosts.
    Take,
    /// Nobody has it any more; hands off, if they are, end by themselves or on the host's page.
    GiveBack,
}

impl Doing {
    fn parse(word: &str) -> Option<Doing> {
        match word {
            "acknowledge" => Some(Doing::Acknowledge),
            "take" => Some(Doing::Take),
            "give_back" => Some(Doing::GiveBack),
            _ => None,
        }
    }
}

/// Answers one.
pub async fn answer_owner(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Answer>,
) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let doing = Doing::parse(&form.answer).ok_or(Failure(Kind::BadRequest))?;
    perform(&app, &member, id, doing).await?;
    Ok(Redirect::to(&format!("/incidents/{id}")))
}

/// Answers those that were chosen; each is a step of its own.
pub async fn answer_owners(State(app): State<App>, Posted(member, form): Posted<Chosen>) -> Result<Redirect, Failure> {
    member.must(Act::WorkIncidents)?;
    let doing = Doing::parse(form.answer()).ok_or(Failure(Kind::BadRequest))?;
    for id in form.ids("incident", MOST)? {
        perform(&app, &member, id, doing).await?;
    }
    Ok(Redirect::to("/incidents"))
}

async fn perform(app: &App, member: &Member, id: Uuid, doing: Doing) -> Result<(), Failure> {
    let mut tx = member.begin(app).await?;
    if have(&mut tx, member, id, doing).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Does it. False: there is nothing to have, because the incident is closed or nobody has it.
pub async fn have(tx: &mut TenantTx, member: &Member, id: Uuid, doing: Doing) -> Result<bool, Failure> {
    member.must(Act::WorkIncidents)?;
    let client_id = store::pages::incident::find(tx, id).await?.ok_or(Failure::NOT_FOUND)?.client_id;
    let name = member.name(tx).await?;
    if doing == Doing::Take {
        // Buckets are locked before the incident's row, as by every stage.
        for host_id in owners::list_hosts(tx, id).await? {
            let reason = "took the incident";
            hands_off::insert(tx, Whose::Host { client_id, host_id }, TAKEN_HOURS, reason, &name).await?;
        }
    }
    // Closed meanwhile: there is nothing to have.
    let Some(open) = owners::find_open(tx, id).await? else { return Ok(false) };
    match doing {
        Doing::Acknowledge => {
            owners::insert(tx, id, &open, member.login_id(), &name, owners::How::Acknowledged).await?
        }
        Doing::Take => owners::insert(tx, id, &open, member.login_id(), &name, owners::How::Taken).await?,
        Doing::GiveBack if open.owner.is_none() => return Ok(false),
        Doing::GiveBack => owners::delete(tx, id, &open).await?,
    }
    Ok(true)
}
