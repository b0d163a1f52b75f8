//! `mendwright guardrails breakers` and `close-breaker`: what went badly, and a person who has looked at it.

use anyhow::{Result, bail};
use store::Store;
use store::auth::OperatorTx;
use store::remediate::breakers;

use crate::cli::OwnerArgs;
use crate::config::Urls;
use crate::node::open_store;

/// Prints those that are not closed.
pub async fn list(at: OwnerArgs) -> Result<()> {
    let owner = at.url()?;
    let store = open_store(&Urls { tenant: owner.clone(), system: owner.clone() })?;
    let mut any = false;
    for tenant_id in OperatorTx::begin(&store, &owner).await?.list_tenants().await? {
        let mut tx = OperatorTx::begin(&store, &owner).await?.into_tenant(tenant_id).await?;
        for row in breakers::list_not_closed(&mut tx).await? {
            any = true;
            let (breaker, key) = (&row.breaker, &row.key);
            let (word, since) = (breaker.state.word(), breaker.changed_at);
            println!("{}:{key}\n  {word} since {since}: stops {}", breaker.scope.word(), breaker.scope.label());
        }
    }
    if !any {
        println!("Every breaker is closed.");
    }
    Ok(())
}

/// Closes one.
pub async fn close(at: OwnerArgs, breaker: &str, reason: &str) -> Result<()> {
    let owner = at.url()?;
    let store = open_store(&Urls { tenant: owner.clone(), system: owner.clone() })?;
    close_in(&store, &owner, breaker, reason).await?;
    println!("Closed. What it held is decided anew.");
    Ok(())
}

/// Closes `scope:key`, under the lock of its scope's bucket, with an audit entry; what it held is due.
pub async fn close_in(store: &Store, owner_url: &str, breaker: &str, reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        bail!("--reason is empty: say what was found");
    }
    for tenant_id in OperatorTx::begin(store, owner_url).await?.list_tenants().await? {
        let mut tx = OperatorTx::begin(store, owner_url).await?.into_tenant(tenant_id).await?;
        let all = breakers::list_not_closed(&mut tx).await?;
        let named = |row: &&breakers::Row| format!("{}:{}", row.breaker.scope.word(), row.key) == breaker;
        let Some(row) = all.iter().find(named) else { continue };
        breakers::close(&mut tx, row.breaker.scope, &row.key, reason).await?;
        tx.commit().await?;
        return Ok(());
    }
    bail!("no breaker {breaker} is open; `mendwright guardrails breakers` lists them")
}
