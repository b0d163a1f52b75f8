//! `POST /clients/{id}/contacts` and `POST /clients/{id}/contacts/{contact}`: add, change and remove somebody there.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::access::Act;
use domain::fleet::{is_email, is_phone};
use serde::Deserialize;
use store::contacts::{self, Person};
use uuid::Uuid;
use views::client_edit::{Part, TypedContact};
use views::error::Kind;

use super::{Id, Ids, edit, inputs, name, named, refused};
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

/// Adds one.
pub async fn add(State(app): State<App>, id: Id, Posted(member, form): Posted<New>) -> Result<Response, Failure> {
    member.must(Act::ManageClients)?;
    let Path(id) = id.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client = named(&mut tx, id).await?;
    let told = form.told.is_some();
    let there = contacts::list(&mut tx, Some(id)).await?;
    match person(&form.name, &form.email, &form.phone, told).and_then(|person| once(person, &there, None)) {
        Ok(person) => {
            contacts::insert(&mut tx, id, &person).await?;
            tx.commit().await?;
            Ok(back(id))
        }
        Err(wrong) => {
            let mut page = edit::filled(&app, &member, &mut tx, id, client).await?;
            page.wrong = Some((Part::Contacts, wrong));
            page.new_contact = TypedContact { name: form.name, email: form.email, phone: form.phone, told };
            Ok(refused(&page))
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
    let Path((id, contact_id)) = ids.map_err(|_| Failure::NOT_FOUND)?;
    let mut tx = member.begin(&app).await?;
    let client = named(&mut tx, id).await?;
    let there = contacts::list(&mut tx, Some(id)).await?;
    if !there.iter().any(|contact| contact.contact_id == contact_id) {
        return Err(Failure::NOT_FOUND);
    }
    match form.answer.as_str() {
        "save" => {
            let typed = person(&form.name, &form.email, &form.phone, form.told.is_some());
            match typed.and_then(|person| once(person, &there, Some(contact_id))) {
                Ok(person) => contacts::update(&mut tx, id, contact_id, &person).await?,
                Err(wrong) => {
                    let mut page = edit::filled(&app, &member, &mut tx, id, client).await?;
                    page.wrong = Some((Part::Contacts, wrong));
                    return Ok(refused(&page));
                }
            };
        }
        "remove" => {
            contacts::delete(&mut tx, id, contact_id).await?;
        }
        _ => return Err(Failure(Kind::BadRequest)),
    }
    tx.commit().await?;
    Ok(back(id))
}

/// Somebody as they are stored, or a sentence about what was typed.
fn person(typed: &str, email: &str, phone: &str, is_told: bool) -> Result<Person, String> {
    let (email, phone) = (email.trim(), phone.trim());
    let name = name(typed)?;
    if !is_email(email) {
        return Err(format!("“{email}” is no e-mail address"));
    }
    if !phone.is_empty() && !is_phone(phone) {
        return Err(format!("“{phone}” is no telephone number"));
    }
    Ok(Person { name, email: email.to_owned(), phone: (!phone.is_empty()).then(|| phone.to_owned()), is_told })
}

/// An address stands once at a client.
fn once(person: Person, there: &[contacts::Contact], but: Option<Uuid>) -> Result<Person, String> {
    let same = |contact: &&contacts::Contact| {
        Some(contact.contact_id) != but && contact.person.email.eq_ignore_ascii_case(&person.email)
    };
    match there.iter().find(same) {
        Some(contact) => Err(format!("{} is the address of {} already", person.email, contact.person.name)),
        None => Ok(person),
    }
}

fn back(id: Uuid) -> Response {
    Redirect::to(&format!("/clients/{id}/edit#contacts")).into_response()
}
