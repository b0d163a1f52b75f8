//! `mendwright apply` and `mendwright export`: the operator on the server's own machine.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use embedded::Cluster;
use keys::seal::MasterKey;
use store::Store;

use crate::cli;
use crate::config::{self, DataFolder, Urls};
use crate::keystore::Keystore;
use crate::node::open_store;
use crate::seed::{self, Access, Draft, Intent, Options, Seeded};
use crate::up::{self, CLUSTER_STOP_LIMIT, DATABASE, prepare, print_enrolments, start_cluster};

/// With `--plan`: something differs.
const DIFFERS: u8 = 2;

/// Rows within reach.
pub(crate) struct Opened {
    pub store: Store,
    pub owner_url: String,
    pub keystore: Keystore,
    /// Started for this command alone.
    cluster: Option<Cluster>,
}

impl Opened {
    pub async fn open(rows: cli::Rows) -> Result<Opened> {
        let (keystore, cluster, owner_url) = match (rows.database_owner_url, rows.keys) {
            (Some(url), Some(keys)) => {
                ensure!(keys.is_dir(), "there are no keys in {}", keys.display());
                (Keystore::open(&keys)?, None, url)
            }
            _ => of_folder(&rows.data.unwrap_or_else(|| config::default_data(crate::env))).await?,
        };
        // The operator's door is the owner's login alone; the store lends its clock.
        let store = open_store(&Urls { tenant: owner_url.clone(), system: owner_url.clone() })?;
        Ok(Opened { store, owner_url, keystore, cluster })
    }

    fn master(&self) -> &MasterKey {
        &self.keystore.master
    }

    pub async fn close(self) -> Result<()> {
        self.store.close().await;
        if let Some(cluster) = self.cluster {
            tokio::task::spawn_blocking(move || cluster.stop(CLUSTER_STOP_LIMIT)).await??;
        }
        Ok(())
    }
}

/// An installation's folder; its cluster is started where no server runs on it.
async fn of_folder(data: &Path) -> Result<(Keystore, Option<Cluster>, String)> {
    let cluster = data.join("cluster");
    ensure!(cluster.is_dir(), "there is no installation in {} (say --data, or --database-owner-url)", data.display());
    let folder = DataFolder::claim(data)?;
    let keystore = Keystore::open(&folder.keys())?;
    if embedded::is_running(&folder.cluster()) {
        let url = up::owner_url(&folder);
        return Ok((keystore, None, url));
    }
    let cluster = start_cluster(&folder, true).await?;
    prepare(&cluster).await?;
    let url = cluster.url("app_owner", DATABASE);
    Ok((keystore, Some(cluster), url))
}

/// `apply`
pub async fn apply(args: cli::Apply) -> Result<ExitCode> {
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let draft = Draft::read(&args.file, &text);
    let intent = if args.plan { Intent::Plan } else { Intent::Apply };
    let options = Options { tenant: args.tenant, new_tenant: args.new_tenant, by: args.by, intent };
    let opened = Opened::open(args.rows).await?;
    let access = Access { store: &opened.store, owner_url: &opened.owner_url, master: opened.master() };
    let done = seed::configure(access, &draft, &crate::env, &options).await;
    let authority = opened.keystore.authority.fingerprint().to_string();
    opened.close().await?;
    let seeded = done?;
    println!("{}", seeded.report);
    match intent {
        Intent::Plan if seeded.report.is_empty() => Ok(ExitCode::SUCCESS),
        Intent::Plan => Ok(ExitCode::from(DIFFERS)),
        Intent::Apply => {
            enrolments(&seeded, args.public_url.as_deref(), &authority);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn enrolments(seeded: &Seeded, public_url: Option<&str>, authority: &str) {
    let url = public_url.map_or("https://THIS-SERVER", |url| url.trim_end_matches('/'));
    print_enrolments(&seeded.hosts, url, authority);
}

/// `export`
pub async fn export(args: cli::Export) -> Result<ExitCode> {
    let opened = Opened::open(args.rows).await?;
    let done = seed::export(&opened.store, &opened.owner_url, args.tenant.as_deref()).await;
    opened.close().await?;
    print!("{}", done?);
    Ok(ExitCode::SUCCESS)
}
