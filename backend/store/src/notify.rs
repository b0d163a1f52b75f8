//! Calling people: what changes an incident for its readers and the mail that says so, in one transaction.

use domain::notify::{Kind, NEWS, RECURS_WITHIN, STILL_HELD_AFTER, tell_fixed};
use uuid::Uuid;

use crate::classify::{alerts, incidents};
use crate::diagnostics;
use crate::outbox::{self, Telling};
use crate::remediate::runs::{self, Run};
use crate::{Result, TenantTx};

/// What an event is about.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The client.
    pub client_id: Uuid,
    /// The incident.
    pub incident_id: Uuid,
    /// The run, if there is one.
    pub run_id: Option<Uuid>,
}

impl From<&Run> for About {
    fn from(run: &Run) -> About {
        About { client_id: run.client_id, incident_id: run.incident_id, run_id: Some(run.run_id) }
    }
}

/// Hands the incident to a person at once.
pub async fn needs_you(tx: &mut TenantTx, about: About, reason: &str) -> Result<()> {
    incidents::mark_escalated(tx, about.incident_id, reason).await?;
    diagnostics::ask(tx, about.incident_id).await?;
    let due_at = tx.now().await?;
    let why = "Sent at once because it needs a person.";
    queue(tx, about, Kind::NeedsYou, reason, due_at, why).await
}

/// A run is held. What only a person can end is told at once; what ends by itself, if it still holds after a while.
pub async fn held(tx: &mut TenantTx, about: About, headline: &str, tell_now: bool) -> Result<()> {
    let now = tx.now().await?;
    if !tell_now {
        let why = "Sent because this fix has been waiting for ten minutes.";
        return queue(tx, about, Kind::Held, "", now + STILL_HELD_AFTER, why).await;
    }
    incidents::mark_escalated(tx, about.incident_id, headline).await?;
    diagnostics::ask(tx, about.incident_id).await?;
    queue(tx, about, Kind::Held, "", now, "Sent at once because a fix is held until a person lets it run.").await
}

/// A run fixed its alert; called after both are closed. Told while that is news, see [`tell_fixed`].
pub async fn fixed(tx: &mut TenantTx, about: About, run_id: Uuid) -> Result<()> {
    let now = tx.now().await?;
    let by_mapping = runs::count_fixed_by_mapping(tx, run_id, NEWS + 1).await?;
    let recurrences = alerts::count_fixed_like(tx, about.incident_id, now - RECURS_WITHIN).await?;
    let told = outbox::has_called(tx, about.incident_id).await?;
    match tell_fixed(told, by_mapping, recurrences) {
        Some(why) => queue(tx, about, Kind::Fixed, "", now, why).await,
        None => Ok(()),
    }
}

async fn queue(
    tx: &mut TenantTx,
    about: About,
    kind: Kind,
    topic: &str,
    due_at: jiff::Timestamp,
    why: &str,
) -> Result<()> {
    let About { client_id, incident_id, run_id } = about;
    outbox::insert(tx, &Telling { client_id, incident_id, run_id, kind, topic, due_at, why }).await
}
