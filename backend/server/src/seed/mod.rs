//! One YAML file tells a tenant with everything in it: it makes one, brings one to what it says, and is written of one.

mod apply;
mod document;
mod draft;
mod export;
mod known;
mod report;
mod rules;
mod starter;
mod tree;
mod validate;

use std::path::Path;

pub use apply::{Access, ApplyError, Env, Intent, Options, Seeded, SeededHost, SeededMember, apply, configure};
pub use document::Document;
use domain::classify::mapping::Mode;
pub use draft::{Draft, Rejected, Seed};
pub use export::{ExportError, choose_tenant, export};
pub use report::{Line, Report};
pub use starter::starter;

impl Seed {
    /// Reads a file that makes a tenant; `file` names it in messages, `env` answers for `password_env`.
    ///
    /// # Errors
    /// Every fault that was found, with line, column and key path.
    pub fn parse(file: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Seed, Rejected> {
        Draft::read(file, text).check(&known::Known::nothing(), env)
    }

    /// No mapping acts by itself: each asks first, but those that only watch.
    pub fn ask_first(&mut self) {
        for mapping in &mut self.document.mappings {
            if mapping.mode == Mode::Auto {
                mapping.mode = Mode::Approve;
            }
        }
    }
}

#[cfg(test)]
mod tests;
