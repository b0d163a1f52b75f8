//! The demo's own pages: routes that only `mendwright demo` gives to the console.

mod act;
mod mails;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Extension;
use axum::handler::Handler as _;
use tokio::sync::Mutex;
use web::{Route, read, write};

use super::Victim;
use super::sink::Sink;
use super::victim::Files;

/// What the pages reach besides the console's rows.
#[derive(Debug)]
pub struct Theatre {
    folder: PathBuf,
    sink: Arc<Sink>,
    /// One press after the other.
    turn: Mutex<()>,
}

impl Theatre {
    /// The demo in `folder`, whose mails arrive at `sink`.
    pub fn new(folder: PathBuf, sink: Arc<Sink>) -> Arc<Theatre> {
        Arc::new(Theatre { folder, sink, turn: Mutex::default() })
    }

    fn files(&self, victim: &Victim) -> Files {
        Files::of(&self.folder, victim.host)
    }
}

/// Every route there is.
pub fn routes(theatre: Arc<Theatre>) -> Vec<Route> {
    let theatre = Extension(theatre);
    vec![
        read("/demo", show::show.layer(theatre.clone())),
        write("/demo/break", act::break_it.layer(theatre.clone())),
        write("/demo/reset", act::reset.layer(theatre.clone())),
        read("/demo/mails", mails::list.layer(theatre.clone())),
        read("/demo/mails/{n}", mails::show.layer(theatre.clone())),
        read("/demo/mails/{n}/page", mails::page.layer(theatre)),
    ]
}
