//! A tenant that begins with one person: what every tenant has from its first moment. And who may begin one.

use domain::access::Role;
use domain::quota::Counted;
use domain::remediate::guardrails::BucketKind;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::OperatorTx;
use crate::remediate::guardrails;
use crate::{Queue, Result, Store, TenantTx, configuration, quotas, seeding};

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

/// As [`find_sign_up`], for the operator.
pub async fn find_sign_up_of(operator: &mut OperatorTx) -> Result<SignUp> {
    let word = sqlx::query_scalar!("SELECT sign_up FROM platform_state").fetch_one(operator.conn()).await?;
    Ok(SignUp::ALL.iter().find(|(_, w)| *w == word).map_or(SignUp::Closed, |(sign_up, _)| *sign_up))
}

/// Says who may begin one from now on.
pub async fn set_sign_up(operator: &mut OperatorTx, sign_up: SignUp) -> Result<()> {
    let word = SignUp::ALL.iter().find(|(s, _)| *s == sign_up).map_or("closed", |(_, word)| word);
    sqlx::query!("UPDATE platform_state SET sign_up = $1, version = version + 1", word)
        .execute(operator.conn())
        .await?;
    Ok(())
}

/// Queues the letter with which somebody begins an organization.
pub async fn invite(operator: &mut OperatorTx, email: &str, facts: &Value) -> Result<()> {
    let now = operator.now().await?;
    sqlx::query!(
        "INSERT INTO letters (letter_id, kind, address, facts, created_at, due_at) VALUES ($1, 'sign_up', $2, $3, $4, $4)",
        Store::new_id(),
        email,
        facts,
        now.to_sqlx() as _
    )
    .execute(operator.conn())
    .await?;
    Ok(())
}

/// Sets whether an organization is active; the state that it had.
pub async fn set_state(operator: &mut OperatorTx, tenant_id: Uuid, state: &str) -> Result<String> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE tenants t SET state = $2 FROM (SELECT tenant_id, state FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE) o
           WHERE t.tenant_id = $1 AND t.tenant_id = o.tenant_id RETURNING o.state AS "state!""#,
        tenant_id,
        state
    )
    .fetch_one(operator.conn())
    .await?)
}

/// What an organization has, in numbers.
#[derive(Clone, Debug)]
pub struct Counts {
    /// `active`, `suspended`, `archived`.
    pub state: String,
    /// Clients that are not archived.
    pub clients: i64,
    /// Hosts, as its plan counts them.
    pub hosts: u32,
    /// Members, as its plan counts them: people, service accounts, and whom an invitation waits for.
    pub members: u32,
}

/// Counts what the transaction's tenant has.
pub async fn count(tx: &mut TenantTx) -> Result<Counts> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"SELECT t.state, (SELECT count(*) FROM clients c WHERE c.tenant_id = $1 AND c.archived_at IS NULL) AS "clients!"
           FROM tenants t WHERE t.tenant_id = $1"#,
        tenant_id
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Counts {
        state: row.state,
        clients: row.clients,
        hosts: quotas::count(tx, Counted::Hosts).await?,
        members: quotas::count(tx, Counted::Members).await?,
    })
}
