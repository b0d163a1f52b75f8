//! Breaks one service; for (f) its host is hands off before.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use store::auth::{self, Member};
use store::pages::hosts;
use store::remediate::hands_off;
use store::{Store, TenantTx, logins};
use uuid::Uuid;

use super::victim::Files;
use super::{Victim, ctl, folder};
use crate::config::Urls;
use crate::node::open_store;

/// How long (f)'s host is hands off.
const HANDS_OFF_HOURS: u8 = 1;

/// `demo break NAME`, beside a demo that runs.
pub async fn by_command(victim: &Victim, demo: &Path) -> Result<()> {
    let note = folder::read_note(demo)?;
    let store = open_store(&Urls { tenant: note.tenant_url, system: note.system_url })?;
    let member = member(&store, note.login_id).await?;
    let files = Files::new(&demo.join(victim.host).join("service"));
    ensure!(files.living().is_some(), "the service of {} does not run: it is broken already", victim.host);
    if victim.name == "f" {
        let host = find_host(&store, &member, victim.host).await?;
        hands_off(&store, &member, host).await?;
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

/// The host of this name: its client and itself.
pub async fn find_host(store: &Store, member: &Member, name: &str) -> Result<(Uuid, Uuid)> {
    let mut tx = store.begin(&member.scope).await?;
    let rows = hosts::list(&mut tx, None, 100).await?;
    let row = rows.iter().find(|row| row.name == name).with_context(|| format!("no host {name}"))?;
    Ok((row.client_id, row.host_id))
}

/// Hands off for an hour, as the host's page does it.
pub async fn hands_off(store: &Store, member: &Member, (client_id, host_id): (Uuid, Uuid)) -> Result<()> {
    let mut tx = store.begin(&member.scope).await?;
    let by = name(&mut tx, member).await?;
    hands_off::insert_on_host(&mut tx, client_id, host_id, HANDS_OFF_HOURS, "somebody works on this host", &by).await?;
    Ok(tx.commit().await?)
}

/// Release, as the host's page does it.
pub async fn release(store: &Store, member: &Member, (client_id, host_id): (Uuid, Uuid)) -> Result<()> {
    let mut tx = store.begin(&member.scope).await?;
    let by = name(&mut tx, member).await?;
    hands_off::release_host(&mut tx, client_id, host_id, &by).await?;
    Ok(tx.commit().await?)
}

/// As a page would name them.
async fn name(tx: &mut TenantTx, member: &Member) -> Result<String> {
    let seat = logins::find_seat(tx, member.login_id).await?;
    Ok(seat.map_or_else(|| tx.actor().to_owned(), |seat| seat.member))
}
