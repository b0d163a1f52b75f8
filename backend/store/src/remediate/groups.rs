//! Table `service_groups`: a client's hosts, or services of them, that stand in for each other. Written under the lock of
//! the organization's bucket, which each admission takes first.

use std::collections::BTreeMap;

use domain::remediate::group::ServiceGroup;
use serde_json::Value;
use uuid::Uuid;

use super::runs;
use crate::error::exactly_one;
use crate::{Result, Store, StoreError, TenantTx};

/// The most groups of a client that a page shows, and that are declared there.
pub const MOST: usize = 50;

/// A group with its name.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id, which is its bucket's key.
    pub group_id: Uuid,
    /// Its client.
    pub client_id: Uuid,
    /// Its name, once at the client.
    pub name: String,
    /// What it is.
    pub group: ServiceGroup,
}

/// All of the organization, by client and name.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Row>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT group_id, client_id, name, tags, targets, active FROM service_groups WHERE tenant_id = $1
         ORDER BY client_id, name",
        tenant_id
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let group = read(row.group_id, row.tags, row.targets, row.active)?;
            Ok(Row { group_id: row.group_id, client_id: row.client_id, name: row.name, group })
        })
        .collect()
}

/// The groups that a client's host is in, or with no host all of the client, that hold.
pub async fn list_over(tx: &mut TenantTx, client_id: Uuid, host_id: Option<Uuid>) -> Result<Vec<Uuid>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_scalar!(
        "SELECT g.group_id FROM service_groups g WHERE g.tenant_id = $1 AND g.client_id = $2 AND g.active
           AND ($3::uuid IS NULL OR EXISTS (SELECT 1 FROM hosts h WHERE h.tenant_id = $1 AND h.host_id = $3 AND h.tags @> g.tags))
         ORDER BY g.name",
        tenant_id,
        client_id,
        host_id
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The groups that hold over runs, by run.
pub async fn of_runs(tx: &mut TenantTx, run_ids: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Uuid>>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT r.run_id, g.group_id FROM runs r JOIN hosts h ON h.tenant_id = $1 AND h.host_id = r.host_id
           JOIN service_groups g ON g.tenant_id = $1 AND g.client_id = r.client_id
         WHERE r.tenant_id = $1 AND r.run_id = ANY ($2) AND g.active AND h.tags @> g.tags
           AND (g.targets = '{}' OR r.target = ANY (g.targets))",
        tenant_id,
        run_ids
    )
    .fetch_all(tx.conn())
    .await?;
    let mut of_runs: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for row in rows {
        of_runs.entry(row.run_id).or_default().push(row.group_id);
    }
    Ok(of_runs)
}

/// A client's group, with who is in it and who is being fixed.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The group.
    pub row: Row,
    /// Its hosts that are not retired.
    pub hosts: u32,
    /// Those of them with a fix that is not verified yet, by name: each holds a place of the group.
    pub fixing: Vec<(Uuid, String)>,
}

/// A client's groups: those that hold first, by name.
pub async fn list_standing(tx: &mut TenantTx, client_id: Uuid) -> Result<Vec<Standing>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"SELECT g.group_id, g.name, g.tags, g.targets, g.active,
             (SELECT count(*) FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = $2 AND h.state <> 'retired'
                AND h.tags @> g.tags) AS "hosts!"
           FROM service_groups g WHERE g.tenant_id = $1 AND g.client_id = $2
           ORDER BY NOT g.active, lower(g.name), g.group_id LIMIT $3"#,
        tenant_id,
        client_id,
        MOST as i64
    )
    .fetch_all(tx.conn())
    .await?;
    let keys: Vec<String> = rows.iter().filter(|row| row.active).map(|row| row.group_id.to_string()).collect();
    let fixing = if keys.is_empty() { Vec::new() } else { list_fixing(tx, &keys).await? };
    rows.into_iter()
        .map(|row| {
            let group = read(row.group_id, row.tags, row.targets, row.active)?;
            let of_group = fixing.iter().filter(|(key, _)| *key == row.group_id.to_string());
            Ok(Standing {
                row: Row { group_id: row.group_id, client_id, name: row.name, group },
                hosts: u32::try_from(row.hosts).unwrap_or(u32::MAX),
                fixing: of_group.map(|(_, host)| host.clone()).collect(),
            })
        })
        .collect()
}

/// The hosts that hold a place in these buckets, with the bucket's key.
async fn list_fixing(tx: &mut TenantTx, keys: &[String]) -> Result<Vec<(String, (Uuid, String))>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "SELECT a.scope_key, h.host_id, h.name FROM guardrail_admissions a
           JOIN runs r ON r.tenant_id = $1 AND r.run_id = a.run_id
           JOIN hosts h ON h.tenant_id = $1 AND h.host_id = r.host_id
         WHERE a.tenant_id = $1 AND a.scope_kind = 'service_group' AND a.scope_key = ANY ($2)
           AND a.released_at IS NULL AND a.flight_no IS NOT NULL
         ORDER BY h.name, h.host_id",
        tenant_id,
        keys
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.scope_key, (row.host_id, row.name))).collect())
}

fn read(group_id: Uuid, tags: Value, targets: Vec<String>, active: bool) -> Result<ServiceGroup> {
    let corrupt = StoreError::Corrupt { table: "service_groups", column: "tags", id: group_id };
    Ok(ServiceGroup { tags: serde_json::from_value(tags).map_err(|_| corrupt)?, targets, active })
}

/// What a group's bucket is about: its name, and how many hosts are members.
pub async fn find_size(tx: &mut TenantTx, group_id: Uuid) -> Result<Option<(String, u32)>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        r#"SELECT g.name, (SELECT count(*) FROM hosts h WHERE h.tenant_id = $1 AND h.client_id = g.client_id AND h.state <> 'retired'
             AND h.tags @> g.tags) AS "hosts!" FROM service_groups g WHERE g.tenant_id = $1 AND g.group_id = $2"#,
        tenant_id,
        group_id
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.name, u32::try_from(row.hosts).unwrap_or(u32::MAX))))
}

/// Declares a group; its id.
pub async fn insert(tx: &mut TenantTx, client_id: Uuid, name: &str, group: &ServiceGroup) -> Result<Uuid> {
    let (tenant_id, id) = (tx.tenant_id(), Store::new_id());
    sqlx::query!(
        "INSERT INTO service_groups (tenant_id, client_id, group_id, name, tags, targets, active) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        client_id,
        id,
        name,
        tags(group),
        &group.targets,
        group.active
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Declares it otherwise; held runs are decided anew.
pub async fn update(tx: &mut TenantTx, group_id: Uuid, group: &ServiceGroup) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let done = sqlx::query!(
        "UPDATE service_groups SET tags = $3, targets = $4, active = $5 WHERE tenant_id = $1 AND group_id = $2",
        tenant_id,
        group_id,
        tags(group),
        &group.targets,
        group.active
    )
    .execute(tx.conn())
    .await?;
    exactly_one("groups::update", done.rows_affected())?;
    runs::make_held_due(tx, None).await?;
    Ok(())
}

fn tags(group: &ServiceGroup) -> Value {
    group.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// A group as it stands.
pub async fn find(tx: &mut TenantTx, group_id: Uuid) -> Result<Option<ServiceGroup>> {
    Ok(list(tx).await?.into_iter().find(|row| row.group_id == group_id).map(|row| row.group))
}
