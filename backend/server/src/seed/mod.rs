//! One YAML file makes a tenant with everything in it, on an empty database, wholly or not at all.

mod apply;
mod document;
mod places;
mod validate;

use std::fmt;
use std::path::{Path, PathBuf};

pub use apply::{ApplyError, Seeded, SeededHost, SeededMember, apply};
pub use document::Document;
use places::{Place, Places};

/// A seed that was read and found sound.
#[derive(Debug)]
pub struct Seed {
    document: Document,
    passwords: Vec<validate::Password>,
}

/// Something wrong with a seed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    place: Place,
    /// The key path.
    path: String,
    /// What.
    message: String,
}

/// A file that is not accepted, with everything that is wrong with it.
#[derive(Debug)]
pub struct Rejected {
    file: PathBuf,
    faults: Vec<Fault>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the seed file is not accepted; nothing was changed")?;
        for fault in &self.faults {
            let Place { line, column } = fault.place;
            write!(f, "\n  {}:{line}:{column}: ", self.file.display())?;
            if !fault.path.is_empty() {
                write!(f, "{}: ", fault.path)?;
            }
            write!(f, "{}", fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Rejected {}

impl Seed {
    /// Reads a seed from `text`; `file` names it in messages, `env` answers for `password_env`.
    ///
    /// # Errors
    /// Every fault that was found, with line, column and key path.
    pub fn parse(file: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Seed, Rejected> {
        let places = Places::of(text);
        let reject = |faults| Rejected { file: file.to_owned(), faults };
        let document: Document = serde_saphyr::from_str(text).map_err(|error| {
            let place =
                error.location().map_or(Place { line: 1, column: 1 }, |l| Place { line: l.line(), column: l.column() });
            let message = plain(&error);
            reject(vec![Fault { place, path: places.path_at(place).to_owned(), message }])
        })?;
        match validate::validate(&document, env) {
            Ok(passwords) => Ok(Seed { document, passwords }),
            Err(faults) => Err(reject(
                faults.into_iter().map(|(path, message)| Fault { place: places.at(&path), path, message }).collect(),
            )),
        }
    }
}

/// The library's words without its own place and snippet: those are ours to say, once.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).trim_end_matches([',', ':']).to_owned()
}

#[cfg(test)]
mod tests;
