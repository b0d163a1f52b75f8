//! `POST /api/v1/clients/{id}/contacts` and below: add, change and remove a contact.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::api::{Caller, Done, Id, Ids, Made, Nothing, Problem, Sent, wrong};
use crate::pages::client::{TypedPerson, insert_contact, remove_contact, update_contact};

/// Somebody as they are to stand there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Their name.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Their address; it stands once at a client.
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    /// Their telephone number.
    #[schema(max_length = 40)]
    phone: Option<String>,
    /// Whether they get the mails of the client's incidents.
    told: bool,
}

impl Person {
    fn typed(&self) -> TypedPerson<'_> {
        let phone = self.phone.as_deref().unwrap_or_default();
        TypedPerson { name: &self.name, email: &self.email, phone, is_told: self.told }
    }
}

/// Adds a contact.
#[utoipa::path(post, path = "/api/v1/clients/{id}/contacts", tag = "Clients", params(("id" = Uuid, Path, description = "The client"), crate::api::document::Key),
    request_body = Person, responses((status = 200, description = "They stand there", body = Made), Problem), security(("token" = ["clients"])))]
pub async fn add(State(app): State<App>, caller: Caller, Id(id): Id, sent: Sent<Person>) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let id = insert_contact(tx, &caller.member, id, sent.said.typed()).await?.map_err(wrong)?;
        Ok(Made { id })
    })
    .await
}

/// Changes a contact.
#[utoipa::path(post, path = "/api/v1/clients/{id}/contacts/{contact}", tag = "Clients",
    params(("id" = Uuid, Path, description = "The client"), ("contact" = Uuid, Path, description = "Its contact"), crate::api::document::Key),
    request_body = Person, responses((status = 200, description = "It is so", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Ids(ids): Ids,
    sent: Sent<Person>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        let changed = update_contact(tx, &caller.member, ids, sent.said.typed()).await?.map_err(wrong)?;
        Ok(Done { changed })
    })
    .await
}

/// Removes a contact.
#[utoipa::path(post, path = "/api/v1/clients/{id}/contacts/{contact}/remove", tag = "Clients",
    params(("id" = Uuid, Path, description = "The client"), ("contact" = Uuid, Path, description = "Its contact"), crate::api::document::Key),
    request_body = Nothing, responses((status = 200, description = "They are gone", body = Done), Problem), security(("token" = ["clients"])))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Ids(ids): Ids,
    sent: Sent<Nothing>,
) -> Result<Response, Problem> {
    sent.act(&app, &caller, async |tx| {
        remove_contact(tx, &caller.member, ids).await?;
        Ok(Done { changed: true })
    })
    .await
}
