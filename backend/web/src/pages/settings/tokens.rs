//! `/settings/tokens`: tokens of the API are made, shown once, and revoked.

use std::sync::LazyLock;

use axum::extract::{Path, State, rejection::PathRejection};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::{Act, Role};
use domain::token::{self, DAYS_MAX, MANAGING_DAYS_MAX, NAME_MAX, NETWORKS_MAX, Scopes};
use jiff::{SignedDuration, Timestamp};
use keys::token::{Kind, mint};
use serde::Deserialize;
use serde_json::json;
use store::people::letters;
use store::people::services::{self, Service};
use store::tokens::{self, Asking, NewToken, Token};
use store::{TenantTx, configuration, quotas};
use uuid::Uuid;
use views::Nav;
use views::error::Kind as Error;
use views::settings::{ScopeChoice, ServiceChoice, Tab, TokenRow, TokensPage, Typed};

use super::people::lock_seats;
use crate::api::networks;
use crate::layers::{page, refusing};
use crate::member::{Member, clock};
use crate::posted::{Posted, inputs};
use crate::{App, Failure, Refusal};

/// How many are shown.
const SHOWN: i64 = 200;
/// How many of an organization may work at once.
const MOST: i64 = 100;
/// How many of one member's own: nobody uses up those of everybody.
const MOST_OWN: i64 = 20;
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
    // A person is asked to prove it before what they typed is looked at.
    member.must(Act::MakeTokens)?;
    member.must_be_proven(&app).await?;
    if !DAYS.contains(&form.days) {
        return Err(Failure(Error::BadRequest));
    }
    let service = match form.service.as_str() {
        "" => None,
        id => Some(id.parse::<Uuid>().map_err(|_| Failure::NOT_FOUND)?),
    };
    let wanted =
        Wanted { name: &form.name, scopes: &form.scope, days: Some(form.days), networks: &form.networks, service };
    let mut tx = member.begin(&app).await?;
    let made = make_token(&app, &mut tx, &member, &wanted, None).await?;
    match made.map_err(Refusal::words) {
        Ok(made) => {
            tx.commit().await?;
            let made = made.token.reveal().to_owned();
            let typed = Typed { days: 90, ..Typed::default() };
            Ok(page(&load(&app, &member, Chosen::first(), typed, Ok(Some(made))).await?))
        }
        Err(wrong) => {
            tx.rollback().await?;
            let typed = Typed { name: form.name, networks: form.networks, days: form.days };
            let chosen = Chosen { scopes: &form.scope, service };
            Ok(refusing(&load(&app, &member, chosen, typed, Err(wrong)).await?))
        }
    }
}

/// A token that somebody wants.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What uses it.
    pub name: &'a str,
    /// The words of its scopes.
    pub scopes: &'a [String],
    /// After how many days it ends; none: with the token that asks for it.
    pub days: Option<u16>,
    /// The networks it may be used from, as [`networks::parse`] reads them; none: those of the token that asks for it, or all.
    pub networks: &'a str,
    /// The service account that it is of; none: it is its maker's own.
    pub service: Option<Uuid>,
}

/// A token that was made: its text is nowhere else.
#[derive(Debug)]
pub struct Minted {
    /// Its id.
    pub token_id: Uuid,
    /// Its text.
    pub token: keys::token::Token,
    /// The networks it may be used from.
    pub networks: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes a token of the member's; asked of somebody who has just proven who they are. Where a token asks for it, it may no
/// more than that one, from no more networks and for no longer, and ends with it. One of a service account is made by who
/// manages people, and may what that account's role may, but nothing that only a person answers or sets. Its maker is told by a
/// letter, always: whoever got at an account makes a token to come back by.
pub async fn make_token(
    app: &App,
    tx: &mut TenantTx,
    member: &Member,
    wanted: &Wanted<'_>,
    asking: Option<Uuid>,
) -> Result<Result<Minted, Refusal>, Failure> {
    member.must(Act::MakeTokens)?;
    member.must_be_proven(app).await?;
    let by = match asking {
        Some(token_id) => Some(tokens::lock_asking(tx, token_id).await?.ok_or(Failure::FORBIDDEN)?),
        None => None,
    };
    let of_service = match wanted.service {
        None => None,
        Some(id) => {
            // It goes on when they leave, so they must be there still.
            lock_seats(tx, member).await?;
            Some(services::find(tx, id).await?.ok_or(Failure::NOT_FOUND)?)
        }
    };
    let of_role = of_service.as_ref().map(|service| service.role);
    let sound = sound(member, wanted, of_role, by.as_ref(), tx.now().await?);
    let (name, networks, expires_at) = match sound {
        Ok(sound) => sound,
        Err(wrong) => return Ok(Err(wrong)),
    };
    // Whoever makes one at the same time is counted.
    quotas::lock(tx).await?;
    let (all, own) = tokens::count_alive(tx, member.login_id()).await?;
    if all >= MOST {
        let full = "There are 100 tokens that work already: revoke those that nothing uses.";
        return Ok(Err(Refusal::Stands(full.to_owned())));
    }
    if wanted.service.is_none() && own >= MOST_OWN {
        let full = "You have 20 tokens that work already, with those that they made: revoke those that nothing uses.";
        return Ok(Err(Refusal::Stands(full.to_owned())));
    }
    let token = mint(Kind::Api, &mut crate::vault::rng());
    let hint: String = token.reveal().chars().take(HINT).collect();
    let new = NewToken {
        name,
        hint: &hint,
        hash: &token.hash(),
        login_id: member.login_id(),
        seat_id: wanted.service,
        scopes: wanted.scopes,
        networks: &networks,
        expires_at,
        minted_by: asking,
    };
    let token_id = tokens::insert(tx, &new).await?;
    let organization = configuration::find_tenant(tx).await?.ok_or(Failure::BROKEN)?.name;
    let facts = json!({ "what": "token made", "organization": organization, "name": name, "scopes": wanted.scopes.join(", "),
        "until": expires_at.strftime("%Y-%m-%d %H:%M UTC").to_string(), "service": of_service.map(|service| service.name) });
    letters::insert_to_member(tx, member.login_id(), &facts).await?;
    Ok(Ok(Minted { token_id, token, networks, expires_at }))
}

/// The name, the networks and the end of a wanted token; or which field cannot be taken, and why.
fn sound<'a>(
    member: &Member,
    wanted: &Wanted<'a>,
    of_service: Option<Role>,
    asking: Option<&Asking>,
    now: Timestamp,
) -> Result<(&'a str, Vec<String>, Timestamp), Refusal> {
    let name = wanted.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::field("name", "Say in a few words what uses it."));
    }
    // Each scope must be one that its maker may use, or the service account.
    let role = member.seat().role;
    let is_theirs = |scope: &String| match of_service {
        Some(of_service) => token::of_service(of_service).any(|(word, _)| word == scope),
        None => token::of_role(role).any(|(word, _)| word == scope),
    };
    if wanted.scopes.is_empty() || wanted.scopes.len() > token::SCOPES.len() || !wanted.scopes.iter().all(is_theirs) {
        return Err(Refusal::field("scopes", "Choose what it may."));
    }
    let scopes = Scopes::of(wanted.scopes.iter().map(String::as_str));
    if asking.is_some_and(|asking| !scopes.are_within(&Scopes::of(asking.scopes.iter().map(String::as_str)))) {
        return Err(Refusal::field("scopes", "It may no more than the token that asks for it."));
    }
    let expires_at = match (wanted.days, asking) {
        (Some(days), _) => now + SignedDuration::from_hours(24 * i64::from(days)),
        (None, Some(asking)) => asking.expires_at,
        (None, None) => return Err(Refusal::field("days", "Say when it ends.")),
    };
    let days_max = scopes.days_max();
    if wanted.days.is_some_and(|days| !(1..=days_max).contains(&days)) {
        return Err(Refusal::field(
            "days",
            format!(
                "A token that may change who may do what, or let something be done, ends after {MANAGING_DAYS_MAX} days at most; any other after {DAYS_MAX}."
            ),
        ));
    }
    if asking.is_some_and(|asking| expires_at > asking.expires_at) {
        return Err(Refusal::field("days", "It ends no later than the token that asks for it."));
    }
    let networks = match networks::parse(wanted.networks) {
        Ok(networks) if networks.len() <= NETWORKS_MAX => networks,
        Ok(_) => return Err(Refusal::field("networks", "These are too many networks.")),
        Err(word) => {
            let wrong = format!("“{word}” is no network: write 192.0.2.0/24 or one address.");
            return Err(Refusal::field("networks", wrong));
        }
    };
    let networks = match asking {
        Some(asking) if networks.is_empty() => asking.networks.clone(),
        Some(asking) if !networks::are_within(&networks, &asking.networks) => {
            let wrong = "It is used from no other networks than the token that asks for it.";
            return Err(Refusal::field("networks", wrong));
        }
        _ => networks,
    };
    Ok((name, networks, expires_at))
}

/// Ends a token at once, with those that it made: one's own, or for who manages people anybody's and every service
/// account's. False: it was revoked already.
pub async fn revoke_token(tx: &mut TenantTx, member: &Member, id: Uuid) -> Result<bool, Failure> {
    member.must(Act::MakeTokens)?;
    let owner = tokens::find_owner(tx, id).await?.ok_or(Failure::NOT_FOUND)?;
    if whose(member).is_some_and(|own| own != owner) {
        return Err(Failure::NOT_FOUND);
    }
    if !may_revoke(member, owner) {
        return Err(Failure::FORBIDDEN);
    }
    let by = member.name(tx).await?;
    Ok(tokens::mark_revoked(tx, id, &by).await?)
}

/// The tokens that a member sees, those that work first.
pub async fn list_tokens(tx: &mut TenantTx, member: &Member) -> Result<Vec<Token>, Failure> {
    Ok(tokens::list(tx, whose(member), SHOWN).await?)
}

/// The button that revokes one.
pub async fn revoke(
    State(app): State<App>,
    id: Result<Path<Uuid>, PathRejection>,
    Posted(member, _): Posted<Revoke>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    if !revoke_token(&mut tx, &member, id).await? {
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
        minted_by: token.minted_by_name,
        scopes: token.scopes,
        networks: token.networks,
        made_at: token.made_at,
        expires_at: token.expires_at,
        used: token.used_at.map(|at| (at, token.used_from)),
        revoked: token.revoked_at.zip(token.revoked_by),
    };
    let rows = list_tokens(&mut tx, member).await?.into_iter().map(row).collect();
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
