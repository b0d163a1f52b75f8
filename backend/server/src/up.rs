//! `mendwright up`: a whole installation in one folder, its own PostgreSQL included.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use embedded::Cluster;
use store::{Store, migrate};

use crate::config::{DataFolder, NodeConfig, Urls};
use crate::keystore::Keystore;
use crate::node::{Node, open_store};
use crate::seed::{self, Seed, Seeded, SeededHost};

pub(crate) const DATABASE: &str = "mendwright";
/// PostgreSQL's fast shutdown writes everything out; a large one takes its time.
pub(crate) const CLUSTER_STOP_LIMIT: Duration = Duration::from_secs(60);

/// What to bring up.
pub struct Options {
    /// The folder of everything.
    pub data: PathBuf,
    /// The node in it.
    pub node: NodeConfig,
    /// What to fill an empty database with.
    pub seed: Option<Seed>,
    /// Whether a crash of the machine may lose what was written; for demos.
    pub durable: bool,
}

/// An installation that is up.
pub struct Installation {
    /// What the seed made.
    pub seeded: Option<Seeded>,
    /// The rows.
    pub store: Store,
    /// The server.
    pub node: Node,
    /// SHA-256 of the authority's certificate: what agents pin.
    pub authority: String,
    /// Where its files are.
    pub folder: DataFolder,
    urls: Urls,
    owner_url: String,
    cluster: Cluster,
}

impl Installation {
    /// Brings it up: keys, cluster, roles, migrations, seed, server. `more` are routes that only some
    /// commands have.
    pub async fn start(options: Options, more: Vec<web::Route>) -> Result<Installation> {
        options.node.check()?;
        let folder = DataFolder::claim(&options.data)?;
        let keystore = Keystore::open(&folder.keys())?;
        let cluster = start_cluster(&folder, options.durable).await?;
        prepare(&cluster).await?;
        let owner_url = cluster.url("app_owner", DATABASE);
        let urls = Urls { tenant: cluster.url("app_login", DATABASE), system: cluster.url("app_system", DATABASE) };
        let store = open_store(&urls)?;
        let seeded = match options.seed {
            Some(seed) => Some(seed::apply(&store, &owner_url, &keystore.master, seed).await?),
            None => None,
        };
        let node = Node::start(&options.node, &store, &keystore, more).await?;
        let authority = keystore.authority.fingerprint().to_string();
        Ok(Installation { seeded, store, node, authority, folder, urls, owner_url, cluster })
    }

    /// Ends it in order: loops and routes, then the pools, then the cluster.
    pub async fn stop(self) -> Result<()> {
        self.node.stop().await;
        self.store.close().await;
        let cluster = self.cluster;
        tokio::task::spawn_blocking(move || cluster.stop(CLUSTER_STOP_LIMIT)).await??;
        Ok(())
    }

    /// Where its rows are.
    pub fn urls(&self) -> Urls {
        self.urls.clone()
    }

    /// The operator's login: on the server's own machine only.
    pub fn owner_url(&self) -> String {
        self.owner_url.clone()
    }

    /// The command that enrols a host with `token`.
    pub fn enrol_command(&self, token: &str) -> String {
        enrol_command(&self.node.public_url, token, &self.authority)
    }
}

/// How an agent on this machine reaches `node` with TLS: also where browsers may do without.
pub fn enrol_server(node: &Node) -> String {
    node.public_url.replacen("http://", "https://", 1)
}

/// The command that enrols a host.
pub fn enrol_command(public_url: &str, token: &str, authority: &str) -> String {
    let pin = if public_url.starts_with("https://") { format!(" --authority {authority}") } else { String::new() };
    format!("mendwright-agent enroll --server {public_url} --token {token} --profile low-risk{pin}")
}

/// The operator's login to the database of the installation in `folder`, which is up.
pub fn owner_url(folder: &DataFolder) -> String {
    embedded::url(&folder.cluster(), "app_owner", DATABASE)
}

/// Prints a command for each planned host.
pub fn print_enrolments(hosts: &[SeededHost], public_url: &str, authority: &str) {
    if hosts.is_empty() {
        return;
    }
    println!("Enrol the hosts with these commands; each works once, within 72 hours, and is not shown again:");
    for host in hosts {
        println!("  # {} · {}", host.client, host.host);
        println!("  {}", enrol_command(public_url, host.token.reveal(), authority));
    }
}

/// Makes roles and tables of a cluster that runs.
pub(crate) async fn prepare(cluster: &Cluster) -> Result<()> {
    migrate::prepare_cluster(&cluster.url(embedded::SUPERUSER, "postgres"), DATABASE).await?;
    Ok(migrate::migrate(&cluster.url("app_owner", DATABASE)).await?)
}

pub(crate) async fn start_cluster(folder: &DataFolder, durable: bool) -> Result<Cluster> {
    let mut options = embedded::Options::new(folder.cluster());
    if !durable {
        options = options.without_fsync();
    }
    tokio::task::spawn_blocking(move || Cluster::start(&options))
        .await?
        .context("the embedded PostgreSQL did not start")
}
