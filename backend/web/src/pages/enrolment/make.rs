//! `POST /settings/enrolment` and `POST /settings/enrolment/{id}/revoke`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use axum::response::{Redirect, Response};
use domain::access::Act;
use domain::fleet::{self, network};
use jiff::Timestamp;
use keys::token::{Kind, mint};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::json;
use store::enrolment_tokens::{self, For, New};
use store::{TenantTx, clients, sites};
use uuid::Uuid;
use views::enrolment::{Made, TypedToken};

use super::show::filled;
use crate::install::{self, Profile};
use crate::layers::{Dressed, page};
use crate::member::Member;
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// The most uses of a token, and the most days it lives (security.md says why in the table's constraints).
const USES_MAX: i32 = 500;
const DAYS_MAX: u64 = 30;
/// How much of a token is kept to be recognised by: its prefix and four characters of its secret.
const BEGINS: usize = "mw_enroll_".len() + 4;

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    csrf: String,
    place: String,
    profile: String,
    days: String,
    whom: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    uses: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    networks: String,
}

/// A button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    csrf: String,
}

inputs!(Token);

inputs!(Button);

/// A token as it is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of which client.
    pub client_id: Uuid,
    /// On which of its sites.
    pub site_id: Option<Uuid>,
    /// For how many days, 1 to [`DAYS_MAX`].
    pub days: u64,
    /// For whom.
    pub whom: For,
    /// The tags of its hosts.
    pub tags: BTreeMap<String, String>,
    /// Networks it may be used from; none: all.
    pub networks: Vec<String>,
}

/// A token that was made: its text is nowhere else.
#[derive(Debug)]
pub struct Minted {
    /// Its id.
    pub token_id: Uuid,
    /// Its text.
    pub token: keys::token::Token,
    /// Its client's name.
    pub client: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes a token; or says which field cannot be taken, and why.
pub async fn insert(
    tx: &mut TenantTx,
    member: &Member,
    wanted: &Wanted,
) -> Result<Result<Minted, (&'static str, String)>, Failure> {
    member.must(Act::EnrolHosts)?;
    let client = clients::find(tx, wanted.client_id).await?.ok_or(Failure::NOT_FOUND)?;
    if let Some(site_id) = wanted.site_id
        && !sites::list(tx, wanted.client_id).await?.iter().any(|site| site.site_id == site_id)
    {
        return Err(Failure::NOT_FOUND);
    }
    if client.archived_at.is_some() {
        return Ok(Err(("client", format!("{} is archived: no host enrols there", client.name))));
    }
    if !(1..=DAYS_MAX).contains(&wanted.days) {
        return Ok(Err(("days", format!("a token ends after 1 to {DAYS_MAX} days"))));
    }
    match &wanted.whom {
        For::Host(name) if !fleet::is_name(name) => {
            return Ok(Err(("host", "a token for one host says its name".to_owned())));
        }
        For::Many(uses) if !(1..=USES_MAX).contains(uses) => {
            return Ok(Err(("uses", format!("a token for many is for 1 to {USES_MAX} hosts"))));
        }
        For::Host(_) | For::Many(_) => {}
    }
    let mut seed = [0_u8; 32];
    rand::fill(&mut seed);
    let token = mint(Kind::Enroll, &mut StdRng::from_seed(seed));
    let by = member.name(tx).await?;
    let new = New {
        client_id: wanted.client_id,
        site_id: wanted.site_id,
        tags: &json!(wanted.tags),
        networks: &wanted.networks,
        whom: &wanted.whom,
        begins: token.reveal().get(..BEGINS).unwrap_or_default(),
        hash: token.hash(),
        lives: Duration::from_secs(wanted.days * 24 * 3_600),
        by: &by,
    };
    let token_id = enrolment_tokens::insert(tx, &new).await?;
    let expires_at = tx.now().await? + new.lives;
    Ok(Ok(Minted { token_id, token, client: client.name, expires_at }))
}

/// Makes a token, and shows it this once. It lets machines in, so it is asked of somebody who has just proven who they are.
pub async fn make(State(app): State<App>, Posted(member, form): Posted<Token>) -> Result<Response, Failure> {
    member.must(Act::EnrolHosts)?;
    member.must_be_proven(&app).await?;
    let mut tx = member.begin(&app).await?;
    let place = place(&form.place)?;
    let sound = sound(&form, place);
    let made = match &sound {
        Ok((_, wanted)) => insert(&mut tx, &member, wanted).await?.map_err(|(_, wrong)| wrong),
        Err(wrong) => Err(wrong.clone()),
    };
    let (profile, whom, minted) = match (sound, made) {
        (Ok((profile, wanted)), Ok(minted)) => (profile, wanted.whom, minted),
        (_, Err(wrong)) | (Err(wrong), _) => {
            let mut shown = filled(&app, &member, &mut tx, typed(form)).await?;
            shown.wrong = Some(wrong);
            let mut answer = page(&shown);
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            answer.extensions_mut().insert(Dressed);
            return Ok(answer);
        }
    };
    let mut shown = filled(&app, &member, &mut tx, typed(form)).await?;
    tx.commit().await?;
    let server = app.config.enrol_url();
    let text = minted.token.reveal();
    shown.made = Some(Made {
        command: app
            .config
            .agent
            .as_ref()
            .map(|agent| install::command(&server, agent, app.config.authority, profile, text)),
        waits: matches!(whom, For::Many(_)),
        whom: match whom {
            For::Host(name) => format!("{name} at {}", minted.client),
            For::Many(1) => format!("one host of {}", minted.client),
            For::Many(n) => format!("up to {n} hosts of {}", minted.client),
        },
        token: text.to_owned(),
        expires_at: minted.expires_at,
    });
    let mut answer = page(&shown);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The client and the site that were chosen.
fn place(typed: &str) -> Result<(Uuid, Option<Uuid>), Failure> {
    let (client, site) = match typed.split_once('/') {
        Some((client, site)) => (client, Some(site)),
        None => (typed, None),
    };
    let id = |text: &str| text.parse::<Uuid>().map_err(|_| Failure::NOT_FOUND);
    Ok((id(client)?, site.map(id).transpose()?))
}

/// What was typed, or a sentence about it.
fn sound(form: &Token, (client_id, site_id): (Uuid, Option<Uuid>)) -> Result<(Profile, Wanted), String> {
    let profile = Profile::parse(&form.profile).ok_or("choose what may be done there")?;
    // What is no number is none that may be.
    let days = form.days.trim().parse::<u64>().unwrap_or(0);
    let whom = match form.whom.as_str() {
        "one" => For::Host(form.host.trim().to_owned()),
        _ => For::Many(form.uses.trim().parse::<i32>().unwrap_or(0)),
    };
    let (tags, networks) = (fleet::tags(&form.tags)?, network::parse(&form.networks)?);
    Ok((profile, Wanted { client_id, site_id, days, whom, tags, networks }))
}

fn typed(form: Token) -> TypedToken {
    TypedToken {
        place: form.place,
        many: form.whom == "many",
        host: form.host,
        uses: form.uses,
        days: form.days,
        tags: form.tags,
        networks: form.networks,
        profile: form.profile,
    }
}

/// Ends a token; false: it was revoked already.
pub async fn end(tx: &mut TenantTx, member: &Member, token_id: Uuid) -> Result<bool, Failure> {
    member.must(Act::EnrolHosts)?;
    let client_id = enrolment_tokens::find_client(tx, token_id).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(enrolment_tokens::revoke(tx, client_id, token_id).await?)
}

/// Ends a token. Ended already: that is what was asked for.
pub async fn revoke(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Button>,
) -> Result<Redirect, Failure> {
    member.must(Act::EnrolHosts)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    if end(&mut tx, &member, id).await? {
        tx.commit().await?;
    }
    Ok(Redirect::to("/settings/enrolment#tokens"))
}
