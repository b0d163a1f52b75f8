//! What a host is, and what of it no check watches.

use jiff::Timestamp;

use crate::Pair;

/// What a host last said it is.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// When.
    pub told_at: Timestamp,
    /// What it is, line by line.
    pub facts: Vec<Pair>,
    /// Its file systems, with their sizes.
    pub file_systems: Vec<Pair>,
    /// The ports that are listened on, smallest first.
    pub ports: Vec<Port>,
    /// How many of all that there is were left out.
    pub left_out: u32,
    /// What no check watches, worst first.
    pub unwatched: Vec<Unwatched>,
    /// How many services and ports there are.
    pub all: usize,
}

/// A port that is listened on.
#[derive(Clone, Debug)]
pub struct Port {
    /// "0.0.0.0:8080".
    pub at: String,
    /// Who listens: "java, of shop".
    pub who: Option<String>,
    /// The check that watches it.
    pub watched_by: Option<String>,
}

/// A service or a port that no check watches.
#[derive(Clone, Debug)]
pub struct Unwatched {
    /// "shop", or "port 8080".
    pub what: String,
    /// Why it counts: "declared in agent.toml", "java listens for every address".
    pub why: String,
}

impl Inventory {
    /// How many of them a check watches.
    pub fn watched(&self) -> usize {
        self.all.saturating_sub(self.unwatched.len())
    }
}
