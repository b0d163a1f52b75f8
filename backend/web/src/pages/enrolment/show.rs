//! `GET /settings/enrolment`: the tokens that are there, and the form of a new one.

use axum::extract::{Query, State};
use axum::response::Response;
use domain::access::Act;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::enrolment_tokens::{self, Token};
use store::{TenantTx, configuration, fleet};
use views::Nav;
use views::enrolment::{EnrolmentPage, Place, Standing, TokenRow, TypedToken};
use views::settings::Tab;

use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure, pages::count};

/// Tokens that ended longer ago are not shown.
const PAST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The most tokens.
const SHOWN: i64 = 300;

/// What the address asks for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    client: String,
}

/// The page; `?client=` chooses one in the form.
pub async fn show(State(app): State<App>, member: Member, asked: Query<Asked>) -> Result<Response, Failure> {
    member.must(Act::EnrolHosts)?;
    let mut tx = member.begin(&app).await?;
    let typed = TypedToken {
        place: asked.0.client,
        many: false,
        host: String::new(),
        uses: "20".to_owned(),
        days: "3".to_owned(),
        tags: String::new(),
        networks: String::new(),
        profile: "low-risk".to_owned(),
    };
    Ok(page(&filled(&app, &member, &mut tx, typed).await?))
}

/// The page with what stands in its form.
pub(super) async fn filled(
    app: &App,
    member: &Member,
    tx: &mut TenantTx,
    typed: TypedToken,
) -> Result<EnrolmentPage, Failure> {
    let shell = member.shell(tx, Nav::Settings).await?;
    let now = tx.now().await?;
    let sites = configuration::list_sites(tx).await?;
    let of = |id| sites.iter().filter(|s| s.client_id == id).map(|s| (s.site_id, s.name.clone())).collect();
    let clients = fleet::list_clients(tx).await?;
    let tokens = enrolment_tokens::list(tx, now - PAST, SHOWN).await?;
    Ok(EnrolmentPage {
        shell,
        clock: clock(app, now),
        tab: Tab::Enrolment,
        places: clients.into_iter().map(|c| Place { id: c.client_id, sites: of(c.client_id), name: c.name }).collect(),
        typed,
        made: None,
        rows: tokens.into_iter().map(|token| row(token, now)).collect(),
        agent: app.config.agent.as_ref().map(|agent| (agent.machine.to_owned(), agent.sha256.clone())),
        wrong: None,
    })
}

fn row(token: Token, now: Timestamp) -> TokenRow {
    let standing = match token.revoked_at {
        Some(at) => Standing::Revoked(at),
        None if token.uses_left == 0 => Standing::UsedUp,
        None if token.expires_at <= now => Standing::Expired,
        None => Standing::Open,
    };
    TokenRow {
        id: token.token_id,
        begins: token.begins,
        whom: token.host.unwrap_or_else(|| "many hosts".to_owned()),
        place: match token.site {
            Some(site) => format!("{}, {site}", token.client),
            None => token.client,
        },
        networks: token.networks,
        left: count(i64::from(token.uses_left)),
        of: count(i64::from(token.uses)),
        made_at: token.created_at,
        made_by: token.created_by,
        expires_at: token.expires_at,
        standing,
    }
}
