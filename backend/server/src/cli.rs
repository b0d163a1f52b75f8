//! The command line.

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
    ClockReset(crate::clock_reset::ClockReset),
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
    /// Where mail goes: smtp://host:port, smtps://user:password@host.
    #[arg(long, env = "MENDWRIGHT_SMTP", hide_env_values = true)]
    pub smtp: Option<String>,
    /// The address mail comes from.
    #[arg(long, env = "MENDWRIGHT_MAIL_FROM", default_value = "mendwright@localhost")]
    pub mail_from: String,
    /// Where http and tcp checks may go beside public addresses: 10.0.0.0/8, 127.0.0.1:8000-8100, [fd00::]/8:443.
    #[arg(long, env = "MENDWRIGHT_ALLOW_EGRESS", value_delimiter = ',')]
    pub allow_egress: Vec<probe::Allowed>,
}

impl NodeArgs {
    /// As the node wants it.
    pub fn config(self) -> NodeConfig {
        let transport = if self.insecure_loopback { Transport::InsecureLoopback } else { Transport::Tls };
        NodeConfig {
            listen: self.listen,
            transport,
            public_url: self.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            smtp: self.smtp,
            mail_from: self.mail_from,
            allow_egress: self.allow_egress,
        }
    }
}
