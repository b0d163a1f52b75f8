//! `mendwright guardrails clock-reset`: the operator has looked at the database's clock; admissions go on.

use anyhow::{Context as _, Result};
use serde_json::json;
use store::Store;
use store::audit::{self, Entry};
use store::auth::OperatorTx;
use store::remediate::{guardrails, runs};

use crate::cli::OwnerArgs;
use crate::config::Urls;
use crate::node::open_store;

/// What it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// How far the clock had jumped, if it was seen to.
    pub jumped_secs: Option<i64>,
    /// Buckets that waited for a time the clock had only jumped to.
    pub buckets: u64,
    /// Tenants, each with an entry in its audit.
    pub tenants: usize,
}

/// Runs it.
pub async fn run(args: OwnerArgs) -> Result<()> {
    let owner = args.url()?;
    let store = open_store(&Urls { tenant: owner.clone(), system: owner.clone() })?;
    let done = reset(&store, &owner).await?;
    match done.jumped_secs {
        Some(secs) => println!("The clock had jumped {secs} s forward; runs are admitted again."),
        None => println!("The clock was not seen to jump; nothing was frozen by it."),
    }
    println!("{} buckets of {} tenants wait for no later time any more.", done.buckets, done.tenants);
    Ok(())
}

/// First the platform's mark, then each tenant with its audit entry; a run that is held is decided anew.
pub async fn reset(store: &Store, owner_url: &str) -> Result<Done> {
    let mut operator = OperatorTx::begin(store, owner_url).await.context("the database cannot be reached")?;
    let tenants = operator.list_tenants().await?;
    let jumped_secs = operator.clear_clock_jump().await?.map(|by| by.as_secs());
    operator.commit().await?;
    let mut done = Done { jumped_secs, buckets: 0, tenants: tenants.len() };
    for tenant_id in tenants {
        let mut tx = OperatorTx::begin(store, owner_url).await?.into_tenant(tenant_id).await?;
        let buckets = guardrails::reset_clock(&mut tx).await?;
        let detail = json!({ "jumped_secs": jumped_secs, "buckets": buckets });
        let entry = Entry::done("guardrails.clock_reset", ("tenant", tenant_id)).with(detail);
        audit::insert(&mut tx, None, entry).await?;
        runs::make_held_due(&mut tx, None).await?;
        tx.commit().await?;
        done.buckets += buckets;
    }
    Ok(done)
}
