//! Plans as the operator keeps them, and what an organization's plan lets go.

use domain::quota::Plan;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::auth::OperatorTx;
use crate::error::exactly_one;
use crate::{Result, Store};

fn stored(n: Option<u32>) -> Option<i32> {
    n.map(|n| i32::try_from(n).unwrap_or(i32::MAX))
}

fn number(n: Option<i32>) -> Option<u32> {
    n.map(|n| u32::try_from(n).unwrap_or(0))
}

/// All plans, by name.
pub async fn list(operator: &mut OperatorTx) -> Result<Vec<Plan>> {
    list_in(operator.conn()).await
}

pub(crate) async fn list_in(conn: &mut PgConnection) -> Result<Vec<Plan>> {
    let rows = sqlx::query!(
        "SELECT plan, max_hosts, max_checks, max_members, keep_days, max_reports FROM plans ORDER BY plan"
    )
    .fetch_all(conn)
    .await?;
    let plan = rows.into_iter().map(|r| Plan {
        name: r.plan,
        max_hosts: number(r.max_hosts),
        max_checks: number(r.max_checks),
        max_members: number(r.max_members),
        keep_days: number(r.keep_days),
        max_reports: number(r.max_reports),
    });
    Ok(plan.collect())
}

/// Makes a plan, or gives it other numbers: for every organization that has it.
pub async fn save(operator: &mut OperatorTx, plan: &Plan) -> Result<()> {
    sqlx::query!(
        "INSERT INTO plans (plan, max_hosts, max_checks, max_members, keep_days, max_reports) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (plan) DO UPDATE SET max_hosts = $2, max_checks = $3, max_members = $4, keep_days = $5, max_reports = $6",
        plan.name,
        stored(plan.max_hosts),
        stored(plan.max_checks),
        stored(plan.max_members),
        stored(plan.keep_days),
        stored(plan.max_reports)
    )
    .execute(operator.conn())
    .await?;
    Ok(())
}

/// Gives an organization a plan; the one that it had. None: there is no such plan.
pub async fn give(operator: &mut OperatorTx, tenant_id: Uuid, plan: &str) -> Result<Option<String>> {
    let known = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM plans WHERE plan = $1) AS "is!""#, plan)
        .fetch_one(operator.conn())
        .await?;
    if !known {
        return Ok(None);
    }
    let was = set_in(operator.conn(), tenant_id, plan).await?;
    exactly_one("plans::give", u64::from(was.is_some()))?;
    Ok(was)
}

/// Gives an organization a plan; the one that it had. None: there is no such organization.
pub(crate) async fn set_in(conn: &mut PgConnection, tenant_id: Uuid, plan: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE tenants t SET plan = $2 FROM (SELECT tenant_id, plan FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE) o
           WHERE t.tenant_id = $1 AND t.tenant_id = o.tenant_id RETURNING o.plan AS "plan!""#,
        tenant_id,
        plan
    )
    .fetch_optional(conn)
    .await?)
}

/// Deletes what each organization's plan does not keep any longer, a day at a time. Says how many rows went; what fails is
/// tried at the next pass.
pub async fn trim(store: &Store) -> Result<u64> {
    let mut tx = store.system().await?;
    let tenants = sqlx::query_scalar!(
        "SELECT t.tenant_id FROM tenants t JOIN plans p ON p.plan = t.plan WHERE p.keep_days IS NOT NULL ORDER BY t.tenant_id"
    )
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    let (mut gone, mut failed) = (0, None);
    for tenant_id in tenants {
        loop {
            match trim_day(store, tenant_id).await {
                Ok(0) => break,
                Ok(rows) => gone += rows,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
    }
    failed.map_or(Ok(gone), Err)
}

async fn trim_day(store: &Store, tenant_id: Uuid) -> Result<u64> {
    let mut tx = store.system().await?;
    let today = tx.now().await?.to_zoned(jiff::tz::TimeZone::UTC).date();
    let rows = sqlx::query_scalar!(r#"SELECT maintenance.prune($1, $2) AS "rows!""#, tenant_id, today.to_sqlx() as _)
        .fetch_one(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(rows.unsigned_abs())
}
