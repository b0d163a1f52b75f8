//! Which processes hold the sockets that are listened on, and the declared services they belong to.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use crate::diagnose::sockets::Listener;
use crate::limits::Limits;
use crate::service::declared::Service;
use crate::stat;

/// The most file descriptors that are looked at.
const MOST_LOOKED_AT: usize = 50_000;

/// Whoever holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name, as the kernel calls it.
    pub process: String,
    /// The declared service it belongs to.
    pub service: Option<String>,
}

/// The holder of each of `sockets`, by its number: one that belongs to a declared service before any other. Only what
/// this process may see: as root, all.
pub fn of(sockets: &[Listener], limits: &Limits) -> BTreeMap<u64, Holder> {
    let wanted: HashSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let mains = mains(limits);
    let fds = stat::pids().flat_map(|pid| {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.map(move |fd| (pid, fd.path()))
    });
    let mut held: BTreeMap<u64, Holder> = BTreeMap::new();
    for (pid, fd) in fds.take(MOST_LOOKED_AT) {
        let inode = fs::read_link(&fd).ok().and_then(|link| inode(link.to_str()?));
        let Some(inode) = inode.filter(|inode| wanted.contains(inode)) else { continue };
        if held.get(&inode).is_some_and(|known| known.service.is_some()) {
            continue;
        }
        let Some(about) = stat::read(pid) else { continue };
        let service = mains.get(&pid).cloned().or_else(|| unit_of(pid, limits));
        if service.is_some() || !held.contains_key(&inode) {
            held.insert(inode, Holder { process: String::from_utf8_lossy(&about.name).into_owned(), service });
        }
    }
    held
}

/// The number in a link to a socket.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The main process of each service that is declared by a pid file.
fn mains(limits: &Limits) -> BTreeMap<u32, String> {
    let pid = |service: &Service| match service {
        Service::Commands(commands) => {
            fs::read_to_string(commands.pid_file.as_ref()?).ok()?.split_ascii_whitespace().next()?.parse().ok()
        }
        Service::Unit(_) => None,
    };
    limits.services.iter().filter_map(|(name, service)| Some((pid(service)?, name.clone()))).collect()
}

/// The declared unit in whose cgroup a process lives.
fn unit_of(pid: u32, limits: &Limits) -> Option<String> {
    let units = || limits.services.iter().filter(|(_, service)| service.is_unit());
    units().next()?;
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    units().find(|(_, service)| lives_in(&text, service)).map(|(name, _)| name.clone())
}

/// Whether the text of a process's `cgroup` names the unit.
fn lives_in(text: &str, service: &Service) -> bool {
    let Service::Unit(unit) = service else { return false };
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|path| path.split('/').any(|part| part == unit.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_known_by_its_own_name_in_the_path_and_by_no_part_of_it() {
        let limits: Limits = toml::from_str("[services.proxy]\nunit = \"nginx.service\"\n").unwrap();
        let service = &limits.services["proxy"];
        assert!(lives_in("0::/system.slice/nginx.service\n", service));
        assert!(lives_in("1:name=systemd:/system.slice/nginx.service/worker\n0::/\n", service));
        assert!(!lives_in("0::/system.slice/not-nginx.service\n", service));
        assert!(!lives_in("0::/\n", service));
    }

    #[test]
    fn a_link_that_is_no_socket_has_no_number() {
        assert_eq!(inode("socket:[4711]"), Some(4711));
        assert_eq!(inode("/dev/null"), None);
        assert_eq!(inode("socket:[x]"), None);
    }
}
