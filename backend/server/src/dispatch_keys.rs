//! The keys that sign envelopes: opened, succeeded by the operator's command, and looked for by every node while it runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use gateway::{DispatchKey, DispatchKeys};
use keys::SigningKey;
use keys::seal::MasterKey;
use keys::succession::{self, Certificate, Pin};
use store::Store;
use store::auth::{OperatorTx, Rotated};
use store::server_keys::{self, Kind, ServerKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli::Rows;
use crate::configure::Opened;
use crate::keystore;
use crate::random::rng;

/// A node looks this often for a newer key.
const LOOK: Duration = Duration::from_secs(5);

/// The keys that sign envelopes, the first of them made by the first node that asks.
pub async fn load(store: &Store, master: &MasterKey) -> Result<DispatchKeys> {
    open_all(master, &keystore::rows(store, master, Kind::Dispatch).await?)
}

/// Opens every version, and follows them from the first as a host does: what no host would follow is not served.
fn open_all(master: &MasterKey, rows: &[ServerKey]) -> Result<DispatchKeys> {
    let (mut keys, mut chain) = (Vec::with_capacity(rows.len()), Vec::new());
    for (row, version) in rows.iter().zip(1..) {
        ensure!(row.version == version, "version {version} of the dispatch key is missing");
        let key = keystore::open_row(master, Kind::Dispatch, row)?;
        let certificate = row
            .certificate
            .clone()
            .zip(row.certificate_signature.clone())
            .map(|(body, signature)| Certificate { body, signature });
        chain.extend(certificate.clone());
        keys.push(DispatchKey { key, certificate });
    }
    let (first, last) = keys.first().zip(keys.last()).context("there is no dispatch key")?;
    let begins = Pin { version: 1, key: first.key.public() };
    let ends = Pin { version: u32::try_from(keys.len())?, key: last.key.public() };
    let followed = succession::follow(begins, &chain).context("the dispatch keys do not follow each other")?;
    ensure!(followed == ends, "the dispatch keys do not follow each other");
    DispatchKeys::new(keys).context("there is no dispatch key")
}

/// `keys rotate-dispatch`
pub async fn run(rows: Rows) -> Result<()> {
    let opened = Opened::open(rows).await?;
    let done = rotate(&opened.store, &opened.owner_url, &opened.keystore.master).await;
    opened.close().await?;
    let (version, done) = done?;
    println!("The dispatch key has version {version} now; the audits of {} tenants say so.", done.tenants);
    println!("{} hosts hold an older one, and follow when they are linked.", done.hosts);
    Ok(())
}

/// Makes the next version, certified by the newest there is.
pub async fn rotate(store: &Store, owner_url: &str, master: &MasterKey) -> Result<(u32, Rotated)> {
    let rows = server_keys::list(store, Kind::Dispatch).await.context("the database cannot be reached")?;
    let Some(newest) = rows.last() else { bail!("there is no dispatch key yet: a server's first start makes it") };
    let row_version = newest.version.checked_add(1).context("no version comes after the newest")?;
    let keys = open_all(master, &rows)?;
    let (version, old) = keys.newest();
    let key = SigningKey::generate(&mut rng());
    let certificate = Certificate::issue(old, version, &key.public())?;
    let row = keystore::seal_row(master, Kind::Dispatch, row_version, &key, Some(certificate));
    let operator = OperatorTx::begin(store, owner_url).await.context("the database cannot be reached")?;
    match operator.insert_server_key(Kind::Dispatch, &row).await {
        Ok(done) => Ok((version + 1, done)),
        Err(error) if error.conflict() == Some("server_keys_pkey") => {
            bail!("another rotation has made version {row_version} meanwhile")
        }
        Err(error) => Err(error.into()),
    }
}

/// Looks for newer keys, until cancelled. What cannot be read or followed is logged, and the keys stay as they were.
pub(crate) async fn watch(
    store: Store,
    master: Arc<MasterKey>,
    keys: watch::Sender<DispatchKeys>,
    cancel: CancellationToken,
) {
    let mut beat = tokio::time::interval(LOOK);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = beat.tick() => {}
        }
        if let Err(error) = look(&store, &master, &keys).await {
            tracing::warn!("newer dispatch keys could not be looked for: {error:#}");
        }
    }
}

/// One look.
pub async fn look(store: &Store, master: &MasterKey, keys: &watch::Sender<DispatchKeys>) -> Result<()> {
    let rows = server_keys::list(store, Kind::Dispatch).await?;
    let (known, _) = keys.borrow().newest();
    if u32::try_from(rows.len())? <= known {
        return Ok(());
    }
    let newer = open_all(master, &rows)?;
    tracing::info!(version = newer.newest().0, "the dispatch key was succeeded");
    keys.send_replace(newer);
    Ok(())
}
