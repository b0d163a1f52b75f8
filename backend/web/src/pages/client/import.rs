//! `GET` and `POST /clients/import`: clients, sites and contacts from a table, previewed line by line, written at once.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::fleet::import::{Adds, COLUMNS, Line, Present, Standing, read};
use serde::Deserialize;
use store::contacts::Person;
use store::{TenantTx, clients, configuration, contacts, fleet, sites};
use views::Nav;
use views::clients_import::{self as views_import, ImportPage, Outcome};

use super::{inputs, is_zone, refused};
use crate::layers::page;
use crate::member::{Member, clock};
use crate::posted::Posted;
use crate::{App, Failure};

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    csrf: String,
    text: String,
    #[serde(default)]
    seen: String,
    step: String,
}
inputs!(Table);

/// Clients are the whole organization's: who sees only some imports none.
fn must(member: &Member) -> Result<(), Failure> {
    member.must(Act::ManageClients)?;
    if member.sees_all() { Ok(()) } else { Err(Failure::FORBIDDEN) }
}

/// The empty page.
pub async fn show(State(app): State<App>, member: Member) -> Result<Response, Failure> {
    must(&member)?;
    let mut tx = member.begin(&app).await?;
    Ok(page(&empty(&app, &member, &mut tx).await?))
}

async fn empty(app: &App, member: &Member, tx: &mut TenantTx) -> Result<ImportPage, Failure> {
    let shell = member.shell(tx, Nav::Clients).await?;
    let now = tx.now().await?;
    let tenant = configuration::find_tenant(tx).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(ImportPage {
        shell,
        clock: clock(app, now),
        zone: tenant.time_zone,
        columns: &COLUMNS,
        text: String::new(),
        lines: None,
        seen: String::new(),
        wrong: None,
    })
}

/// Shows what comes of each line; or writes them, if that is what was shown.
pub async fn answer(State(app): State<App>, Posted(member, form): Posted<Table>) -> Result<Response, Failure> {
    must(&member)?;
    let mut tx = member.begin(&app).await?;
    let mut shown = empty(&app, &member, &mut tx).await?;
    let text = form.text.replace("\r\n", "\n");
    shown.text.clone_from(&text);
    let lines = match read(&text, &present(&mut tx).await?, &shown.zone, &is_zone) {
        Ok(lines) => lines,
        Err(wrong) => {
            shown.wrong = Some(wrong);
            return Ok(refused(&shown));
        }
    };
    shown.seen = digest(&text, &lines);
    if form.step == "write" {
        let all: Option<Vec<&Adds>> = lines.iter().map(|line| line.outcome.as_ref().ok()).collect();
        match all {
            Some(all) if form.seen == shown.seen => {
                write(&mut tx, &all).await?;
                tx.commit().await?;
                return Ok(Redirect::to("/clients").into_response());
            }
            _ => shown.wrong = Some("It is not what was looked at before: look again".to_owned()),
        }
    }
    shown.lines = Some(lines.into_iter().map(line).collect());
    Ok(if shown.wrong.is_some() { refused(&shown) } else { page(&shown) })
}

/// What the lines are held against.
async fn present(tx: &mut TenantTx) -> Result<Present, Failure> {
    let active = fleet::list_clients(tx).await?;
    let name = |id| active.iter().find(|client| client.client_id == id).map(|client| client.name.clone());
    let sites = configuration::list_sites(tx).await?;
    let people = contacts::list(tx, None).await?;
    let archived = clients::list_archived_names(tx).await?.into_iter();
    let of = |client: &fleet::Client| (client.name.clone(), client.time_zone.clone(), Standing::Active);
    Ok(Present {
        sites: sites.into_iter().filter_map(|site| Some((name(site.client_id)?, site.name))).collect(),
        contacts: people.into_iter().filter_map(|row| Some((name(row.client_id)?, row.person.email))).collect(),
        clients: active.iter().map(of).chain(archived.map(|name| (name, String::new(), Standing::Archived))).collect(),
    })
}

/// Of the table and of what was found to come of it.
fn digest(text: &str, lines: &[Line]) -> String {
    hex::encode(keys::digest(format!("{text}\n{lines:?}").as_bytes()).0)
}

async fn write(tx: &mut TenantTx, all: &[&Adds]) -> Result<(), Failure> {
    let mut known = fleet::list_clients(tx).await?;
    for adds in all {
        if let Some(zone) = &adds.zone {
            let client_id = clients::insert(tx, &adds.client, zone).await?;
            known.push(fleet::Client { client_id, name: adds.client.clone(), time_zone: zone.clone() });
        }
        let same = |client: &&fleet::Client| client.name.to_lowercase() == adds.client.to_lowercase();
        let client_id = known.iter().find(same).map(|client| client.client_id).ok_or(Failure::CONFLICT)?;
        if let Some(site) = &adds.site {
            sites::insert(tx, client_id, site).await?;
        }
        if let Some(contact) = &adds.contact {
            let (name, email) = (contact.name.clone(), contact.email.clone());
            // Nobody gets mails because a table names them: that is said on the client's page.
            let person = Person { name, email, phone: contact.phone.clone(), is_told: false };
            contacts::insert(tx, client_id, &person).await?;
        }
    }
    Ok(())
}

fn line(line: Line) -> views_import::Line {
    let (about, outcome) = match line.outcome {
        Err(wrong) => (line.said, Outcome::Wrong(wrong)),
        Ok(adds) if adds.is_nothing() => (adds.client, Outcome::Nothing),
        Ok(adds) => {
            let client = adds.zone.map(|zone| format!("the client, in {zone}"));
            let site = adds.site.map(|site| format!("the site {site}"));
            let contact = adds.contact.map(|contact| format!("the contact {} ({})", contact.name, contact.email));
            (adds.client, Outcome::Adds([client, site, contact].into_iter().flatten().collect()))
        }
    };
    views_import::Line { number: line.number, about, outcome }
}
