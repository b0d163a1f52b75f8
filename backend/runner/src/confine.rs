//! What bounds a step beside its time: the memory of each process, and a cgroup that ends with it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The names of the groups made here begin with this.
const PREFIX: &str = "run-";

/// What a host bounds its runs by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The most data a process may hold, in bytes (`RLIMIT_DATA`: heap and private writable mappings).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// A cgroup v2 of this host's runs alone, in which a group is made for each step. Whatever a step starts belongs to its group, whether
    /// or not it leaves session and process group, and is killed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<PathBuf>,
}

/// A step's cgroup.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// Makes the group `name` in `root`, and `root` if there is none in its parent; removes there what earlier runs
    /// left and nobody is in.
    ///
    /// # Errors
    /// `root` is not writable, or no cgroup v2 with `cgroup.kill` (Linux 5.14).
    pub fn make(root: &Path, name: &str) -> io::Result<Self> {
        match fs::create_dir(root) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        for left in fs::read_dir(root)?.flatten() {
            if left.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                // Refused by the kernel while a process is in it.
                let _ = fs::remove_dir(left.path());
            }
        }
        let path = root.join(format!("{PREFIX}{name}"));
        fs::create_dir(&path)?;
        let group = Self { path };
        group.file("cgroup.kill")?;
        Ok(group)
    }

    /// The file a process enters the group by, opened before the fork.
    pub(crate) fn entrance(&self) -> io::Result<File> {
        self.file("cgroup.procs")
    }

    /// Kills whoever is in it.
    pub(crate) fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    fn file(&self, name: &str) -> io::Result<File> {
        File::options().write(true).open(self.path.join(name))
    }
}

impl Drop for Group {
    /// What a step left running on purpose keeps the group; a later run removes it. The last one takes the root away.
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
        if let Some(root) = self.path.parent() {
            let _ = fs::remove_dir(root);
        }
    }
}

/// Why no group can be made in `root`; none if it can.
pub fn cannot_group(root: &Path) -> Option<io::Error> {
    Group::make(root, &format!("probe-{}", std::process::id())).err()
}

#[cfg(test)]
#[path = "confine_tests.rs"]
mod tests;
