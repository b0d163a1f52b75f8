//! A tenant that begins with one person: what every tenant has from its first moment. And who may begin one.

use domain::access::Role;
use domain::remediate::guardrails::BucketKind;
use uuid::Uuid;

use crate::remediate::guardrails;
use crate::{Queue, Result, Store, TenantTx, configuration, seeding};

/// Gives a tenant that was just made its owner, its bucket and its standing wake-ups.
pub async fn begin(tx: &mut TenantTx, login_id: Uuid, name: &str, email: &str, time_zone: &str) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    seeding::insert_membership(tx, login_id, name, email, Role::Owner).await?;
    if let Some(tenant) = configuration::find_tenant(tx).await? {
        configuration::update_tenant(tx, &tenant.name, time_zone).await?;
    }
    guardrails::ensure(tx, BucketKind::Tenant, &tenant_id.to_string()).await?;
    // The first owner is called until they say who else is.
    seeding::insert_channel(tx, email).await?;
    for queue in [Queue::Silence, Queue::Sweep, Queue::Plan] {
        tx.due(queue, now); // the standing wake-ups
    }
    Ok(())
}

/// Who may begin an organization of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// Everybody.
    Open,
    /// Whom the operator invites.
    Invitation,
    /// Nobody.
    Closed,
}

impl SignUp {
    /// All, with their stored words.
    pub const ALL: [(SignUp, &'static str); 3] =
        [(SignUp::Open, "open"), (SignUp::Invitation, "invitation"), (SignUp::Closed, "closed")];
}

/// Who may begin one now.
pub async fn find_sign_up(store: &Store) -> Result<SignUp> {
    let mut tx = store.system().await?;
    let word = sqlx::query_scalar!("SELECT sign_up FROM platform_state").fetch_one(tx.conn()).await?;
    Ok(SignUp::ALL.iter().find(|(_, w)| *w == word).map_or(SignUp::Closed, |(sign_up, _)| *sign_up))
}
