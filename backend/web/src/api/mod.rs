//! The API: what the console can do, as JSON, for programs that show a token. One operation, one file, and each calls what
//! the page of the same name calls.
//!
//! There are no cookies here and no forms: a request says who asks in its `Authorization` header alone, and what other sites
//! make a browser send carries none.

mod approval;
mod audit;
mod caller;
mod change;
mod channel;
mod check;
mod client;
mod contact;
mod cursor;
mod docs;
mod document;
mod enrolment;
mod events;
mod group;
mod guardrail;
mod host;
mod incident;
mod invitation;
mod limits;
mod member;
pub mod networks;
mod organization;
mod problem;
mod read;
mod run;
mod secret;
mod service;
mod site;
mod token;

pub use caller::{Caller, gate};
pub use limits::Limits;
pub use problem::Problem;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::router::{Route, read, write};
use read::{Asked, ById, Id, Ids, Nothing, Sent};

/// Where the API begins.
pub const PREFIX: &str = "/api/v1";

/// Items of a page unless the request says how many.
const LIMIT: u16 = 50;
/// Items of a page at most.
const LIMIT_MAX: u16 = 200;

/// Routes that ask for a token.
pub fn routes() -> Vec<Route> {
    vec![
        read("/api/v1/incidents", incident::list::list),
        read("/api/v1/incidents/{id}", incident::show::show),
        write("/api/v1/incidents/{id}/owner", incident::owner::answer),
        write("/api/v1/incidents/{id}/doubt", incident::doubt::answer),
        read("/api/v1/runs", run::list::list),
        read("/api/v1/runs/{id}", run::show::show),
        read("/api/v1/approvals", approval::list::list),
        write("/api/v1/approvals/{id}", approval::answer::answer),
        read("/api/v1/hosts", host::list::list),
        read("/api/v1/hosts/{id}", host::show::show),
        write("/api/v1/hosts/{id}/hands-off", host::act::hands_off),
        write("/api/v1/hosts/{id}/release", host::act::release),
        write("/api/v1/hosts/{id}/same-machine", host::act::same_machine),
        write("/api/v1/hosts/{id}/retire", host::act::retire),
        write("/api/v1/hosts/{id}/accept", host::act::accept),
        write("/api/v1/hosts/{id}/refuse", host::act::refuse),
        write("/api/v1/hosts/{id}/claim", host::act::claim),
        write("/api/v1/hosts/{id}/watch", host::act::watch),
        read("/api/v1/guardrails", guardrail::show::show),
        write("/api/v1/guardrails/stop", guardrail::act::stop),
        write("/api/v1/guardrails/go", guardrail::act::go),
        write("/api/v1/guardrails/breaker", guardrail::act::close_breaker),
        write("/api/v1/guardrails/interlocks/{id}/release", guardrail::act::release),
        write("/api/v1/clients/{id}/hands-off", guardrail::act::hands_off),
        write("/api/v1/clients/{id}/release", guardrail::act::hands_on),
        read("/api/v1/changes", change::list::list),
        write("/api/v1/changes/{id}", change::answer::answer),
        read("/api/v1/audit", audit::list::list),
        read("/api/v1/clients", client::list::list),
        read("/api/v1/clients/{id}", client::show::show),
        write("/api/v1/clients", client::edit::add),
        write("/api/v1/clients/{id}", client::edit::change),
        write("/api/v1/clients/{id}/archive", client::edit::archive),
        write("/api/v1/clients/{id}/restore", client::edit::restore),
        read("/api/v1/clients/{id}/sites", site::list::list),
        write("/api/v1/clients/{id}/sites", site::edit::add),
        write("/api/v1/clients/{id}/sites/{site}", site::edit::rename),
        write("/api/v1/clients/{id}/sites/{site}/remove", site::edit::remove),
        read("/api/v1/clients/{id}/contacts", contact::list::list),
        write("/api/v1/clients/{id}/contacts", contact::edit::add),
        write("/api/v1/clients/{id}/contacts/{contact}", contact::edit::change),
        write("/api/v1/clients/{id}/contacts/{contact}/remove", contact::edit::remove),
        write("/api/v1/hosts/{id}/place", host::place::place),
        read("/api/v1/hosts/{id}/metrics", host::metrics::show),
        read("/api/v1/events", events::stream),
        read("/api/v1/enrolment-tokens", enrolment::list::list),
        write("/api/v1/enrolment-tokens", enrolment::edit::make),
        write("/api/v1/enrolment-tokens/{id}/revoke", enrolment::edit::revoke),
        read("/api/v1/members", member::list::list),
        write("/api/v1/members/{id}", member::edit::change),
        write("/api/v1/members/{id}/remove", member::edit::remove),
        read("/api/v1/invitations", invitation::list::list),
        write("/api/v1/invitations", invitation::edit::invite),
        write("/api/v1/invitations/{id}/revoke", invitation::edit::revoke),
        read("/api/v1/service-accounts", service::list::list),
        write("/api/v1/service-accounts", service::edit::make),
        write("/api/v1/service-accounts/{id}/remove", service::edit::remove),
        read("/api/v1/tokens", token::list::list),
        write("/api/v1/tokens", token::edit::make),
        write("/api/v1/tokens/{id}/revoke", token::edit::revoke),
        read("/api/v1/organization", organization::show::show),
        write("/api/v1/organization", organization::edit::change),
        write("/api/v1/organization/second-factor", organization::edit::second_factor),
        read("/api/v1/limits", guardrail::limit::list),
        write("/api/v1/limits/{limit}", guardrail::limit::set),
        read("/api/v1/service-groups", group::list::list),
        write("/api/v1/clients/{id}/groups", group::edit::declare),
        write("/api/v1/clients/{id}/groups/{group}", group::edit::change),
        write("/api/v1/clients/{id}/groups/{group}/remove", group::edit::remove),
        read("/api/v1/secrets", secret::list::list),
        write("/api/v1/secrets", secret::edit::add),
        write("/api/v1/secrets/{id}/replace", secret::edit::replace),
        write("/api/v1/secrets/{id}/delete", secret::edit::delete),
        read("/api/v1/checks", check::list::list),
        write("/api/v1/checks/{id}/archive", check::archive::archive),
        read("/api/v1/channels", channel::list::list),
        write("/api/v1/channels", channel::edit::add),
        write("/api/v1/channels/{id}/remove", channel::edit::remove),
        write("/api/v1/secrets/sealing-key", secret::key::replace),
        read("/api/v1/mail-relay", organization::relay::show),
        write("/api/v1/mail-relay", organization::relay::set),
        write("/api/v1/mail-relay/remove", organization::relay::remove),
        read("/api/v1/usage", organization::usage::show),
        read("/api/v1/support-grants", organization::support::list),
        write("/api/v1/support-grants", organization::support::grant),
        write("/api/v1/support-grants/end", organization::support::end),
        read("/api/v1/sign-on", organization::sign_on::show),
        write("/api/v1/sign-on", organization::sign_on::set),
        write("/api/v1/sign-on/remove", organization::sign_on::remove),
        read("/api/v1/audit/file", audit::file::download),
        read("/api/v1/deletions", organization::deletion::list),
        write("/api/v1/organization/delete", organization::deletion::delete),
        write("/api/v1/organization/keep", organization::deletion::keep),
        write("/api/v1/clients/{id}/delete", organization::deletion::delete_client),
        write("/api/v1/clients/{id}/keep", organization::deletion::keep_client),
        read("/api/v1/organization/file", organization::file::download),
    ]
}

/// Routes that tell everybody what there is.
pub fn everybodys() -> Vec<Route> {
    vec![read("/api/v1/openapi.json", document::show), read("/api/docs", docs::show)]
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
struct Page<T: ToSchema> {
    /// The items of this page, in the list's order.
    items: Vec<T>,
    /// What to say as `cursor` for the next page; none: there is none.
    next: Option<String>,
}

/// Something with a name.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Named {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
}

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
struct Made {
    /// Its id.
    id: Uuid,
}

/// What was asked for is done.
#[derive(Debug, Serialize, ToSchema)]
struct Done {
    /// Whether anything is different now; what was so already is no error.
    changed: bool,
}

/// How many items a page has, as a request says it.
fn limit(asked: Option<u16>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(LIMIT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit.into())
    } else {
        Err(Problem::invalid("limit", format!("it must be 1 to {LIMIT_MAX}")))
    }
}

/// A page of what was read with one more than `limit`; `place` says where an item stands in the list.
fn page<R, T: ToSchema>(
    mut rows: Vec<R>,
    limit: i64,
    place: impl Fn(&R) -> String,
    item: impl Fn(R) -> T,
) -> Json<Page<T>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(place);
    Json(Page { items: rows.into_iter().map(item).collect(), next })
}

/// A page of what was read whole, by id.
fn page_by_id<R, T: ToSchema>(
    mut rows: Vec<R>,
    asked: &ById,
    id: impl Fn(&R) -> Uuid,
    item: impl Fn(R) -> T,
) -> Result<Json<Page<T>>, Problem> {
    let (limit, after) = asked.place()?;
    rows.sort_unstable_by_key(&id);
    rows.retain(|row| after.is_none_or(|after| id(row) > after));
    Ok(page(rows, limit, |row| cursor::said(&[id(row).simple().to_string()]), item))
}

/// An answer that may have been kept.
fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, Json(body)).into_response()
}

/// A field that cannot be taken.
fn wrong((field, says): (&'static str, String)) -> Problem {
    Problem::invalid(field, says)
}

/// A reason as a request says it, trimmed.
fn reason(said: &str, most: usize) -> Result<String, Problem> {
    let said = said.trim();
    if said.chars().count() > most {
        return Err(Problem::invalid("reason", format!("it must be at most {most} characters")));
    }
    Ok(said.to_owned())
}

/// A reason, if one was said.
fn some(reason: &str) -> Option<&str> {
    (!reason.is_empty()).then_some(reason)
}

/// Why something is asked for, for the second person; none: nothing was said.
fn why(said: &str) -> Result<Option<String>, Problem> {
    let said = reason(said, 200).map_err(|_| Problem::invalid("why", "it must be at most 200 characters"))?;
    Ok(some(&said).map(str::to_owned))
}
