//! Breaks one service, and brings it back; for (f) its host is hands off before.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use store::auth::{self, Member};
use store::pages::hosts;
use store::remediate::hands_off::{self, Whose};
use store::{Store, TenantTx, logins};
use uuid::Uuid;

use super::victim::Files;
use super::{Fault, Victim, ctl, folder, volume};
use crate::config::Urls;
use crate::node::open_store;

/// How long (f)'s host is hands off.
const HANDS_OFF_HOURS: u8 = 1;
const POLL: Duration = Duration::from_millis(50);
/// From a start to the check that says so; shorter than a page may take.
const SEEN_LIMIT: Duration = Duration::from_secs(8);

/// `demo break NAME`, beside a demo that runs.
pub async fn by_command(victim: &Victim, demo: &Path) -> Result<()> {
    let note = folder::read_note(demo)?;
    let store = open_store(&Urls { tenant: note.tenant_url, system: note.system_url })?;
    let member = member(&store, note.login_id).await?;
    let Some(pid) = break_it(&store, &member, victim, &Files::of(demo, victim.host)).await? else {
        bail!("the service of {} does not run: it is broken already", victim.host);
    };
    if victim.is_hands_off() {
        println!("{} is hands off for an hour; release it on its page", victim.host);
    }
    println!("{} {pid}, the service of {}: {}", victim.fault.done(), victim.host, victim.story);
    store.close().await;
    Ok(())
}

/// Breaks its service and gives the pid that it had; none: it is broken already, and nothing is done.
pub async fn break_it(store: &Store, member: &Member, victim: &Victim, files: &Files) -> Result<Option<i32>> {
    let is_full = files.disk().is_some_and(|at| volume::is_full(&at));
    if files.living().is_none() || files.is_frozen() || is_full {
        return Ok(None);
    }
    if victim.is_hands_off() {
        let host = find_host(store, member, victim.host).await?;
        if !is_hands_off(store, member, host.1).await? {
            hands_off(store, member, host).await?;
        }
    }
    strike(victim.fault, files).map(Some)
}

/// Does to a service that runs what breaks it; the pid that it had.
pub fn strike(fault: Fault, files: &Files) -> Result<i32> {
    match fault {
        Fault::Killed => ctl::kill_hard(files),
        Fault::Frozen => ctl::freeze(files),
        Fault::Misconfigured => {
            files.break_settings()?;
            ctl::kill_hard(files)
        }
        Fault::Filled => {
            let pid = files.living().context("it does not run")?;
            volume::fill(&files.disk().context("it has no disk")?, pid)?;
            Ok(pid)
        }
    }
}

/// As it was at first: its service runs, and nobody's hands are off. What runs is left alone.
pub async fn reset(store: &Store, member: &Member, victim: &Victim, files: &Files) -> Result<()> {
    let host = find_host(store, member, victim.host).await?;
    if victim.fault == Fault::Misconfigured {
        files.write_settings()?;
    }
    if let Some(at) = files.disk() {
        // Whoever holds a deleted log lets go of it.
        volume::clean(&at)?;
        if volume::is_full(&at) {
            ctl::stop_by_command(files).await?;
        }
    }
    ctl::thaw(files)?;
    ctl::start_by_command(files).await?;
    if is_hands_off(store, member, host.1).await? {
        // A release before the check has seen the service would set the held fix going.
        drop(tokio::time::timeout(SEEN_LIMIT, until_ok(store, member, host.1)).await);
        release(store, member, host).await?;
    }
    Ok(())
}

async fn until_ok(store: &Store, member: &Member, host_id: Uuid) -> Result<()> {
    loop {
        let mut tx = store.begin(&member.scope).await?;
        let row = hosts::list(&mut tx, hosts::Of::Host(host_id), 1).await?.pop().context("the host is gone")?;
        drop(tx);
        if row.critical + row.warning + row.no_data == 0 {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Who acts in the demo, with the scope a session would have.
pub async fn member(store: &Store, login_id: Uuid) -> Result<Member> {
    auth::by_login(store, login_id).await?.context("the demo's member is gone")
}

/// The host of this name: its client and itself.
pub async fn find_host(store: &Store, member: &Member, name: &str) -> Result<(Uuid, Uuid)> {
    let mut tx = store.begin(&member.scope).await?;
    let rows = hosts::list(&mut tx, hosts::Of::All, 100).await?;
    let row = rows.iter().find(|row| row.name == name).with_context(|| format!("no host {name}"))?;
    Ok((row.client_id, row.host_id))
}

async fn is_hands_off(store: &Store, member: &Member, host_id: Uuid) -> Result<bool> {
    let mut tx = store.begin(&member.scope).await?;
    let now = tx.now().await?;
    let all = hosts::list_hands_off(&mut tx, now).await?;
    let host = host_id.to_string();
    Ok(all.iter().any(|off| off.scope_kind == "host" && off.scope_key == host && off.ended_at.is_none()))
}

/// Hands off for an hour, as the host's page does it.
pub async fn hands_off(store: &Store, member: &Member, (client_id, host_id): (Uuid, Uuid)) -> Result<()> {
    let mut tx = store.begin(&member.scope).await?;
    let by = name(&mut tx, member).await?;
    hands_off::insert(&mut tx, Whose::Host { client_id, host_id }, HANDS_OFF_HOURS, "somebody works on this host", &by)
        .await?;
    Ok(tx.commit().await?)
}

/// Release, as the host's page does it.
pub async fn release(store: &Store, member: &Member, (client_id, host_id): (Uuid, Uuid)) -> Result<()> {
    let mut tx = store.begin(&member.scope).await?;
    let by = name(&mut tx, member).await?;
    hands_off::release(&mut tx, Whose::Host { client_id, host_id }, &by).await?;
    Ok(tx.commit().await?)
}

/// As a page would name them.
async fn name(tx: &mut TenantTx, member: &Member) -> Result<String> {
    let seat = logins::find_seat(tx, member.login_id).await?;
    Ok(seat.map_or_else(|| tx.actor().to_owned(), |seat| seat.member))
}
