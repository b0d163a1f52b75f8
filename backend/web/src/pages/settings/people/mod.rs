//! `/settings/people`: members, invitations, what is asked of everybody.

mod invite;
mod seat;
mod second_factor;
mod service;
mod show;

pub use invite::{Invited, insert_invitation, invite, revoke, take_back};
pub use seat::{change, change_seat, remove, remove_seat};
pub use second_factor::{ask_for_second_factor, require as require_second_factor};
pub use service::{Wanted, insert_service, make as make_service, remove as take_service_away, remove_service};
pub use show::show;

use axum::response::Response;
use domain::access::{Act, Role};
use store::people::members::{self, Seat};
use store::{TenantTx, fleet};
use uuid::Uuid;
use views::error::Kind;

use crate::layers::refusing;
use crate::member::Member;
use crate::{App, Failure, Refusal};

/// As what somebody is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Their role.
    pub role: Role,
    /// The clients they see; none: all.
    pub clients: Option<Vec<Uuid>>,
}

impl Reach {
    /// As the forms say it.
    fn typed(role: &str, sees: &str, clients: &[Uuid]) -> Result<Reach, Failure> {
        let clients = match sees {
            "all" => None,
            "some" => Some(clients.to_vec()),
            _ => return Err(Failure(Kind::BadRequest)),
        };
        Ok(Reach { role: Role::parse(role).ok_or(Failure(Kind::BadRequest))?, clients })
    }
}

/// All seats, locked, for a member who manages people: under the lock nobody else changes one. What the request began with
/// may be over by then (two owners who remove each other): who is no member as they were does nothing.
pub(super) async fn lock_seats(tx: &mut TenantTx, member: &Member) -> Result<Vec<Seat>, Failure> {
    member.must_for_all(Act::ManagePeople)?;
    let seats = members::list_locked(tx).await?;
    let own = seats.iter().find(|seat| seat.login_id == member.login_id());
    if own.is_none_or(|own| own.role != member.seat().role || own.client_ids.is_some()) {
        return Err(Failure::FORBIDDEN);
    }
    Ok(seats)
}

/// What the member may give, each client once; or what is wrong with it.
async fn given(tx: &mut TenantTx, member: &Member, wanted: &Reach) -> Result<Result<Reach, Refusal>, Failure> {
    if !member.may_manage(wanted.role) {
        return Err(Failure::FORBIDDEN);
    }
    let clients = wanted.clients.clone().map(|mut ids| {
        ids.sort_unstable();
        ids.dedup();
        ids
    });
    if let Some(ids) = &clients {
        let known = fleet::list_clients(tx).await?;
        if ids.iter().any(|id| !known.iter().any(|client| client.client_id == *id)) {
            return Err(Failure::NOT_FOUND);
        }
    }
    let wrong = match (&clients, wanted.role) {
        (Some(ids), _) if ids.is_empty() => Some("Choose at least one client, or all."),
        (None, role) if role.needs_clients() => Some("A client viewer sees some clients only: choose which."),
        (Some(_), Role::Owner) => Some("An owner sees all clients."),
        _ => None,
    };
    Ok(match wrong {
        Some(wrong) => Err(Refusal::field("clients", wrong)),
        None => Ok(Reach { role: wanted.role, clients }),
    })
}

/// The page with why nothing was done.
async fn refuse(app: &App, member: &Member, tx: TenantTx, why: Refusal) -> Result<Response, Failure> {
    tx.rollback().await?;
    Ok(refusing(&show::load(app, member, None, Some(&why.words())).await?))
}
