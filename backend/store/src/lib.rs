//! Every SQL statement, one home each; no decisions.
//!
//! Rows are reached through three doors only: [`TenantTx`] (one tenant's rows, under row-level security),
//! [`SystemTx`] (what exists before a tenant is known) and the operator's door on the server's own machine.
//! Scopes are minted in [`auth`] alone.
#![forbid(unsafe_code)]

pub mod api;
pub mod archiving;
pub mod audit;
pub mod auth;
pub mod changes;
pub mod channels;
pub mod classify;
pub mod clients;
pub mod clock;
pub mod configuration;
pub mod contacts;
pub mod credentials;
pub mod decisions;
pub mod deletions;
pub mod detect;
pub mod diagnostics;
mod endings;
pub mod enrolment_tokens;
pub mod enrolments;
mod error;
pub mod everything;
pub mod fleet;
pub mod host_links;
pub mod hosts;
pub mod ingest;
pub mod inventory;
pub mod live;
pub mod logins;
pub mod mail_relays;
pub mod metrics;
pub mod migrate;
pub mod newcomers;
pub mod nodes;
pub mod notify;
pub mod outbox;
pub mod owners;
pub mod pages;
pub mod people;
pub mod platform;
pub mod quotas;
pub mod remediate;
pub mod retiring;
pub mod scope;
pub mod sealing;
pub mod secrets;
pub mod seeding;
pub mod server_keys;
pub mod sessions;
pub mod sites;
pub mod tenant_keys;
pub mod tokens;
pub mod verify;
pub mod wake;
pub mod wakeups;

pub use clock::Clock;
pub use error::{Result, StoreError};
pub use scope::{Origin, Store, StoreConfig, SystemTx, TenantScope, TenantTx};
pub use wake::Queue;
