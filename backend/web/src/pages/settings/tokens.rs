//! `/settings/tokens`: tokens of the API are made, shown once, and revoked.

use std::sync::LazyLock;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::token::{self, NAME_MAX, NETWORKS_MAX, Scopes};
use jiff::SignedDuration;
use keys::token::{Kind, mint};
use serde::Deserialize;
use store::people::services::{self, Service};
use store::tokens::{self, NewToken, Token};
use uuid::Uuid;
use views::Nav;
use views::error::Kind as Error;
use views::settings::{ScopeChoice, ServiceChoice, Tab, TokenRow, TokensPage, Typed};

use super::people::lock_seats;
use crate::api::networks;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure};

/// How many are shown.
const SHOWN: i64 = 200;
/// How many of an organization may work at once.
const MOST: i64 = 100;
/// How long one may live, in days.
const DAYS: [u16; 4] = [7, 30, 90, 365];
/// How many of a token's first characters stay known.
const HINT: usize = 12;

/// The form that makes one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    csrf: String,
    name: String,
    #[serde(default)]
    scope: Vec<String>,
    days: u16,
    #[serde(default)]
    networks: String,
    /// The service account that it is of; empty: its maker's own.
    #[serde(default)]
    service: String,
}

/// What was chosen for a new one.
struct Chosen<'a> {
    scopes: &'a [String],
    service: Option<Uuid>,
}

impl Chosen<'static> {
    /// Before anything is chosen.
    fn first() -> Chosen<'static> {
        static READ: LazyLock<[String; 1]> = LazyLock::new(|| ["read".to_owned()]);
        Chosen { scopes: &READ[..], service: None }
    }
}

/// The button that revokes one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    csrf: String,
}

inputs!(New);

inputs!(Revoke);

/// Whose tokens a member sees: a member of some clients their own alone, everybody else those of the organization.
fn whose(member: &Member) -> Option<Uuid> {
    (!member.sees_all()).then(|| member.login_id())
}

/// The page.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    member.must(Act::MakeTokens)?;
    let typed = Typed { days: 90, ..Typed::default() };
    Ok(page(&load(&app, &member, Chosen::first(), typed, Ok(None)).await?))
}

/// Makes a token and shows it this once.
pub async fn make(State(app): State<App>, Posted(member, form): Posted<New>) -> Result<Response, Failure> {
    member.must(Act::MakeTokens)?;
    member.must_be_proven(&app).await?;
    let service = match form.service.as_str() {
        "" => None,
        id => Some(id.parse::<Uuid>().map_err(|_| Failure::NOT_FOUND)?),
    };
    match insert(&app, &member, &form, service).await? {
        Ok(made) => {
            let typed = Typed { days: 90, ..Typed::default() };
            Ok(page(&load(&app, &member, Chosen::first(), typed, Ok(Some(made))).await?))
        }
        Err(wrong) => {
            let typed = Typed { name: form.name, networks: form.networks, days: form.days };
            let chosen = Chosen { scopes: &form.scope, service };
            Ok(refusing(&load(&app, &member, chosen, typed, Err(wrong)).await?))
        }
    }
}

/// The token's text; or what is wrong with what was typed. One of a service account is made by who manages people, and may
/// what that account's role may, but nothing that only a person answers or sets.
async fn insert(
    app: &App,
    member: &Member,
    form: &New,
    service: Option<Uuid>,
) -> Result<Result<String, String>, Failure> {
    let name = form.name.trim();
    let wrong = |words: &str| Ok(Err(words.to_owned()));
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return wrong("Say in a few words what uses it.");
    }
    let mut tx = member.begin(app).await?;
    let of_service = match service {
        None => None,
        Some(id) => {
            // It goes on when they leave, so they must be there still.
            lock_seats(&mut tx, member).await?;
            Some(services::find(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?.role)
        }
    };
    // Each scope must be one that its maker may use, or the service account.
    let role = member.seat().role;
    let is_theirs = |scope: &String| match of_service {
        Some(of_service) => token::of_service(of_service).any(|(word, _)| word == scope),
        None => token::of_role(role).any(|(word, _)| word == scope),
    };
    if form.scope.is_empty() || form.scope.len() > token::SCOPES.len() || !form.scope.iter().all(is_theirs) {
        return wrong("Choose what it may.");
    }
    if !DAYS.contains(&form.days) {
        return Err(Failure(Error::BadRequest));
    }
    let days_max = Scopes::of(form.scope.iter().map(String::as_str)).days_max();
    if form.days > days_max {
        return Ok(Err(format!(
            "A token that may change members or settings, or confirm changes, ends after {days_max} days at most."
        )));
    }
    let networks = match networks::parse(&form.networks) {
        Ok(networks) if networks.len() <= NETWORKS_MAX => networks,
        Ok(_) => return wrong("These are too many networks."),
        Err(word) => return Ok(Err(format!("“{word}” is no network: write 192.0.2.0/24 or one address."))),
    };
    if tokens::count_alive(&mut tx).await? >= MOST {
        return wrong("There are 100 tokens that work already: revoke those that nothing uses.");
    }
    let made = mint(Kind::Api, &mut crate::vault::rng());
    let expires_at = tx.now().await? + SignedDuration::from_hours(24 * i64::from(form.days));
    let hint: String = made.reveal().chars().take(HINT).collect();
    let (login_id, scopes) = (member.login_id(), &form.scope);
    let new = NewToken {
        name,
        hint: &hint,
        hash: &made.hash(),
        login_id,
        seat_id: service,
        scopes,
        networks: &networks,
        expires_at,
    };
    tokens::insert(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(Ok(made.reveal().to_owned()))
}

/// Revokes a token: one's own, or for who manages people anybody's and every service account's. It ends at once.
pub async fn revoke(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Revoke>,
) -> Result<Response, Failure> {
    member.must(Act::MakeTokens)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let owner = tokens::find_owner(&mut tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    if whose(&member).is_some_and(|own| own != owner) {
        return Err(Failure::NOT_FOUND);
    }
    if !may_revoke(&member, owner) {
        return Err(Failure::FORBIDDEN);
    }
    let by = member.name(&mut tx).await?;
    if !tokens::mark_revoked(&mut tx, id, &by).await? {
        return Err(Failure::CONFLICT);
    }
    tx.commit().await?;
    Ok(Redirect::to("/settings/tokens").into_response())
}

fn may_revoke(member: &Member, owner: Uuid) -> bool {
    owner == member.login_id() || member.may(Act::ManagePeople)
}

async fn load(
    app: &App,
    member: &Member,
    chosen: Chosen<'_>,
    typed: Typed,
    made: Result<Option<String>, String>,
) -> Result<TokensPage, Failure> {
    let mut tx = member.begin(app).await?;
    let shell = member.shell(&mut tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let row = |token: Token| TokenRow {
        id: token.token_id,
        works: token.revoked_at.is_none() && token.expires_at > now,
        may_revoke: token.revoked_at.is_none() && token.expires_at > now && may_revoke(member, token.whose),
        name: token.name,
        hint: token.hint,
        by: token.by,
        service: token.service,
        scopes: token.scopes,
        networks: token.networks,
        made_at: token.made_at,
        expires_at: token.expires_at,
        used: token.used_at.map(|at| (at, token.used_from)),
        revoked: token.revoked_at.zip(token.revoked_by),
    };
    let rows = tokens::list(&mut tx, whose(member), SHOWN).await?.into_iter().map(row).collect();
    let scopes = token::of_role(member.seat().role)
        .map(|(word, label)| ScopeChoice { word, label, is_chosen: chosen.scopes.iter().any(|scope| scope == word) })
        .collect();
    let services = match member.sees_all() && member.may(Act::ManagePeople) {
        true => services::list(&mut tx).await?,
        false => Vec::new(),
    };
    let choice = |service: Service| ServiceChoice {
        id: service.seat_id,
        name: service.name,
        is_chosen: chosen.service == Some(service.seat_id),
    };
    let services = services.into_iter().map(choice).collect();
    let (made, error) = match made {
        Ok(made) => (made, None),
        Err(wrong) => (None, Some(wrong)),
    };
    Ok(TokensPage { shell, clock: clock(app, now), tab: Tab::Tokens, rows, scopes, services, typed, made, error })
}
