//! `POST /clients/{id}/contacts` and `POST /clients/{id}/contacts/{contact}`: add, change and remove somebody there.

use axum::extract::{Path, State};
use axum::response::Response;
use domain::access::Act;
use domain::fleet::{is_email, is_phone};
use serde::Deserialize;
use store::contacts::{self, Person};
use store::{TenantTx, clients};
use uuid::Uuid;
use views::client_edit::{Part, TypedContact};
use views::error::Kind;

use super::{Id, Ids, Wrong, edit, inputs, name, named};
use crate::member::Member;
use crate::posted::Posted;
use crate::{App, Failure};

/// The form of a new contact.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    csrf: String,
    name: String,
    email: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    told: Option<String>,
}

/// The form of one that is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    told: Option<String>,
    answer: String,
}
inputs!(New, Answer);

/// Where the page shows them.
const ANCHOR: &str = "#contacts";

/// The most contacts of a client.
const MOST: usize = 1_000;

/// Somebody as they were typed.
#[derive(Clone, Copy, Debug)]
pub struct TypedPerson<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their address.
    pub email: &'a str,
    /// Their number; empty: none.
    pub phone: &'a str,
    /// Whether they get the mails of the client's incidents.
    pub is_told: bool,
}

/// Adds a contact to a client; its id.
pub async fn insert_contact(
    tx: &mut TenantTx,
    member: &Member,
    client_id: Uuid,
    typed: TypedPerson<'_>,
) -> Result<Result<Uuid, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, client_id).await?;
    clients::lock(tx, client_id).await?;
    let there = contacts::list(tx, Some(client_id)).await?;
    if there.len() >= MOST {
        return Ok(Err(("name", format!("a client has at most {MOST} contacts"))));
    }
    Ok(match person(typed).and_then(|person| once(person, &there, None)) {
        Ok(person) => Ok(contacts::insert(tx, client_id, &person).await?),
        Err(wrong) => Err(wrong),
    })
}

/// Changes a contact of a client; whether anything is different now.
pub async fn update_contact(
    tx: &mut TenantTx,
    member: &Member,
    (client_id, contact_id): (Uuid, Uuid),
    typed: TypedPerson<'_>,
) -> Result<Result<bool, Wrong>, Failure> {
    member.must(Act::ManageClients)?;
    named(tx, client_id).await?;
    let there = contacts::list(tx, Some(client_id)).await?;
    let before = there.iter().find(|contact| contact.contact_id == contact_id).ok_or(Failure::NOT_FOUND)?;
    Ok(match person(typed).and_then(|person| once(person, &there, Some(contact_id))) {
        Ok(person) if person == before.person => Ok(false),
        Ok(person) => Ok(contacts::update(tx, client_id, contact_id, &person).await?),
        Err(wrong) => Err(wrong),
    })
}

/// Removes a contact of a client.
pub async fn remove_contact(
    tx: &mut TenantTx,
    member: &Member,
    (client_id, contact_id): (Uuid, Uuid),
) -> Result<(), Failure> {
    member.must(Act::ManageClients)?;
    named(tx, client_id).await?;
    if contacts::delete(tx, client_id, contact_id).await? { Ok(()) } else { Err(Failure::NOT_FOUND) }
}

/// Adds one.
pub async fn add(State(app): State<App>, id: Id, Posted(member, form): Posted<New>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let New { name, email, phone, told, .. } = form;
    let typed = TypedPerson { name: &name, email: &email, phone: &phone, is_told: told.is_some() };
    match insert_contact(&mut tx, &member, id, typed).await? {
        Ok(_) => {
            tx.commit().await?;
            Ok(edit::back(id, ANCHOR))
        }
        Err((_, wrong)) => {
            let typed = TypedContact { told: told.is_some(), name, email, phone };
            edit::refuse(&app, &member, &mut tx, id, (Part::Contacts, wrong), |page| page.new_contact = typed).await
        }
    }
}

/// Changes or removes one.
pub async fn answer(
    State(app): State<App>,
    ids: Ids,
    Posted(member, form): Posted<Answer>,
) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(ids) = ids.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let done = match form.answer.as_str() {
        "save" => {
            let (name, email, phone) = (&*form.name, &*form.email, &*form.phone);
            let typed = TypedPerson { name, email, phone, is_told: form.told.is_some() };
            update_contact(&mut tx, &member, ids, typed).await?.map(drop)
        }
        "remove" => Ok(remove_contact(&mut tx, &member, ids).await?),
        _ => return Err(Failure(Kind::BadRequest)),
    };
    if let Err((_, wrong)) = done {
        return edit::refuse(&app, &member, &mut tx, ids.0, (Part::Contacts, wrong), |_| {}).await;
    }
    tx.commit().await?;
    Ok(edit::back(ids.0, ANCHOR))
}

/// Somebody as they are stored, or a sentence about what was typed.
fn person(typed: TypedPerson<'_>) -> Result<Person, Wrong> {
    let (email, phone) = (typed.email.trim(), typed.phone.trim());
    let name = name(typed.name).map_err(|wrong| ("name", wrong))?;
    if !is_email(email) {
        return Err(("email", format!("“{email}” is no e-mail address")));
    }
    if !phone.is_empty() && !is_phone(phone) {
        return Err(("phone", format!("“{phone}” is no telephone number")));
    }
    let phone = (!phone.is_empty()).then(|| phone.to_owned());
    Ok(Person { name, email: email.to_owned(), phone, is_told: typed.is_told })
}

/// An address stands once at a client.
fn once(person: Person, there: &[contacts::Contact], but: Option<Uuid>) -> Result<Person, Wrong> {
    let same = |contact: &&contacts::Contact| {
        Some(contact.contact_id) != but && contact.person.email.eq_ignore_ascii_case(&person.email)
    };
    match there.iter().find(same) {
        Some(contact) => Err(("email", format!("{} is the address of {} already", person.email, contact.person.name))),
        None => Ok(person),
    }
}
