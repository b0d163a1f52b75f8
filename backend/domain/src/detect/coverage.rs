//! What of a host its checks watch: services that it declared, and ports that are listened on.

use super::Kind;
use super::reach::Target;

/// One check of the host, on one target.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// The check's name.
    pub name: &'a str,
    /// Its kind.
    pub kind: Kind,
    /// What it looks at.
    pub target: &'a str,
}

/// A port that is listened on.
#[derive(Debug, Clone, Copy)]
pub struct Port<'a> {
    /// Its number.
    pub number: u16,
    /// Who listens.
    pub process: Option<&'a str>,
    /// The declared service that it belongs to.
    pub service: Option<&'a str>,
}

/// The check that looks at a declared service.
pub fn of_service<'a>(service: &str, watches: &[Watch<'a>]) -> Option<&'a str> {
    watches.iter().find(|watch| watch.kind == Kind::Service && watch.target == service).map(|watch| watch.name)
}

/// The check that asks the port, or else looks at the service or the process behind it. That a check of this host asks a
/// port of that number is all that is known: where a name leads, only the probe knows.
pub fn of_port<'a>(port: Port<'_>, watches: &[Watch<'a>]) -> Option<&'a str> {
    let asks = watches.iter().find(|watch| asked(watch) == Some(port.number)).map(|watch| watch.name);
    let serves = || port.service.and_then(|service| of_service(service, watches));
    let runs = || {
        let process = port.process?;
        watches.iter().find(|watch| watch.kind == Kind::Process && watch.target == process).map(|watch| watch.name)
    };
    asks.or_else(serves).or_else(runs)
}

/// The port that a probe asks.
fn asked(watch: &Watch<'_>) -> Option<u16> {
    match Target::parse(watch.kind, watch.target).ok()? {
        Target::Http(url) => url.port_or_known_default(),
        Target::Tcp { port, .. } | Target::Ssh { port, .. } => Some(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHES: &[Watch<'_>] = &[
        Watch { name: "shop runs", kind: Kind::Service, target: "shop" },
        Watch { name: "shop answers", kind: Kind::Http, target: "https://shop.example/health" },
        Watch { name: "mail answers", kind: Kind::Tcp, target: "mail.example:25" },
        Watch { name: "way in", kind: Kind::Ssh, target: "shop.example:2222" },
        Watch { name: "workers", kind: Kind::Process, target: "worker" },
        Watch { name: "room", kind: Kind::Disk, target: "/var" },
    ];

    #[test]
    fn a_service_is_watched_by_a_check_of_its_name_alone() {
        assert_eq!(of_service("shop", WATCHES), Some("shop runs"));
        for other in ["worker", "/var", "sho", ""] {
            assert_eq!(of_service(other, WATCHES), None);
        }
    }

    #[test]
    fn a_port_is_watched_by_who_asks_it_or_looks_at_what_is_behind_it() {
        let port = |number, process, service| of_port(Port { number, process, service }, WATCHES);
        assert_eq!(port(443, Some("nginx"), Some("shop")), Some("shop answers"));
        assert_eq!(port(25, None, None), Some("mail answers"));
        assert_eq!(port(2222, Some("sshd"), None), Some("way in"));
        assert_eq!(port(8080, Some("java"), Some("shop")), Some("shop runs"));
        assert_eq!(port(9000, Some("worker"), None), Some("workers"));
        assert_eq!(port(22, Some("sshd"), None), None);
        assert_eq!(port(22, Some("sshd"), Some("ssh")), None);
    }
}
