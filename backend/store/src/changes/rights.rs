//! Whether the people behind a change may still ask for it: a yes counts for as long as whoever said it could say it.

use domain::change::{Sees, State, may_confirm, may_propose};
use uuid::Uuid;

use super::{Change, Subject, find_locked, mark_ended};
use crate::people::members::{self, Seat};
use crate::remediate::groups;
use crate::{Result, TenantTx, hosts};

/// Why a change takes no effect whatever it is about: one of these seats, all that there are, asked for it or said yes, and could
/// not do so any more. What the operator proposes is nobody's.
pub async fn find_lost(tx: &mut TenantTx, change: &Change, seats: &[Seat]) -> Result<Option<&'static str>> {
    let Some(subject) = change.subject else { return Ok(None) };
    let client_id = find_client(tx, subject).await?;
    let now = |login_id: Uuid| {
        let seat = seats.iter().find(|seat| seat.login_id == login_id)?;
        let sees = match (&seat.client_ids, client_id) {
            (None, _) => Sees::All,
            (Some(seen), Some(client_id)) if seen.contains(&client_id) => Sees::ItsClient,
            (Some(_), _) => Sees::Less,
        };
        Some((seat.role, sees))
    };
    if let Some(login_id) = change.proposed_login_id
        && !now(login_id).is_some_and(|(role, sees)| may_propose(subject.proposing(), role, sees))
    {
        return Ok(Some("whoever proposed it may not propose it any more"));
    }
    if change.state != State::Confirmed {
        return Ok(None);
    }
    Ok(match change.answered_login_id {
        None => Some("it is not known who said yes"),
        Some(login_id) if now(login_id).is_some_and(|(role, sees)| may_confirm(subject.asks(), role, sees)) => None,
        Some(_) => Some("whoever said yes may not say it any more"),
    })
}

/// The one client that a change is about, if it is about one.
async fn find_client(tx: &mut TenantTx, subject: Subject) -> Result<Option<Uuid>> {
    Ok(match subject {
        Subject::HostTags(host_id) => hosts::find_client(tx, host_id).await?,
        Subject::ServiceGroup(group_id) => {
            let group = groups::list(tx).await?.into_iter().find(|row| row.group_id == group_id);
            group.map(|row| row.client_id)
        }
        Subject::Mode(_) | Subject::Limit(..) | Subject::SignOn | Subject::Check(_) => None,
    })
}

/// A seat was changed or taken away: what its member proposed or said yes to, and could not any more, is over.
pub(crate) async fn end_lost(tx: &mut TenantTx, login_id: Uuid) -> Result<()> {
    // Seats are locked before changes, as where a change takes effect.
    let seats = members::list_locked(tx).await?;
    let tenant_id = tx.tenant_id();
    let theirs = sqlx::query_scalar!(
        "SELECT change_id FROM proposed_changes WHERE tenant_id = $1 AND state IN ('proposed', 'confirmed')
           AND (proposed_login_id = $2 OR answered_login_id = $2) ORDER BY change_id",
        tenant_id,
        login_id
    )
    .fetch_all(tx.conn())
    .await?;
    for change_id in theirs {
        let Some(change) = find_locked(tx, change_id).await? else { continue };
        if !matches!(change.state, State::Proposed | State::Confirmed) {
            continue; // it ended while its lock was waited for
        }
        if let Some(why) = find_lost(tx, &change, &seats).await? {
            mark_ended(tx, change_id, State::Stale, why).await?;
        }
    }
    Ok(())
}
