//! Who runs the server: ourselves, or, when we are root, an account without rights.

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid, User};

/// The account that initdb and postgres run as, because both refuse to run as root.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
}

impl Account {
    /// `None`: we are not root, and everything runs as ourselves.
    pub fn choose(wanted: Option<&str>) -> Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let candidates = wanted.map_or(vec!["postgres", "nobody"], |name| vec![name]);
        for name in &candidates {
            if let Some(user) = User::from_name(name).with_context(|| format!("account {name} cannot be looked up"))? {
                return Ok(Some(Self { name: user.name, uid: user.uid, gid: user.gid }));
            }
        }
        bail!("running as root, and there is no account {}: PostgreSQL refuses to run as root", candidates.join(" or "))
    }
}
