//! One server process over a migrated database: routes, loops, heartbeat, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use engine::lease::Stage;
use engine::letters::Letters;
use engine::notify::{Notify, Own};
use engine::probes::Probes;
use gateway::{Gateway, GatewayConfig};
use mail::Mailer;
use probe::{Connector, Egress, Names};
use store::{Clock, Store, StoreConfig, nodes};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{NodeConfig, Transport, Urls, url_host};
use crate::keystore::Keystore;
use crate::listen::{self, Limits, tls_config};
use crate::{clock, dispatch_keys, random, upkeep};

/// A node says this often that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A node looks this often whether much goes wrong on the whole platform.
const PLATFORM: Duration = Duration::from_secs(15);
/// What is still answering after this is cut off.
const STOP_LIMIT: Duration = Duration::from_secs(10);
const TENANT_CONNECTIONS: u32 = 20;
/// Tenants whose probes are made at the same time.
const PROBE_LOOPS: usize = 4;

/// Opens the store on `urls`.
pub fn open_store(urls: &Urls) -> Result<Store> {
    let config = StoreConfig {
        tenant_url: urls.tenant.clone(),
        system_url: urls.system.clone(),
        tenant_connections: TENANT_CONNECTIONS,
        clock: Clock::Database,
    };
    let store = Store::connect(&config).context("a database URL cannot be read")?;
    Ok(store.watching_clock(clock::since_boot()))
}

/// Something that runs until the node stops, and its name.
type Task = (&'static str, JoinHandle<()>);

/// A running node.
pub struct Node {
    /// Where it listens.
    pub addr: SocketAddr,
    /// How people and agents reach it.
    pub public_url: String,
    /// Its id; new at each start.
    pub node_id: Uuid,
    cancel: CancellationToken,
    tasks: Vec<Task>,
}

impl Node {
    /// Starts to serve. `more` are routes that only some commands have.
    ///
    /// # Errors
    /// The database cannot be used or is signed into by too strong a login, or the address is taken.
    pub async fn start(config: &NodeConfig, store: &Store, keystore: &Keystore, more: Vec<web::Route>) -> Result<Node> {
        config.check()?;
        store.refuse_unsafe_login().await?;
        store::migrate::ensure_days(store).await.context("is the database migrated? (mendwright migrate)")?;
        let (newer_keys, known_keys) = watch::channel(dispatch_keys::load(store, &keystore.master).await?);
        let audit = engine::audit::Audit { key: keystore.audit_key(store).await? };
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("{} cannot be listened on", config.listen))?;
        let addr = listener.local_addr()?;
        let public_url = config.public_url(addr);
        let tls = tls_config(&keystore.server_certificate(&config.certificate_names())?)?;
        let node_id = Store::new_id();
        nodes::insert(store, node_id).await?;

        let cancel = CancellationToken::new();
        let gateway = Gateway::new(
            store.clone(),
            GatewayConfig {
                node_id,
                server_name: url_host(&public_url),
                dispatch_keys: known_keys,
                elapsed: clock::monotonic(),
                random: Arc::new(random::bytes),
            },
        );
        let connector = connector(config)?;
        let own = Own { connector: connector.clone(), master: keystore.master.clone() };
        let notify = notify(config, &public_url, own)?;
        let letters = notify.as_ref().map(letters);
        let vault = web::Vault::new(keystore.master.clone());
        let starter = crate::seed::starter(keystore.master.clone());
        let probes = Probes { connector: connector.clone(), master: keystore.master.clone() };
        let mut console = web::Config::new(&public_url);
        console.agent = agent(config)?;
        console.authority =
            (config.transport == Transport::Tls || console.agent.is_some()).then(|| keystore.authority.fingerprint());
        // Pages and links on one address; they meet in the rows alone.
        let app = web::App { store: store.clone(), config: console, vault, connector, starter };
        let routes = web::router_with(app, more).merge(gateway.router());
        let (limits, trusted) = (Limits::of_process(), config.trusted_proxies.clone().into());
        let serving = listen::serve(listener, tls, config.transport, routes, limits, trusted, cancel.clone());
        let mut tasks = vec![
            ("gateway", tokio::spawn(gateway.run(cancel.clone()))),
            ("http", tokio::spawn(serving)),
            ("heartbeat", tokio::spawn(heartbeat(store.clone(), node_id, cancel.clone()))),
            ("platform", tokio::spawn(platform(store.clone(), cancel.clone()))),
            ("wake", tokio::spawn(relay(store.clone(), node_id, cancel.clone()))),
            (
                "keys",
                tokio::spawn(dispatch_keys::watch(store.clone(), keystore.master.clone(), newer_keys, cancel.clone())),
            ),
            ("upkeep", tokio::spawn(upkeep::run(store.clone(), cancel.clone()))),
            looped("audit", audit, store, &cancel),
            looped("changes", engine::changes::Changes, store, &cancel),
            looped("classify", engine::classify::Classify, store, &cancel),
            looped("remediate", engine::remediate::Remediate::default(), store, &cancel),
            looped("silence", engine::silence::Silence, store, &cancel),
            looped("sweep", engine::sweep::Sweep, store, &cancel),
            looped("verify", engine::verify::Verify, store, &cancel),
        ];
        tasks.push(looped("plan", engine::probes::Plan, store, &cancel));
        // Targets that keep silent hold up the probes of one tenant at a time, and of one loop.
        tasks.extend((0..PROBE_LOOPS).map(|_| looped("probes", probes.clone(), store, &cancel)));
        if let Some(letters) = letters {
            tasks.push(("letters", tokio::spawn(letters.run(store.clone(), cancel.clone()))));
        }
        match notify {
            Some(stage) => tasks.push(looped("notify", stage, store, &cancel)),
            None => tracing::warn!("no mail server is set (--smtp): mail waits in the outbox, and nobody is called"),
        }
        tracing::info!(%addr, %node_id, "serving");
        Ok(Node { addr, public_url, node_id, cancel, tasks })
    }

    /// Ends everything it started; what takes too long is cut off.
    pub async fn stop(self) {
        self.cancel.cancel();
        for (name, mut task) in self.tasks {
            if tokio::time::timeout(STOP_LIMIT, &mut task).await.is_err() {
                tracing::warn!(name, "did not end in time");
                task.abort();
            }
        }
    }
}

/// A stage's loop.
fn looped(name: &'static str, stage: impl Stage + 'static, store: &Store, cancel: &CancellationToken) -> Task {
    (name, tokio::spawn(engine::lease::run(store.clone(), stage, cancel.clone())))
}

/// What connects to the targets of checks.
fn connector(config: &NodeConfig) -> Result<Connector> {
    let egress = Egress::new(config.allow_egress.clone());
    Connector::new(egress, Names::system(), clock::monotonic()).context("TLS for probes cannot be set up")
}

/// What sends mail, if a mail server is set.
fn notify(config: &NodeConfig, public_url: &str, own: Own) -> Result<Option<Notify>> {
    let Some(smtp) = &config.smtp else { return Ok(None) };
    let mailer = Mailer::relay(smtp).context("--smtp")?;
    Ok(Some(Notify {
        mailer: Arc::new(mailer),
        sender: config.mail_from.clone(),
        public_url: public_url.trim_end_matches('/').to_owned(),
        own,
    }))
}

/// What sends letters about accounts, the way that mails about incidents go.
fn letters(notify: &Notify) -> Letters {
    Letters {
        mailer: notify.mailer.clone(),
        sender: notify.sender.clone(),
        public_url: notify.public_url.clone(),
        mint: Arc::new(|kind| keys::token::mint(kind, &mut random::rng())),
    }
}

/// The agent's program that machines are given: the one that was named, or the one beside this program.
fn agent(config: &NodeConfig) -> Result<Option<web::install::Agent>> {
    let beside =
        || Some(std::env::current_exe().ok()?.with_file_name("mendwright-agent")).filter(|path| path.is_file());
    match (&config.agent_binary, beside()) {
        (Some(path), _) => {
            let agent = web::install::Agent::open(path);
            agent.map(Some).with_context(|| format!("--agent-binary {} cannot be given away", path.display()))
        }
        (None, Some(path)) => Ok(web::install::Agent::open(&path)
            .inspect_err(|error| {
                tracing::warn!(%error, path = %path.display(), "the program beside this one is not given away");
            })
            .ok()),
        (None, None) => Ok(None),
    }
}

async fn relay(store: Store, node_id: Uuid, cancel: CancellationToken) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = store::wake::relay(&store, node_id) => {}
    }
}

async fn platform(store: Store, cancel: CancellationToken) {
    let mut beat = tokio::time::interval(PLATFORM);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = beat.tick() => {}
        }
        if let Err(error) = engine::platform::look(&store).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the whole platform could not be looked at");
        }
    }
}

async fn heartbeat(store: Store, node_id: Uuid, cancel: CancellationToken) {
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = beat.tick() => {}
        }
        if let Err(error) = store::clock::write_down_jump(&store).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a jump of the clock could not be written down");
        }
        if let Err(error) = nodes::mark_seen(&store, node_id).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "this node could not say that it lives");
        }
    }
}
