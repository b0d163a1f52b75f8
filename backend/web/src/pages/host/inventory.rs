//! What a host said it is, and what of it no check watches.

use domain::detect::Kind;
use domain::detect::coverage::{self, Watch};
use serde_json::Value;
use store::inventory::Inventory as Told;
use store::pages::hosts::CheckRow;
use views::Pair;
use views::inventory::{Inventory, Port, Unwatched};
use views::metrics::bytes;

/// As its page shows it.
pub fn inventory(told: &Told, checks: &[CheckRow]) -> Inventory {
    let found = &told.found;
    let watches: Vec<Watch<'_>> = checks.iter().filter_map(watch).collect();
    let list = |key: &str| found.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let services = list("services").iter().filter_map(|service| word(service, "name"));
    let mut unwatched: Vec<_> = services
        .filter(|name| coverage::of_service(name, &watches).is_none())
        .map(|name| Unwatched { what: name.to_owned(), why: "declared in agent.toml".to_owned() })
        .collect();
    let mut ports = Vec::new();
    for listening in list("listening") {
        let Some((port, at)) = number(listening, "port").zip(word(listening, "address")) else { continue };
        let (process, service) = (word(listening, "process"), word(listening, "service"));
        let Ok(number) = u16::try_from(port) else { continue };
        let watched_by = coverage::of_port(coverage::Port { number, process, service }, &watches);
        let shown = if at.contains(':') { format!("[{at}]:{port}") } else { format!("{at}:{port}") };
        if watched_by.is_none() {
            let who = process.unwrap_or("somebody");
            let own = if is_own(at) { ", the host’s own address" } else { "" };
            unwatched.push(Unwatched { what: format!("port {port}"), why: format!("{who} listens on {at}{own}") });
        }
        let who = match (process, service) {
            (Some(process), Some(service)) => Some(format!("{process}, of {service}")),
            (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
            (None, None) => None,
        };
        ports.push(Port { at: shown, who, watched_by: watched_by.map(str::to_owned) });
    }
    let size = |system: &Value| {
        let (path, total) = word(system, "path").zip(number(system, "total"))?;
        Some(Pair { label: path.to_owned(), value: bytes(total as f64) })
    };
    Inventory {
        told_at: told.told_at,
        facts: facts(found, list("addresses")),
        file_systems: list("file_systems").iter().filter_map(size).collect(),
        all: list("services").len() + ports.len(),
        ports,
        left_out: number(found, "left_out").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        unwatched,
    }
}

fn facts(found: &Value, addresses: &[Value]) -> Vec<Pair> {
    let pair = |label: &str, value: String| Pair { label: label.to_owned(), value };
    let mut facts = Vec::new();
    let kernel = word(found, "kernel").map(|kernel| format!("kernel {kernel}"));
    let system = [word(found, "os").map(str::to_owned), kernel, word(found, "architecture").map(str::to_owned)];
    let system: Vec<_> = system.into_iter().flatten().collect();
    if !system.is_empty() {
        facts.push(pair("System", system.join(", ")));
    }
    match (number(found, "processors"), word(found, "processor")) {
        (Some(count), Some(model)) => facts.push(pair("Processors", format!("{count} × {model}"))),
        (Some(count), None) => facts.push(pair("Processors", count.to_string())),
        (None, _) => {}
    }
    if let Some(memory) = number(found, "memory") {
        let swap = number(found, "swap").map(|swap| format!(", swap {}", bytes(swap as f64)));
        facts.push(pair("Memory", format!("{}{}", bytes(memory as f64), swap.unwrap_or_default())));
    }
    facts.extend(word(found, "hostname").map(|name| pair("Calls itself", name.to_owned())));
    let addresses: Vec<_> = addresses.iter().filter_map(Value::as_str).collect();
    if !addresses.is_empty() {
        facts.push(pair("Addresses", addresses.join(", ")));
    }
    facts
}

fn watch(row: &CheckRow) -> Option<Watch<'_>> {
    let kind: Kind = serde_json::from_value(row.definition.get("kind")?.clone()).ok()?;
    Some(Watch { name: &row.check, kind, target: &row.target })
}

fn is_own(address: &str) -> bool {
    address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn word<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn check(name: &str, kind: &str, target: &str) -> CheckRow {
        let at = Timestamp::from_second(1).unwrap();
        CheckRow {
            made_here: None,
            check: name.into(),
            target: target.into(),
            definition: json!({"name": name, "kind": kind}),
            verdict: "ok".into(),
            verdict_at: at,
            pending_verdict: None,
            excused: None,
            readings: json!({}),
            observed_at: at,
        }
    }

    #[test]
    fn what_no_check_watches_is_named_with_its_reason() {
        let found = json!({
            "os": "Debian 12", "kernel": "6.1", "processors": 2, "memory": 8_000_000_000_u64, "addresses": ["192.0.2.7"],
            "file_systems": [{"path": "/", "total": 43_000_000_000_u64}], "left_out": 1,
            "services": [{"name": "shop"}, {"name": "cron"}],
            "listening": [
                {"address": "0.0.0.0", "port": 22, "process": "sshd"},
                {"address": "::1", "port": 5432},
                {"address": "::", "port": 8080, "process": "java", "service": "shop"},
            ],
        });
        let told = Told { told_at: Timestamp::from_second(9).unwrap(), found };
        let shown = inventory(&told, &[check("shop runs", "service", "shop"), check("a new kind", "moon", "22")]);
        let unwatched: Vec<_> = shown.unwatched.iter().map(|u| (u.what.as_str(), u.why.as_str())).collect();
        let expected = [
            ("cron", "declared in agent.toml"),
            ("port 22", "sshd listens on 0.0.0.0"),
            ("port 5432", "somebody listens on ::1, the host’s own address"),
        ];
        assert_eq!((unwatched.as_slice(), shown.all, shown.watched()), (expected.as_slice(), 5, 2));
        let ports: Vec<_> =
            shown.ports.iter().map(|p| (p.at.as_str(), p.who.as_deref(), p.watched_by.as_deref())).collect();
        let expected = [
            ("0.0.0.0:22", Some("sshd"), None),
            ("[::1]:5432", None, None),
            ("[::]:8080", Some("java, of shop"), Some("shop runs")),
        ];
        assert_eq!(ports, expected);
        let facts: Vec<_> = shown.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect();
        let expected =
            ["System: Debian 12, kernel 6.1", "Processors: 2", "Memory: 8.0\u{a0}GB", "Addresses: 192.0.2.7"];
        assert_eq!((facts.as_slice(), shown.left_out), (expected.map(str::to_owned).as_slice(), 1));
    }

    #[test]
    fn what_a_later_agent_says_otherwise_is_passed_over() {
        let found =
            json!({"services": "none", "listening": [{"port": 99_999, "address": "x"}, 7], "processors": "two"});
        let shown = inventory(&Told { told_at: Timestamp::from_second(9).unwrap(), found }, &[]);
        assert_eq!((shown.all, shown.facts.len(), shown.ports.len()), (0, 0, 0));
    }
}
