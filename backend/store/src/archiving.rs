//! A check that is archived: nothing looks at it any more, and what was open about it ends. And the checks of a client that
//! is deleted.

use std::collections::BTreeMap;

use domain::detect::{Check, HostFacts};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::configuration::{self, Machine};
use crate::endings::{self, Of};
use crate::live::Kind;
use crate::{Result, StoreError, TenantTx};

/// Why what was open ended, as people read it.
const CAUSE: &str = "its check was archived";

/// A check in use.
#[derive(Clone, Debug)]
pub struct InUse {
    /// Its id.
    pub check_id: Uuid,
    /// Its definition.
    pub check: Check,
    /// The client that it was made for on a host's page.
    pub client_id: Option<Uuid>,
    /// The host.
    pub host_id: Option<Uuid>,
    /// Since when.
    pub created_at: Timestamp,
}

fn read(check_id: Uuid, definition: Value) -> Result<Check> {
    let check = serde_json::from_value::<Check>(definition).ok().and_then(|check| check.complete().ok());
    check.ok_or(StoreError::Corrupt { table: "checks", column: "definition", id: check_id })
}

/// Every check in use, by name.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<InUse>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT check_id, definition, made_for_client, made_for_host, created_at FROM checks
         WHERE tenant_id = $1 AND archived_at IS NULL ORDER BY name",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok(InUse {
                check_id: r.check_id,
                check: read(r.check_id, r.definition)?,
                client_id: r.made_for_client,
                host_id: r.made_for_host,
                created_at: r.created_at.to_jiff(),
            })
        })
        .collect()
}

/// The check, if it is in use; locked.
pub async fn find_locked(tx: &mut TenantTx, check_id: Uuid) -> Result<Option<InUse>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT definition, made_for_client, made_for_host, created_at FROM checks
         WHERE tenant_id = $1 AND check_id = $2 AND archived_at IS NULL FOR UPDATE",
        tenant_id,
        check_id
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|r| {
        Ok(InUse {
            check_id,
            check: read(check_id, r.definition)?,
            client_id: r.made_for_client,
            host_id: r.made_for_host,
            created_at: r.created_at.to_jiff(),
        })
    })
    .transpose()
}

/// Which version of a check is in use; none: no check of this id is.
pub async fn find_version(tx: &mut TenantTx, check_id: Uuid) -> Result<Option<i32>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT version FROM checks WHERE tenant_id = $1 AND check_id = $2 AND archived_at IS NULL",
        tenant_id,
        check_id
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Whether a fix for it is at work. Under the lock of admissions none begins, so what is not at work stays so.
pub async fn is_at_work(tx: &mut TenantTx, check_id: Uuid) -> Result<bool> {
    endings::is_at_work(tx, Of { host_id: None, check_id: Some(check_id) }).await
}

/// Notes for whom a check was made on a host's page.
pub async fn mark_made_for(tx: &mut TenantTx, check_id: Uuid, client_id: Uuid, host_id: Uuid) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "UPDATE checks SET made_for_client = $3, made_for_host = $4 WHERE tenant_id = $1 AND check_id = $2",
        tenant_id,
        check_id,
        client_id,
        host_id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Archives a check: no host looks at it any more, its name is free, it has no state, its incidents are closed, and what
/// waits to be done about them never is. False: a fix for it is at work, which must end before; roll back then.
/// [`lock`] and [`find_locked`] come before it.
pub async fn archive(tx: &mut TenantTx, check: &InUse, by: &str) -> Result<bool> {
    let of = Of { host_id: None, check_id: Some(check.check_id) };
    wake_selected(tx, &check.check).await?;
    endings::list_open_alerts(tx, of).await?;
    if endings::is_at_work(tx, of).await? {
        return Ok(false);
    }
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    sqlx::query!(
        "UPDATE checks SET archived_at = $3, archived_by = $4 WHERE tenant_id = $1 AND check_id = $2",
        tenant_id,
        check.check_id,
        now.to_sqlx() as _,
        by
    )
    .execute(tx.conn())
    .await?;
    endings::end_looks(tx, of).await?;
    let closed = endings::close(tx, of, CAUSE).await?;
    let detail = json!({ "name": check.check.name, "incidents_closed": closed });
    let entry = Entry::removed("check.archived", ("check", check.check_id), json!(check.check));
    match check.client_id {
        Some(client_id) => tx.changes(Kind::Host, client_id, check.host_id),
        None => tx.changes(Kind::Host, None, None),
    }
    audit::insert(tx, check.client_id, entry.with(detail)).await?;
    Ok(true)
}

/// The hosts that it selects read their checks anew.
async fn wake_selected(tx: &mut TenantTx, check: &Check) -> Result<()> {
    let clients = list_clients(tx).await?;
    let mut selected = Vec::new();
    for host in configuration::list_hosts(tx).await? {
        let Machine::Enrolled(host_id) = host.machine else { continue };
        let tags: BTreeMap<String, String> = serde_json::from_value(host.tags).unwrap_or_default();
        let client = clients.get(&host.client_id).map_or("", String::as_str);
        if check.selector.selects(&HostFacts { client, host: &host.name, tags: &tags }) {
            selected.push(host_id);
        }
    }
    configuration::wake_hosts(tx, &selected).await
}

/// The names of all clients, archived ones too: their hosts are looked at on.
async fn list_clients(tx: &mut TenantTx) -> Result<BTreeMap<Uuid, String>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!("SELECT client_id, name FROM clients WHERE tenant_id = $1", tenant_id)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|row| (row.client_id, row.name)).collect())
}

/// The checks that were made on pages of a client's hosts go with the client, which is being deleted: nothing links or runs
/// there any more.
pub async fn delete_of_client(tx: &mut TenantTx, client_id: Uuid) -> Result<()> {
    let (tenant_id, now) = (tx.tenant_id(), tx.now().await?);
    let checks = sqlx::query_scalar!(
        "SELECT check_id FROM checks WHERE tenant_id = $1 AND made_for_client = $2 FOR UPDATE",
        tenant_id,
        client_id
    )
    .fetch_all(tx.conn())
    .await?;
    // What they signalled last becomes no alert any more.
    sqlx::query!(
        "UPDATE signals SET done_at = $3, lease_token = NULL, lease_expires_at = NULL WHERE tenant_id = $1 AND check_id = ANY ($2) AND done_at IS NULL",
        tenant_id,
        &checks,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("DELETE FROM probes WHERE tenant_id = $1 AND check_id = ANY ($2)", tenant_id, &checks)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM check_states WHERE tenant_id = $1 AND check_id = ANY ($2)", tenant_id, &checks)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM run_neighbours WHERE tenant_id = $1 AND check_id = ANY ($2)", tenant_id, &checks)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM checks WHERE tenant_id = $1 AND check_id = ANY ($2)", tenant_id, &checks)
        .execute(tx.conn())
        .await?;
    Ok(())
}
