//! `GET /clients`: worst first; `?show=archived` lists the archived ones.

use axum::extract::{Query, State};
use axum::response::Response;
use domain::access::Act;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::TenantTx;
use store::pages::clients::{self, Which};
use store::pages::healed;
use views::Nav;
use views::clients::{ClientRow, ClientsPage, Healed, Typed};

use crate::layers::page;
use crate::member::{Member, clock};
use crate::{App, Failure, pages::count};

/// How many are shown.
const SHOWN: i64 = 1_000;
/// Over how long what was healed is counted.
pub const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What the address asks for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    show: String,
}

/// All clients the member may see.
pub async fn list(State(app): State<App>, member: Member, asked: Query<Asked>) -> Result<Response, Failure> {
    member.must(Act::Read)?;
    let mut tx = member.begin(&app).await?;
    let which = if asked.show == "archived" { Which::Archived } else { Which::Active };
    let zone = store::configuration::find_tenant(&mut tx).await?.map_or_else(String::new, |tenant| tenant.time_zone);
    let typed = Typed { zone, ..Typed::default() };
    Ok(page(&filled(&app, &member, &mut tx, which, typed).await?))
}

/// The page with what somebody typed into it.
pub(super) async fn filled(
    app: &App,
    member: &Member,
    tx: &mut TenantTx,
    which: Which,
    typed: Typed,
) -> Result<ClientsPage, Failure> {
    let shell = member.shell(tx, Nav::Clients).await?;
    let now = tx.now().await?;
    let healed = healed::by_client(tx, None, since(now)).await?;
    let rows = clients::list(tx, which, SHOWN).await?;
    Ok(ClientsPage {
        shell,
        clock: clock(app, now),
        rows: rows
            .into_iter()
            .map(|row| ClientRow {
                id: row.client_id,
                name: row.name,
                sites: count(row.sites),
                hosts: count(row.hosts),
                silent: count(row.silent),
                critical: count(row.critical),
                warning: count(row.warning),
                needs_you: count(row.needs_you),
                stopped: row.is_stopped,
                healed: share(healed.get(&row.client_id).copied().unwrap_or_default()),
                archived_at: row.archived_at,
            })
            .collect(),
        archived: which == Which::Archived,
        archived_all: count(clients::count_archived(tx).await?),
        // A client is the whole organization's: who sees only some makes none.
        may_manage: member.may(Act::ManageClients) && member.sees_all(),
        typed,
        wrong: None,
    })
}

/// Thirty days before.
pub(super) fn since(now: Timestamp) -> Timestamp {
    now - MONTH
}

/// As the views take it.
pub(super) fn share(healed: healed::Healed) -> Healed {
    Healed { healed: count(healed.healed), counted: count(healed.counted) }
}
