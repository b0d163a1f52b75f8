//! A file that was read: what could be read of it, and everything that is wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::known::Known;
use super::tree::{Place, Tree, Way};
use super::validate::{self, Names, Password};

/// Faults told of one file at most.
const MOST: usize = 100;

/// Something wrong with a file.
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
        write!(f, "the file is not accepted; nothing was changed")?;
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

/// A file that was found sound beside what the tenant has.
#[derive(Debug)]
pub struct Seed {
    pub(super) document: Document,
    /// The members' passwords, in order; those that are members already need none.
    pub(super) passwords: Vec<Option<Password>>,
}

/// A file that was read.
#[derive(Debug)]
pub struct Draft {
    file: PathBuf,
    faults: Vec<Fault>,
    /// None: nothing could be read.
    read: Option<(Tree, Document)>,
}

impl Draft {
    /// Reads `text`; `file` names it in messages. What is wrong is told by [`Draft::check`].
    pub fn read(file: &Path, text: &str) -> Draft {
        let file = file.to_owned();
        match Tree::of(text) {
            Ok(tree) => {
                let (faults, read) = read(tree);
                Draft { file, faults, read }
            }
            Err(error) => {
                let place = error
                    .location()
                    .map_or(Place { line: 1, column: 1 }, |l| Place { line: l.line(), column: l.column() });
                Draft { file, faults: vec![Fault { place, path: String::new(), message: plain(&error) }], read: None }
            }
        }
    }

    /// The tenant's name in the file, if it could be read.
    pub fn tenant(&self) -> Option<&str> {
        self.read.as_ref().map(|(_, document)| document.tenant.name.as_str())
    }

    /// The file as a tenant's that has `known` already; `env` answers for `password_env`.
    ///
    /// # Errors
    /// Every fault that was found, with line, column and key path.
    pub fn check(&self, known: &Known, env: &dyn Fn(&str) -> Option<String>) -> Result<Seed, Rejected> {
        let mut faults = self.faults.clone();
        let mut passwords = Vec::new();
        if let Some((tree, document)) = &self.read {
            // Whatever could not be read may be what a name means: names are looked up once everything can be read.
            let names = if faults.is_empty() { Names::LookUp } else { Names::Believe };
            match validate::validate(document, known, names, env) {
                Ok(found) => passwords = found,
                Err(found) => faults.extend(found.into_iter().map(|(path, message)| {
                    let way = tree.way_of(&path);
                    Fault { place: tree.place(&way), path: named(tree, &way, &path), message }
                })),
            }
        }
        faults.sort_by_key(|fault| fault.place);
        faults.truncate(MOST);
        match &self.read {
            Some((_, document)) if faults.is_empty() => Ok(Seed { document: document.clone(), passwords }),
            _ => Err(Rejected { file: self.file.clone(), faults }),
        }
    }

    /// A fault found where the file meets the rows: the same form.
    pub fn reject(&self, path: &str, message: String) -> Rejected {
        let place = self.read.as_ref().map_or(Place { line: 1, column: 1 }, |(tree, _)| tree.place(&tree.way_of(path)));
        Rejected { file: self.file.clone(), faults: vec![Fault { place, path: path.to_owned(), message }] }
    }
}

/// The path in the file's own numbers, with the end that is not in the file (a field that is missing).
fn named(tree: &Tree, way: &Way, path: &str) -> String {
    let written = tree.written(way);
    let depth = |path: &str| path.matches(['.', '[']).count();
    let missing = depth(path).saturating_sub(depth(&written));
    let mut end = path.len();
    for _ in 0..missing {
        end = path[..end].rfind(['.', '[']).unwrap_or(0);
    }
    format!("{written}{}", &path[end..])
}

/// Reads again and again, each time without what could not be read the time before.
fn read(mut tree: Tree) -> (Vec<Fault>, Option<(Tree, Document)>) {
    let mut faults: Vec<Fault> = Vec::new();
    let mut spoilt: Vec<Way> = Vec::new();
    while faults.len() < MOST {
        let error = match serde_path_to_error::deserialize::<_, Document>(tree.value()) {
            Ok(_) => break,
            Err(error) => error,
        };
        let way = tree.way(error.path());
        let message = error.inner().to_string();
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        // What is missing because it could not be read has been told.
        if !missing.is_some_and(|name| tree.misses(&way, name)) {
            let place = if message.starts_with("unknown field") { tree.key_place(&way) } else { tree.place(&way) };
            faults.push(Fault { place, path: tree.written(&way), message });
        }
        spoilt.push(way.clone());
        if !tree.put_aside(&way) {
            return (faults, None);
        }
    }
    // A thing of which a part could not be read is not looked at further; a client's hosts are things of their own.
    for way in spoilt {
        let deep = if tree.written(&way).starts_with("clients[") { 2 } else { 1 };
        let items = (1..=way.len()).filter(|n| tree.is_item(&way[..*n]));
        if let Some(end) = items.take(deep).last() {
            tree.put_aside(&way[..end]);
        }
    }
    match serde_json::from_value(tree.value()) {
        Ok(document) => (faults, Some((tree, document))),
        Err(_) => (faults, None),
    }
}

/// The library's words without its own place and snippet: those are ours to say, once.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).trim_end_matches([',', ':']).to_owned()
}
