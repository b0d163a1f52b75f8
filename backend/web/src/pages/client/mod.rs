//! Clients: the list, one client's own page, and changing it.

mod archive;
mod contact;
mod delete;
mod details;
mod edit;
mod group;
mod import;
mod list;
mod show;
mod site;

pub use archive::{archive, begin_archive, end_archive, restore};
pub use contact::{
    TypedPerson, add as add_contact, answer as answer_contact, insert_contact, remove_contact, update_contact,
};
pub use delete::{ask_deletion, delete, keep};
pub use details::{Wrong, add, change, insert, update};
pub use edit::show as edit;
pub use group::{GroupCame, add as add_group, answer as answer_group, change_group, declare_group};
pub use import::{answer as import, show as show_import};
pub use list::list;
pub use show::show;
pub use site::{add as add_site, answer as answer_site, insert_site, remove_site, rename_site};

use axum::extract::{Path, rejection::PathRejection};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::tz::TimeZone;
use store::{TenantTx, clients};
use uuid::Uuid;

use crate::Failure;
use crate::layers::{Dressed, page};
use crate::posted::inputs;

/// The id of a path.
type Id = Result<Path<Uuid>, PathRejection>;
/// The ids of a path: the client, and something of it.
type Ids = Result<Path<(Uuid, Uuid)>, PathRejection>;

/// The client of a path, if it is theirs to see.
pub async fn named(tx: &mut TenantTx, id: Uuid) -> Result<clients::Client, Failure> {
    clients::find(tx, id).await?.ok_or(Failure::NOT_FOUND)
}

/// A page that says what was not taken.
fn refused<T: views::Template>(shown: &T) -> Response {
    let mut answer = page(shown);
    *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    answer.extensions_mut().insert(Dressed);
    answer
}

/// A name as it is stored, or a sentence about it.
fn name(typed: &str) -> Result<String, String> {
    let name = typed.trim();
    if domain::fleet::is_name(name) {
        Ok(name.to_owned())
    } else {
        Err("a name has 1 to 200 characters in one line".to_owned())
    }
}

/// Whether the tz database knows it.
fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// A time zone as it is stored, or a sentence about it.
pub fn zone(typed: &str) -> Result<String, String> {
    let zone = typed.trim();
    if is_zone(zone) {
        Ok(zone.to_owned())
    } else {
        Err(format!("“{zone}” is no time zone; write one like Europe/Berlin"))
    }
}
