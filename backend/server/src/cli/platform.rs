//! `mendwright platform …`

use std::path::PathBuf;

use clap::Subcommand;
use store::people::founding::SignUp;

use super::OwnerArgs;

/// Under `platform`.
#[derive(Debug, Subcommand)]
pub enum Platform {
    /// Say who may begin an organization, or ask.
    SignUp {
        /// From now on; not said: who may now is printed.
        #[arg(value_enum)]
        set: Option<SignUpArg>,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Send somebody the mail with which they begin an organization.
    Invite {
        /// Their address.
        email: String,
        /// The organization's name.
        #[arg(long)]
        organization: String,
        /// Their own name.
        #[arg(long)]
        name: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// The organizations, with counts and no content.
    List(OwnerArgs),
    /// Print a link that begins one session in an organization, to read alone, while an owner lets you (Settings, Support).
    SupportSession {
        /// By name or id.
        tenant: String,
        /// How people reach the server.
        #[arg(long, env = "MENDWRIGHT_PUBLIC_URL")]
        public_url: Option<String>,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Shut the members of an organization out and stop all actions on its hosts; they are watched on.
    Suspend {
        /// By name or id.
        tenant: String,
        /// Why; it stands in the organization's audit.
        #[arg(long)]
        reason: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Make somebody an operator of the platform: prints a link that works once, within the hour.
    Operator {
        /// Their address.
        email: String,
        /// Take it away instead.
        #[arg(long)]
        remove: bool,
        /// The server's address, for the link.
        #[arg(long, default_value = "")]
        public_url: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// What organizations may add: plans, and who has which.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Delete an organization: its owners are told, and until it begins they or `keep` can call it off.
    Delete {
        /// By name or id.
        tenant: String,
        /// Its name once more, as it is written.
        #[arg(long)]
        name: String,
        /// In how many days it begins.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(0..=90))]
        days: u16,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Call the deletion of an organization off, before it has begun.
    Keep {
        /// By name or id.
        tenant: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Write everything that is an organization's to a new file, as its owners can themselves: one JSON document.
    Export {
        /// By name or id.
        tenant: String,
        /// The file; it must not be there yet.
        file: PathBuf,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Let the members of a suspended organization in again.
    Resume {
        /// By name or id.
        tenant: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
}

/// Under `platform plan`.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// The plans there are.
    List(OwnerArgs),
    /// Make a plan, or give it other numbers; what is not said has no limit.
    Set {
        /// Its name: small letters, digits and dashes.
        name: String,
        /// Most hosts.
        #[arg(long)]
        hosts: Option<u32>,
        /// Most checks.
        #[arg(long)]
        checks: Option<u32>,
        /// Most members.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        members: Option<u32>,
        /// For how many days the output of fixes and metrics are kept at most.
        #[arg(long, value_parser = clap::value_parser!(u32).range(30..=4000))]
        keep_days: Option<u32>,
        /// Most reports of metrics a minute, of all hosts together (each sends six): more are thinned evenly.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        reports: Option<u32>,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
    /// Give an organization a plan. What it has already stays, also if it is more than the plan has room for.
    Give {
        /// By name or id.
        tenant: String,
        /// The plan.
        plan: String,
        /// Where.
        #[command(flatten)]
        at: OwnerArgs,
    },
}

/// Who may begin an organization.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum SignUpArg {
    /// Everybody.
    Open,
    /// Whom the operator invites.
    Invitation,
    /// Nobody.
    Closed,
}

impl SignUpArg {
    /// As the store knows it.
    pub fn sign_up(self) -> SignUp {
        match self {
            SignUpArg::Open => SignUp::Open,
            SignUpArg::Invitation => SignUp::Invitation,
            SignUpArg::Closed => SignUp::Closed,
        }
    }
}
