//! `POST /settings/enrolment` and `POST /settings/enrolment/{id}/revoke`.

use std::time::Duration;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use axum::response::{Redirect, Response};
use domain::access::Act;
use domain::fleet::{self, network};
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

/// A form that was found sound.
struct Wanted {
    client_id: Uuid,
    client: String,
    site_id: Option<Uuid>,
    profile: Profile,
    days: u64,
    whom: For,
    tags: serde_json::Value,
    networks: Vec<String>,
}

/// Makes a token, and shows it this once.
pub async fn make(State(app): State<App>, Posted(member, form): Posted<Token>) -> Result<Response, Failure> {
    member.must(Act::EnrolHosts)?;
    let mut tx = member.begin(&app).await?;
    let wanted = match check(&mut tx, &form).await? {
        Ok(wanted) => wanted,
        Err(wrong) => {
            let mut shown = filled(&app, &member, &mut tx, typed(form)).await?;
            shown.wrong = Some(wrong);
            let mut answer = page(&shown);
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            answer.extensions_mut().insert(Dressed);
            return Ok(answer);
        }
    };
    let mut seed = [0_u8; 32];
    rand::fill(&mut seed);
    let token = mint(Kind::Enroll, &mut StdRng::from_seed(seed));
    let by = member.name(&mut tx).await?;
    let new = New {
        client_id: wanted.client_id,
        site_id: wanted.site_id,
        tags: &wanted.tags,
        networks: &wanted.networks,
        whom: &wanted.whom,
        begins: token.reveal().get(..BEGINS).unwrap_or_default(),
        hash: token.hash(),
        lives: Duration::from_secs(wanted.days * 24 * 3_600),
        by: &by,
    };
    enrolment_tokens::insert(&mut tx, &new).await?;
    let expires_at = tx.now().await? + new.lives;
    let mut shown = filled(&app, &member, &mut tx, typed(form)).await?;
    tx.commit().await?;
    let server = app.config.enrol_url();
    shown.made = Some(Made {
        command: app
            .config
            .agent
            .as_ref()
            .map(|agent| install::command(&server, agent, app.config.authority, wanted.profile, token.reveal())),
        whom: match &wanted.whom {
            For::Host(name) => format!("{name} at {}", wanted.client),
            For::Many(1) => format!("one host of {}", wanted.client),
            For::Many(n) => format!("up to {n} hosts of {}", wanted.client),
        },
        waits: matches!(wanted.whom, For::Many(_)),
        token: token.reveal().to_owned(),
        expires_at,
    });
    let mut answer = page(&shown);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// What is to be made, or a sentence about what was typed.
async fn check(tx: &mut TenantTx, form: &Token) -> Result<Result<Wanted, String>, Failure> {
    let (client, site) = match form.place.split_once('/') {
        Some((client, site)) => (client, Some(site)),
        None => (form.place.as_str(), None),
    };
    let id = |text: &str| text.parse::<Uuid>().map_err(|_| Failure::NOT_FOUND);
    let (client_id, site_id) = (id(client)?, site.map(id).transpose()?);
    let client = clients::find(tx, client_id).await?.ok_or(Failure::NOT_FOUND)?;
    if let Some(site_id) = site_id
        && !sites::list(tx, client_id).await?.iter().any(|site| site.site_id == site_id)
    {
        return Err(Failure::NOT_FOUND);
    }
    if client.archived_at.is_some() {
        return Ok(Err(format!("{} is archived: no host enrols there", client.name)));
    }
    Ok(sound(form).map(|(profile, days, whom, tags, networks)| Wanted {
        client_id,
        client: client.name,
        site_id,
        profile,
        days,
        whom,
        tags,
        networks,
    }))
}

type Sound = (Profile, u64, For, serde_json::Value, Vec<String>);

fn sound(form: &Token) -> Result<Sound, String> {
    let profile = Profile::parse(&form.profile).ok_or("choose what may be done there")?;
    let days = form.days.trim().parse::<u64>().ok().filter(|days| (1..=DAYS_MAX).contains(days));
    let days = days.ok_or_else(|| format!("a token ends after 1 to {DAYS_MAX} days"))?;
    let whom = match form.whom.as_str() {
        "one" => {
            let name = form.host.trim();
            if !fleet::is_name(name) {
                return Err("a token for one host says its name".to_owned());
            }
            For::Host(name.to_owned())
        }
        _ => {
            let uses = form.uses.trim().parse::<i32>().ok().filter(|uses| (1..=USES_MAX).contains(uses));
            For::Many(uses.ok_or_else(|| format!("a token for many is for 1 to {USES_MAX} hosts"))?)
        }
    };
    let tags = json!(fleet::tags(&form.tags)?);
    Ok((profile, days, whom, tags, network::parse(&form.networks)?))
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

/// Ends a token. Ended already: that is what was asked for.
pub async fn revoke(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Button>,
) -> Result<Redirect, Failure> {
    member.must(Act::EnrolHosts)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client_id = enrolment_tokens::find_client(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    if enrolment_tokens::revoke(&mut tx, client_id, id).await? {
        tx.commit().await?;
    }
    Ok(Redirect::to("/settings/enrolment#tokens"))
}
