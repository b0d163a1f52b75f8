//! The command line.

mod platform;

pub use platform::{PlanCommand, Platform, SignUpArg};

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{NodeConfig, Transport};

/// Self-healing infrastructure for managed service providers.
#[derive(Debug, Parser)]
#[command(name = "mendwright", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one folder, with a PostgreSQL of its own.
    Up(Up),
    /// Run a server on a PostgreSQL that is there and migrated.
    Serve(Serve),
    /// Make roles and tables, or print the SQL for an administrator.
    Migrate(Migrate),
    /// What the operator does about the limits on acting.
    #[command(subcommand)]
    Guardrails(Guardrails),
    /// Who may begin an organization here, and the organizations there are.
    #[command(subcommand)]
    Platform(Platform),
    /// What the operator does about the server's own keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Keep repairs away from where a program works, while it works.
    #[command(subcommand)]
    Interlock(Interlock),
    /// Bring an organization to what a file says, or make it.
    #[command(after_help = APPLY_HELP)]
    Apply(Apply),
    /// Write the file that tells an organization as it stands.
    Export(Export),
    /// An organization's audit as a file, and whether such a file is what was written.
    #[command(subcommand)]
    Audit(Audit),
    /// Show the whole loop on this machine: real agents, real services to break.
    Demo(crate::demo::DemoArgs),
    /// A service of the demo.
    #[command(hide = true)]
    DemoVictim {
        /// Its folder.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Start, stop or status of a service of the demo.
    #[command(hide = true)]
    DemoCtl {
        /// What to do.
        action: crate::demo::ctl::Action,
        /// Its folder.
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Under `guardrails`.
#[derive(Debug, Subcommand)]
pub enum Guardrails {
    /// Let runs be admitted again after the database's clock jumped forward. Look at the clock first.
    ClockReset(OwnerArgs),
    /// The breakers that are not closed, and what each stops.
    Breakers(OwnerArgs),
    /// Close a breaker: somebody has looked at what went badly. Without this, one that failed twice stays open.
    CloseBreaker {
        /// As `guardrails breakers` prints it: scope:key.
        breaker: String,
        /// What was found; it stands in the organization's audit.
        #[arg(long)]
        reason: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
}

/// Under `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make the next key that signs jobs, certified by the present one. Servers notice while they run; each host follows
    /// when it is linked, and until then gets its jobs signed by the key that it holds.
    RotateDispatch(Rows),
}

/// Under `audit`.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is made in a process")]
pub enum Audit {
    /// Write every linked entry of an organization to a new file: JSON lines, the last one a signed head.
    Export {
        /// The file; it must not be there yet.
        file: PathBuf,
        /// The organization, by name or id [default: the only one].
        #[arg(long)]
        tenant: Option<String>,
        /// Where the rows are.
        #[command(flatten)]
        rows: Rows,
    },
    /// Say whether a file is what was written. Needs no database.
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// The file.
        file: PathBuf,
        /// A head that is known from elsewhere: the chain must contain it. NUMBER:HASH, or the line with its signature that a
        /// daily mail has: then it must be signed by whoever signed the file.
        #[arg(long, value_name = "HEAD")]
        head: Option<keys::chain::file::Said>,
        /// The key that must have signed it, as 64 hex digits.
        #[arg(long)]
        key: Option<keys::PublicKey>,
    },
}

const VERIFY_HELP: &str = "\
Exit status: 0 the file is what was written, as far as --head and --key say; 4 its entries fit each other, and neither was said, so it \
may be cut off at its end or be anybody's; 3 it was altered or cut off, and the line says where; 1 it cannot be read; 2 the command line is wrong.";

/// Under `interlock`.
#[derive(Debug, Subcommand)]
pub enum Interlock {
    /// Set an interlock, wait for the repairs that were permitted before it, run a command, release it.
    #[command(after_help = HOLD_HELP)]
    Hold(Hold),
    /// The interlocks and hands off that hold now.
    List {
        /// The organization, by name or id [default: the only one].
        #[arg(long)]
        tenant: Option<String>,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// End one before its time: its program died, say.
    Release {
        /// As `interlock list` prints it.
        interlock_id: uuid::Uuid,
        /// The organization, by name or id [default: the only one].
        #[arg(long)]
        tenant: Option<String>,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
}

const HOLD_HELP: &str = "\
Exit status: the command's own; 75 when repairs that were permitted before were still running after --wait, and the \
command was not started; 1 for any other error.

  mendwright interlock hold --client Alder --host web-03 --for 2h --reason 'nightly backup' -- /usr/bin/backup --full";

/// `interlock hold`
#[derive(Debug, Args)]
pub struct Hold {
    /// Only at this client [default: the whole organization].
    #[arg(long)]
    pub client: Option<String>,
    /// Only on this host of the client.
    #[arg(long, requires = "client")]
    pub host: Option<String>,
    /// How long at most, 24h at most: it ends then by itself, should this program be killed.
    #[arg(long = "for", value_name = "DURATION")]
    pub lasts: jiff::SignedDuration,
    /// How long to wait for repairs that were permitted before.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub wait: jiff::SignedDuration,
    /// What works there; people read it.
    #[arg(long)]
    pub reason: String,
    /// The organization, by name or id [default: the only one].
    #[arg(long)]
    pub tenant: Option<String>,
    /// Where.
    #[command(flatten)]
    pub at: OwnerArgs,
    /// The command, after `--`.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Where the rows are, as their owner.
#[derive(Debug, Clone, Args)]
pub struct OwnerArgs {
    /// URL of the login app_owner.
    #[arg(long, env = "DATABASE_OWNER_URL", hide_env_values = true, required_unless_present = "data")]
    pub database_owner_url: Option<String>,
    /// Or the folder of an installation that is up.
    #[arg(long, env = "MENDWRIGHT_DATA", conflicts_with = "database_owner_url")]
    pub data: Option<PathBuf>,
}

impl OwnerArgs {
    /// The owner's URL.
    ///
    /// # Errors
    /// Neither is said, or the folder is none of an installation.
    pub fn url(self) -> anyhow::Result<String> {
        match (self.database_owner_url, self.data) {
            (Some(url), _) => Ok(url),
            (None, Some(data)) => Ok(crate::up::owner_url(&crate::config::DataFolder::claim(&data)?)),
            (None, None) => anyhow::bail!("say --database-owner-url or --data"),
        }
    }
}

/// `up`
#[derive(Debug, Args)]
pub struct Up {
    /// The folder of everything [default: /var/lib/mendwright, or the user's data folder].
    #[arg(long, env = "MENDWRIGHT_DATA")]
    pub data: Option<PathBuf>,
    /// Fill the empty database from this file.
    #[arg(long)]
    pub seed: Option<PathBuf>,
    /// How it listens.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// URL of the login app_login.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// URL of the login app_system.
    #[arg(long, env = "DATABASE_SYSTEM_URL", hide_env_values = true)]
    pub database_system_url: String,
    /// The folder of master key and authority.
    #[arg(long, env = "MENDWRIGHT_KEYS")]
    pub keys: PathBuf,
    /// How it listens.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// `migrate`
#[derive(Debug, Args)]
pub struct Migrate {
    /// URL of the login app_owner.
    #[arg(long, env = "DATABASE_OWNER_URL", hide_env_values = true)]
    pub database_owner_url: String,
    /// URL of an administrator on database postgres: then roles and database are made too.
    #[arg(long, env = "DATABASE_ADMIN_URL", hide_env_values = true)]
    pub database_admin_url: Option<String>,
}

const APPLY_HELP: &str = "\
Exit status: 0 the file is applied, also if some of it waits for a second person (with --plan: nothing differs); \
2 with --plan: something differs; 1 an error, and nothing was changed.";

/// `apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// The file.
    pub file: PathBuf,
    /// Print what would be different, and change nothing.
    #[arg(long)]
    pub plan: bool,
    /// The organization, by name or id [default: the one of the file's name].
    #[arg(long)]
    pub tenant: Option<String>,
    /// Make an organization of the file's name where there is none, beside others.
    #[arg(long, conflicts_with = "tenant")]
    pub new_tenant: bool,
    /// The member who stands behind the file, by address: what they loosen, another person confirms.
    #[arg(long, env = "MENDWRIGHT_APPLY_BY")]
    pub by: Option<String>,
    /// How hosts and people reach the server, for the enrolment commands.
    #[arg(long, env = "MENDWRIGHT_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Where the rows are.
    #[command(flatten)]
    pub rows: Rows,
}

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// The organization, by name or id [default: the only one].
    #[arg(long)]
    pub tenant: Option<String>,
    /// Where the rows are.
    #[command(flatten)]
    pub rows: Rows,
}

/// Where the rows are, for the operator on the server's own machine.
#[derive(Debug, Args)]
pub struct Rows {
    /// The folder of `mendwright up`, running or not [default: as up's].
    #[arg(long, env = "MENDWRIGHT_DATA", conflicts_with = "database_owner_url")]
    pub data: Option<PathBuf>,
    /// URL of the login app_owner, where `mendwright serve` runs.
    #[arg(long, env = "DATABASE_OWNER_URL", hide_env_values = true, requires = "keys")]
    pub database_owner_url: Option<String>,
    /// The folder of master key and authority, with --database-owner-url.
    #[arg(long, env = "MENDWRIGHT_KEYS")]
    pub keys: Option<PathBuf>,
}

/// How a node listens and sends.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Where to listen.
    #[arg(long, env = "MENDWRIGHT_LISTEN", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// How people and agents reach this server [default: the address it listens on].
    #[arg(long, env = "MENDWRIGHT_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Plain HTTP, on a loopback address only.
    #[arg(long)]
    pub insecure_loopback: bool,
    /// The agent's program that machines are given when they enrol [default: mendwright-agent beside this program].
    #[arg(long, env = "MENDWRIGHT_AGENT_BINARY")]
    pub agent_binary: Option<PathBuf>,
    /// Where mail goes: smtp://host:port, smtps://user:password@host.
    #[arg(long, env = "MENDWRIGHT_SMTP", hide_env_values = true)]
    pub smtp: Option<String>,
    /// The address mail comes from.
    #[arg(long, env = "MENDWRIGHT_MAIL_FROM", default_value = "mendwright@localhost")]
    pub mail_from: String,
    /// Where checks and providers of sign-on may be beside public addresses: 10.0.0.0/8, 127.0.0.1:8000-8100, [fd00::]/8:443.
    #[arg(long, env = "MENDWRIGHT_ALLOW_EGRESS", value_delimiter = ',')]
    pub allow_egress: Vec<probe::Allowed>,
    /// The reverse proxies before this server, by address or network: where a connection comes from one, X-Forwarded-For says
    /// who a request is from [default: none, and the other end of the connection counts].
    #[arg(
        long,
        env = "MENDWRIGHT_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = crate::visitor::network
    )]
    pub trusted_proxy: Vec<ipnet::IpNet>,
}

impl NodeArgs {
    /// As the node wants it.
    pub fn config(self) -> NodeConfig {
        let transport = if self.insecure_loopback { Transport::InsecureLoopback } else { Transport::Tls };
        NodeConfig {
            listen: self.listen,
            transport,
            public_url: self.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            agent_binary: self.agent_binary,
            smtp: self.smtp,
            mail_from: self.mail_from,
            allow_egress: self.allow_egress,
            trusted_proxies: self.trusted_proxy,
        }
    }
}
