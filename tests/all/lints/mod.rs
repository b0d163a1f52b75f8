//! The lints: what the compiler does not forbid and a reader would have to notice. `make check` runs them.
//!
//! Each is a function from a text to what is wrong with it, so that each is shown to bite on a text that breaks it.

pub mod entries;
mod imports;
mod makefile;
mod schemas;
mod sources;
mod statements;

use std::path::Path;

use crate::support::workspace;

/// Every Rust file below `folder`, with its path from the workspace's root; what is built is passed over.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&workspace().join(folder), &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules" && name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(workspace()).expect("below the root").display().to_string();
            files.push((name, std::fs::read_to_string(&path).expect("a file")));
        }
    }
}
