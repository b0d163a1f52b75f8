//! The demo's folder, and the note in it by which `demo break` finds a demo that runs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::volume;

const PREFIX: &str = "mendwright-demo-";
const NOTE: &str = "demo.json";

/// What `demo break` needs to know of a demo that runs. Holds no password.
#[derive(Debug, Serialize, Deserialize)]
pub struct Note {
    /// The demo's process.
    pub pid: u32,
    /// The rows, as app_login and app_system; over the cluster's socket, which only its owner may open.
    pub tenant_url: String,
    /// See `tenant_url`.
    pub system_url: String,
    /// Who acts.
    pub login_id: Uuid,
}

/// A fresh folder in the system's temp directory that the database server's account can pass through.
pub fn claim(name: &str) -> Result<PathBuf> {
    let temp = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    let temp = temp.iter().find(|dir| passable(dir)).context("no temp directory that others may pass through")?;
    let folder = temp.join(format!("{PREFIX}{name}"));
    fs::DirBuilder::new()
        .mode(0o711)
        .create(&folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?; // whatever the umask says
    Ok(folder)
}

/// Whether every folder down to `dir` may be entered by all.
fn passable(dir: &Path) -> bool {
    let Ok(dir) = fs::canonicalize(dir) else { return false };
    dir.ancestors().all(|dir| fs::metadata(dir).is_ok_and(|m| m.is_dir() && m.permissions().mode() & 0o001 != 0))
}

/// Leaves the note.
pub fn write_note(folder: &Path, note: &Note) -> Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join(NOTE))?;
    file.write_all(serde_json::to_string_pretty(note)?.as_bytes())?;
    Ok(())
}

/// Reads it.
pub fn read_note(folder: &Path) -> Result<Note> {
    let path = folder.join(NOTE);
    let text = fs::read_to_string(&path).with_context(|| format!("no demo runs in {}", folder.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} cannot be read", path.display()))
}

/// Every demo that left a note: its folder, the note, when it was made.
fn noted() -> Vec<(PathBuf, Note, SystemTime)> {
    let mut found = BTreeMap::new();
    for temp in [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")] {
        for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX)
                && let Ok(note) = read_note(&entry.path())
                && let Ok(made) = entry.metadata().and_then(|m| m.modified())
            {
                found.insert(entry.path(), (note, made));
            }
        }
    }
    found.into_iter().map(|(path, (note, made))| (path, note, made)).collect()
}

fn runs(note: &Note) -> bool {
    Path::new(&format!("/proc/{}", note.pid)).exists()
}

/// The newest demo that runs.
pub fn newest() -> Result<PathBuf> {
    let running = noted().into_iter().filter(|(_, note, _)| runs(note));
    match running.max_by_key(|(_, _, made)| *made) {
        Some((folder, _, _)) => Ok(folder),
        None => bail!("no demo runs; start one with: mendwright demo"),
    }
}

/// Ends and removes what demos left that were killed before they could do it themselves.
pub fn sweep() {
    for (folder, note, _) in noted() {
        if !runs(&note) {
            end_leftovers(&folder);
            volume::unmount_below(&folder);
            drop(fs::remove_dir_all(&folder));
        }
    }
}

/// A folder that is left behind on purpose is no demo that was killed.
pub fn remove_note(folder: &Path) {
    drop(fs::remove_file(folder.join(NOTE)));
}

/// Ends by pid whatever still runs out of `folder`; its path is on their command lines and on nobody else's.
pub fn end_leftovers(folder: &Path) {
    use nix::sys::signal::{Signal, kill};
    let needle = folder.as_os_str().as_encoded_bytes();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let ours = ["demo-victim", "demo-ctl", "runner", "run"]
            .iter()
            .any(|word| line.split(|byte| *byte == 0).nth(1) == Some(word.as_bytes()));
        if ours && line.windows(needle.len()).any(|window| window == needle) {
            let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_is_not_passable() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!passable(dir.path()));
        assert!(passable(Path::new("/")));
    }
}
