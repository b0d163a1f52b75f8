//! Breaks one service; for (f) its host is hands off before.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use store::Store;
use store::auth::{self, Member};
use store::pages::hosts;
use uuid::Uuid;

use super::victim::Files;
use super::{Victim, ctl, folder};
use crate::config::Urls;
use crate::node::open_store;

/// How long (f)'s host is hands off.
pub const HANDS_OFF: Duration = Duration::from_secs(3600);

/// `demo break NAME`, beside a demo that runs.
pub async fn by_command(victim: &Victim, demo: &Path) -> Result<()> {
    let note = folder::read_note(demo)?;
    let store = open_store(&Urls { tenant: note.tenant_url, system: note.system_url })?;
    let member = member(&store, note.login_id).await?;
    let files = Files::new(&demo.join(victim.host).join("service"));
    ensure!(files.living().is_some(), "the service of {} does not run: it is broken already", victim.host);
    if victim.name == "f" {
        let host_id = host_id(&store, &member, victim.host).await?;
        hands_off(&store, &member, host_id).await?;
        println!("{} is hands off for an hour; release it on its page", victim.host);
    }
    let pid = ctl::kill_hard(&files)?;
    println!("killed {pid}, the service of {}: {}", victim.host, victim.story);
    store.close().await;
    Ok(())
}

/// Who acts in the demo, with the scope a session would have.
pub async fn member(store: &Store, login_id: Uuid) -> Result<Member> {
    auth::by_login(store, login_id).await?.context("the demo's member is gone")
}

/// The host of this name.
pub async fn host_id(store: &Store, member: &Member, name: &str) -> Result<Uuid> {
    let mut tx = store.begin(&member.scope).await?;
    let rows = hosts::list(&mut tx, None, 100).await?;
    rows.iter().find(|row| row.name == name).map(|row| row.host_id).with_context(|| format!("no host {name}"))
}

/// Hands off, as the host's page does it.
pub async fn hands_off(store: &Store, member: &Member, host_id: Uuid) -> Result<()> {
    let _ = (store, member, host_id, HANDS_OFF);
    anyhow::bail!("hands off is not wired yet")
}

/// Release, as the host's page does it.
pub async fn release(store: &Store, member: &Member, host_id: Uuid) -> Result<()> {
    let _ = (store, member, host_id);
    anyhow::bail!("release is not wired yet")
}
