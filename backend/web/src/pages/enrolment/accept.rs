//! `POST /hosts/newcomers` and `POST /hosts/{id}/claim`: a person's word on hosts that nobody has trusted yet.

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::Redirect;
use domain::access::Act;
use serde::Deserialize;
use store::{TenantTx, hosts, newcomers as stored};
use uuid::Uuid;
use views::error::Kind;

use crate::member::Member;
use crate::posted::{Chosen, Posted, inputs};
use crate::{App, Failure};

/// The most hosts that are answered at once.
const MOST: usize = 500;

/// Accepts the newcomers that were chosen, or sends them away. Each is a step of its own: one that was answered meanwhile
/// holds up no other.
pub async fn newcomers(State(app): State<App>, Posted(member, form): Posted<Chosen>) -> Result<Redirect, Failure> {
    member.must(Act::TrustHost)?;
    let accepts = match form.answer() {
        "accept" => true,
        "refuse" => false,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    if accepts {
        member.must_be_proven(&app).await?;
    }
    for id in form.ids("host", MOST)? {
        let mut tx = member.begin(&app).await?;
        if welcome(&mut tx, &member, id, accepts).await? {
            tx.commit().await?;
        }
    }
    Ok(Redirect::to("/hosts"))
}

/// Accepts a newcomer, or sends it away. False: it does not wait any more.
pub async fn welcome(tx: &mut TenantTx, member: &Member, id: Uuid, accepts: bool) -> Result<bool, Failure> {
    member.must(Act::TrustHost)?;
    let client_id = hosts::find_client(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(tx).await?;
    Ok(match accepts {
        true => stored::accept(tx, client_id, id, &by).await?,
        false => stored::refuse(tx, client_id, id).await?,
    })
}

/// The form of a claim: exactly the key that was shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    csrf: String,
    answer: String,
    #[serde(default)]
    key: String,
}

inputs!(Claim);

/// A person's word on a machine that calls itself one of the hosts.
#[derive(Clone, Copy, Debug)]
pub enum Word<'a> {
    /// It is the same, and has exactly this key.
    Same(&'a [u8]),
    /// It is another.
    Other,
}

/// Answers a claim. False: none waits, or of another key.
pub async fn answer_claim(tx: &mut TenantTx, member: &Member, id: Uuid, word: Word<'_>) -> Result<bool, Failure> {
    member.must(Act::TrustHost)?;
    let client_id = hosts::find_client(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    let by = member.name(tx).await?;
    Ok(match word {
        Word::Same(key) => stored::accept_claim(tx, client_id, id, key, &by).await?,
        Word::Other => stored::refuse_claim(tx, client_id, id).await?,
    })
}

/// It is the same machine, or it is another one.
pub async fn claim(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, form): Posted<Claim>,
) -> Result<Redirect, Failure> {
    member.must(Act::TrustHost)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let key = hex::decode(&form.key).map_err(|_| Failure(Kind::BadRequest))?;
    let word = match form.answer.as_str() {
        "same" => Word::Same(&key),
        "other" => Word::Other,
        _ => return Err(Failure(Kind::BadRequest)),
    };
    if matches!(word, Word::Same(_)) {
        member.must_be_proven(&app).await?;
    }
    let mut tx = member.begin(&app).await?;
    if !answer_claim(&mut tx, &member, id, word).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to(&format!("/hosts/{id}")))
}
