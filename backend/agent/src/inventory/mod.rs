//! What the host is: told when a link begins, and once a day. Everything is read from `/proc`, `statvfs` and
//! `/etc/os-release`; no program is run, and nothing is told of what processes were started with.

mod addresses;
mod holders;
mod machine;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use runner::Clock;
use uuid::Uuid;
use wire::v1::{
    DeclaredService, FileSystem, Found, Listening, MAX_FOUND, MAX_FOUND_BYTES, MAX_FOUND_TEXT, MAX_LISTENING,
};

use crate::collect::Collector;
use crate::diagnose::sockets::{self, Listener};
use crate::limits::Limits;

/// It is told again after this.
pub const AGAIN: Duration = Duration::from_secs(24 * 3600);

/// Reads it; blocks, for as long as looking at all open files of the host takes.
pub fn collect(limits: &Limits, boot_id: Uuid, clock: Clock) -> Found {
    let read = |path| fs::read_to_string(path).ok();
    let host = Collector::new(clock).collect();
    let (processors, processor) = read("/proc/cpuinfo").map(|text| machine::processors(&text)).unwrap_or_default();
    let name = rustix::system::uname();
    let said = |text: &std::ffi::CStr| Some(text.to_string_lossy().into_owned()).filter(|text| !text.is_empty());
    let found = Found {
        hostname: said(name.nodename()),
        os: read("/etc/os-release").or_else(|| read("/usr/lib/os-release")).and_then(|text| machine::system(&text)),
        kernel: said(name.release()),
        architecture: said(name.machine()),
        processors,
        processor,
        memory: host.memory.map(|memory| memory.total),
        swap: host.memory.map(|memory| memory.swap_total).filter(|bytes| *bytes > 0),
        boot_id,
        uptime_secs: clock.now().as_secs(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        file_systems: host.mounts.into_iter().map(|m| FileSystem { path: m.path, total: m.total }).collect(),
        addresses: addresses::list(),
        services: services(limits),
        listening: listening(limits),
        left_out: 0,
    };
    bounded(found)
}

fn services(limits: &Limits) -> Vec<DeclaredService> {
    limits.services.iter().map(|(name, s)| DeclaredService { name: name.clone(), unit: s.is_unit() }).collect()
}

/// Each address and port once, smallest port first, with whoever holds it.
fn listening(limits: &Limits) -> Vec<Listening> {
    let sockets = sockets::listeners();
    let held = holders::of(&sockets, limits);
    let one = |listener: &Listener| {
        let holder = held.get(&listener.inode);
        Listening {
            address: listener.address.ip().to_string(),
            port: listener.address.port(),
            process: holder.map(|holder| holder.process.clone()),
            service: holder.and_then(|holder| holder.service.clone()),
        }
    };
    // Several processes may share a port, each with a socket of its own; one of them speaks for all.
    let mut all: BTreeMap<_, Listening> = BTreeMap::new();
    for listener in &sockets {
        let place = (listener.address.port(), listener.address.ip());
        let seen = one(listener);
        let known = all.entry(place).or_insert_with(|| seen.clone());
        if known.service.is_none() && (seen.service.is_some() || known.process.is_none()) {
            *known = seen;
        }
    }
    all.into_values().collect()
}

/// Within what the protocol allows; what had to go is counted.
fn bounded(mut found: Found) -> Found {
    fn shorten(text: &mut String) {
        text.retain(|c| !c.is_control());
        while text.len() > MAX_FOUND_TEXT {
            text.pop();
        }
    }
    fn keep<T>(list: &mut Vec<T>, most: usize) -> usize {
        let left = list.len().saturating_sub(most);
        list.truncate(most);
        left
    }
    let mut left = keep(&mut found.file_systems, MAX_FOUND)
        + keep(&mut found.addresses, MAX_FOUND)
        + keep(&mut found.services, MAX_FOUND)
        + keep(&mut found.listening, MAX_LISTENING);
    let singles =
        [&mut found.hostname, &mut found.os, &mut found.kernel, &mut found.architecture, &mut found.processor];
    singles.into_iter().flatten().for_each(shorten);
    found.file_systems.iter_mut().for_each(|system| shorten(&mut system.path));
    found.addresses.iter_mut().for_each(shorten);
    found.services.iter_mut().for_each(|service| shorten(&mut service.name));
    for port in &mut found.listening {
        port.process.iter_mut().chain(&mut port.service).for_each(shorten);
    }
    while serde_json::to_string(&found).is_ok_and(|text| text.len() > MAX_FOUND_BYTES - 64) {
        let longest = [found.listening.len(), found.file_systems.len(), found.services.len()];
        let most = longest.into_iter().max().unwrap_or(0);
        if most == 0 {
            break;
        }
        left += keep(&mut found.listening, most - 1)
            + keep(&mut found.file_systems, most - 1)
            + keep(&mut found.services, most - 1);
    }
    found.left_out = u32::try_from(left).unwrap_or(u32::MAX);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described_and_a_socket_of_ours_has_our_name() {
        let kept = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let pid_file = tempfile::NamedTempFile::new().unwrap();
        fs::write(pid_file.path(), std::process::id().to_string()).unwrap();
        let text = format!(
            "[services.shop]\npid_file = \"{}\"\nstatus = [\"/bin/true\"]\n[services.proxy]\nunit = \"nginx.service\"\n",
            pid_file.path().display()
        );
        let limits: Limits = toml::from_str(&text).unwrap();
        let found = collect(&limits, Uuid::from_u128(7), Clock::system());
        assert!(found.processors >= 1 && found.memory.is_some_and(|bytes| bytes > 1_000_000), "{found:?}");
        assert!(found.kernel.is_some() && found.architecture.is_some() && !found.file_systems.is_empty(), "{found:?}");
        let services: Vec<_> = found.services.iter().map(|s| (s.name.as_str(), s.unit)).collect();
        assert_eq!(services, [("proxy", true), ("shop", false)]);
        let port = kept.local_addr().unwrap().port();
        let ours = found.listening.iter().find(|l| l.port == port).expect("it is listened on");
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!((ours.address.as_str(), ours.process.as_deref()), ("127.0.0.1", Some(name.trim_end())));
        assert_eq!(ours.service.as_deref(), Some("shop"));
    }

    #[test]
    fn whatever_there_is_fits_and_what_was_left_out_is_counted() {
        let text = "\u{7}x".repeat(500);
        let port =
            |port| Listening { address: "::".into(), port, process: Some(text.clone()), service: Some(text.clone()) };
        let found = Found {
            os: Some(text.clone()),
            file_systems: (0..100).map(|_| FileSystem { path: text.clone(), total: 1 }).collect(),
            services: (0..100).map(|_| DeclaredService { name: text.clone(), unit: true }).collect(),
            listening: (0..1000).map(port).collect(),
            ..Found::default()
        };
        let kept = bounded(found);
        assert!(serde_json::to_string(&kept).unwrap().len() <= MAX_FOUND_BYTES);
        assert_eq!(kept.os.as_deref(), Some("x".repeat(MAX_FOUND_TEXT).as_str()));
        let left = 1200 - kept.file_systems.len() - kept.services.len() - kept.listening.len();
        assert_eq!((kept.left_out as usize, kept.listening.is_empty()), (left, false));
    }
}
