//! axum: parse, authorize, call, render. One operation, one file.
//!
//! [`router`] shows every route on one screen. A handler takes a [`Member`](member::Member) (signed in, with the
//! scope of everything they may reach) or [`Posted`](posted::Posted) (the same, and a form that carries the
//! session's token), calls the store, and hands plain facts to `views`. What fails becomes a [`Failure`]: a
//! status and a kind, dressed as a page with the request's id in one place, never with its source.
#![forbid(unsafe_code)]

mod api;
mod ceremony;
mod downloads;
mod entry;
mod failure;
pub mod install;
mod layers;
mod member;
mod operator;
mod pages;
mod passkey;
mod peer;
mod posted;
mod provider;
mod refusal;
mod router;
mod sessions;
mod starter;
mod streams;
mod trends;
mod vault;

/// What routes of other crates say as ours do.
pub mod parts {
    pub use crate::pages::host::{hands_off, limits};
    pub use crate::pages::incident::row as incident;
}

#[cfg(feature = "gallery")]
pub use pages::gallery::routes as gallery;

use std::time::Duration;

use jiff::tz::TimeZone;
use store::Store;

pub use entry::Hashing;
pub use failure::Failure;
pub use layers::page;
pub use member::{Member, clock};
pub use peer::{Peer, ProxiesNamed};
pub use posted::{Input, Posted};
pub use refusal::Refusal;
pub use router::{Route, read, router, router_with, routes, write};
pub use starter::Starter;
pub use vault::Vault;

/// What the console needs to know of where it runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// How browsers reach us: `https://mend.example.com`. Links and cookies follow it; the Host header never does.
    pub public_url: String,
    /// The zone times are shown in.
    pub zone: TimeZone,
    /// A session's end without a request.
    pub session_idle: Duration,
    /// A session's end in any case.
    pub session_absolute: Duration,
    /// How often a stream of events gives a sign of life and looks whether its session lasts.
    pub events_beat: Duration,
    /// The command that enrols a host, shown while there is none.
    pub enrol_command: Option<String>,
    /// The agent's program that machines are given; none: nothing is given away.
    pub agent: Option<install::Agent>,
    /// SHA-256 of the authority that the server's certificate is from, where it is the installation's own.
    pub authority: Option<keys::Digest>,
    /// How many password hashes are computed at once.
    pub hashing: Hashing,
    /// Whether the demo's pages are there; [`router_with`] says so, nobody else.
    pub(crate) demo: bool,
}

impl Config {
    /// A configuration for `public_url` with times in UTC and sessions of eight hours idle, a day at most.
    pub fn new(public_url: impl Into<String>) -> Config {
        Config {
            public_url: public_url.into(),
            zone: TimeZone::UTC,
            session_idle: Duration::from_secs(8 * 3_600),
            session_absolute: Duration::from_secs(24 * 3_600),
            events_beat: Duration::from_secs(15),
            enrol_command: None,
            agent: None,
            authority: None,
            hashing: Hashing::default(),
            demo: false,
        }
    }

    /// How agents reach us: with TLS, also where browsers on the same machine may do without.
    pub fn enrol_url(&self) -> String {
        self.public_url.replacen("http://", "https://", 1)
    }

    /// Whether browsers reach us by https: then cookies are `__Host-` and HSTS is said.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// The console: what every handler can reach.
#[derive(Clone, Debug)]
pub struct App {
    /// The rows.
    pub store: Store,
    /// Where we run.
    pub config: Config,
    /// Seals what pages keep secret.
    pub vault: Vault,
    /// What is asked over the network: providers of sign-on.
    pub connector: probe::Connector,
    /// What a new organization begins with.
    pub starter: Starter,
}
