//! Sample hosts.

use super::{DAY, HOUR, MINUTE, before, clock, id, ms, row, shell, text};
use crate::{
    HandsOff, Limit, LimitResult, Link, Nav, Pair, Used, Verdict,
    host::{CheckRow, Claim, HostPage, OwnLimit, Says},
    hosts::{HostFilter, HostRow, HostsPage, Newcomer, Tally, Trust},
    incidents::Standing,
    inventory::{Inventory, Port, Unwatched},
    metrics::{Disk, Figure, Metrics, Service, Unit},
};

fn newcomers() -> Vec<Newcomer> {
    [("lab-17", 4), ("lab-18", 3)]
        .into_iter()
        .zip(6..)
        .map(|((name, minutes), n)| Newcomer {
            id: id(n),
            name: text(name),
            client: text("Riverside School"),
            since: before(minutes * MINUTE),
            agent: Some(text("0.1.0, low-risk")),
        })
        .collect()
}

/// A list with one of each; empty when asked for.
pub fn hosts_page(empty: bool) -> HostsPage {
    let host = |n: u128,
                name: &str,
                client: &str,
                link: Link,
                trust: Trust,
                (ok, warning, critical, no_data): (u32, u32, u32, u32),
                off: Option<i64>| HostRow {
        id: id(n),
        name: text(name),
        client: text(client),
        link,
        trust,
        checks: Tally { ok, warning, critical, no_data },
        agent: (n != 5).then(|| text("0.1.0, low-risk")),
        hands_off_until_at: off.map(before),
    };
    let linked = || Link::Linked { since_at: before(3 * HOUR) };
    let not_yet = Trust::NotYet { reason: text("Its journal is older than what it told before.") };
    let rows = vec![
        host(1, "web-01", "Acme Dental", linked(), Trust::Trusted, (7, 0, 1, 0), Some(-88 * MINUTE)),
        host(2, "web-02", "Acme Dental", linked(), Trust::Trusted, (8, 0, 0, 0), None),
        host(
            3,
            "app-02",
            "Orchard Foods",
            Link::Silent { since_at: before(12 * MINUTE) },
            Trust::Trusted,
            (0, 0, 0, 6),
            None,
        ),
        host(
            4,
            "restored-db-01.very-long-name.internal.kestrel.example",
            "Kestrel Engineering",
            linked(),
            not_yet,
            (4, 1, 0, 1),
            None,
        ),
        host(5, "new-05", "Lumen Studio", Link::NeverHeard, Trust::Trusted, (0, 0, 0, 0), None),
    ];
    HostsPage {
        shell: shell(Nav::Hosts),
        clock: clock(),
        rows: if empty { Vec::new() } else { rows },
        all: if empty { 0 } else { 105 },
        silent: if empty { 0 } else { 2 },
        filter: HostFilter::default(),
        clients: vec![(id(1), text("Acme Dental")), (id(2), text("Orchard Foods"))],
        next: (!empty).then(|| id(5)),
        is_later: false,
        newcomers: if empty { Vec::new() } else { newcomers() },
        may_trust: true,
        may_enrol: true,
        enrol_command: Some(text("mendwright-agent enrol --server https://mend.northwind.example --token TOKEN")),
    }
}

/// A host with something to say everywhere.
pub fn host_page(trust: Trust, hands_off: bool) -> HostPage {
    // A newcomer's page shows what is asked of it, and what another machine may ask.
    let is_claimed = trust == Trust::Newcomer;
    let check = |name: &str, verdict, reading: &str, why: Option<&str>, since: i64| CheckRow {
        made_here: name.contains("shop").then(|| id(91)),
        name: text(name),
        verdict,
        reading: text(reading),
        why: why.map(text),
        since_at: Some(before(since)),
        every: Some(ms(5_000)),
    };
    let limit = |label: &str, used, of, because: &str, frees: Option<i64>| Limit {
        label: text(label),
        used: Some(Used { used, of, unit: String::new() }),
        state: None,
        because: text(because),
        frees_at: frees.map(before),
        result: if used < of { LimitResult::Allowed } else { LimitResult::Held },
    };
    let own = |label: &str, values: &[&str]| OwnLimit {
        label: text(label),
        says: Says::Names(values.iter().map(|v| text(v)).collect()),
    };
    HostPage {
        shell: shell(Nav::Hosts),
        clock: clock(),
        id: id(1),
        name: text("web-01"),
        client_id: id(50),
        client: text("Acme Dental"),
        site: Some(text("Main building")),
        tags: vec![text("role=web"), text("env=prod")],
        link: Link::Linked { since_at: before(3 * HOUR) },
        trust,
        agent: Some(text("0.1.0")),
        inventory: vec![
            Pair { label: text("System"), value: text("Debian 12.8, kernel 6.1.148") },
            Pair { label: text("Up"), value: text("16 days") },
        ],
        found: Some(inventory()),
        claim: is_claimed.then(|| Claim {
            key: text("00"),
            hostname: text("web-01-new"),
            address: Some(text("192.0.2.17")),
            asked_at: before(3 * MINUTE),
        }),
        hands_off: hands_off.then(|| HandsOff {
            by: text("J. Tanaka"),
            until_at: before(-88 * MINUTE),
            reason: Some(text("replacing a disk")),
        }),
        metrics: Some(metrics()),
        services: [("shop-web", "failed", true), ("redis", "running", true), ("cron", "stopped", false)]
            .map(|(name, state, watched)| Service { name: text(name), state: text(state), watched })
            .to_vec(),
        checks: vec![
            check(
                "shop-web answers",
                Verdict::Critical,
                "connection refused",
                Some("bad since 4 s; counts after 2 s"),
                4_000,
            ),
            check("Disk /var", Verdict::Warning, "86 % used", None, 2 * HOUR),
            check(
                "RAID health",
                Verdict::NoData,
                "timed out after 10 s",
                Some("no data is not good data: nothing is done"),
                30 * MINUTE,
            ),
            check("cron runs", Verdict::Ok, "not running", Some("stopped on purpose, no failure"), 5 * MINUTE),
            check("search runs", Verdict::Ok, "starting", Some("inside its grace after boot, 9 min left"), 6 * MINUTE),
            check("Memory", Verdict::Ok, "61 % used", None, 16 * DAY),
        ],
        own_limits: vec![
            own("May restart", &["shop-web", "redis"]),
            own("May delete in", &["/var/log", "/var/cache"]),
            own("May reboot", &[]),
            own("Never", &["/srv"]),
        ],
        limits: vec![
            limit("Host, at once", 0, 1, "", None),
            limit("Runs, 1 h", 1, 3, "shop-web at 06:12", Some(-10 * MINUTE)),
            limit("Same fix, 1 day", 3, 3, "shop-web, three times", Some(-20 * HOUR)),
        ],
        incidents: vec![
            row(11, Standing::Healing, "shop-web stopped", "Acme Dental", "", 4_000, None, "restarting it"),
            row(
                12,
                Standing::Fixed,
                "shop-web stopped, back in 0.4 s",
                "Acme Dental",
                "",
                3 * HOUR,
                Some(3 * HOUR - 400),
                "“Restart a failed service” v4",
            ),
        ],
        may_manage: true,
        may_act: true,
        may_trust: true,
    }
}

/// What the host said at its link.
fn inventory() -> Inventory {
    let pair = |label: &str, value: &str| Pair { label: text(label), value: text(value) };
    let port = |at: &str, who: Option<&str>, check: Option<&str>| Port {
        at: text(at),
        who: who.map(text),
        watched_by: check.map(text),
    };
    let unwatched = |what: &str, why: &str| Unwatched { what: text(what), why: text(why) };
    Inventory {
        told_at: before(3 * HOUR),
        facts: vec![
            pair("System", "Debian GNU/Linux 12 (bookworm), kernel 6.1.0-18-amd64, x86_64"),
            pair("Processors", "4 × A Processor @ 2.40GHz"),
            pair("Memory", "8.6\u{a0}GB, swap 1.1\u{a0}GB"),
            pair("Calls itself", "web-01.northwind.example"),
            pair("Addresses", "192.0.2.7, 2001:db8::7"),
        ],
        file_systems: vec![pair("/", "43\u{a0}GB"), pair("/var", "107\u{a0}GB")],
        ports: vec![
            port("0.0.0.0:22", Some("sshd"), None),
            port("127.0.0.1:6379", Some("redis-server, of redis"), Some("redis runs")),
            port("0.0.0.0:8080", Some("shop, of shop-web"), Some("shop-web answers")),
            port("127.0.0.1:9100", None, None),
        ],
        left_out: 2,
        unwatched: vec![
            unwatched("cron", "declared in agent.toml"),
            unwatched("port 22", "sshd listens on 0.0.0.0"),
            unwatched("port 9100", "somebody listens on 127.0.0.1, the host’s own address"),
        ],
        all: 7,
    }
}

/// A day that rises and falls, with a gap, and a fix in it.
fn metrics() -> Metrics {
    let now = clock().now;
    let figure = |title: &str, unit, of: &str, low: f32, high: f32| {
        let value = |n: i64| {
            let wave = ((n as f32 / 24.0).sin() + (n as f32 / 3.7).sin() / 4.0 + 1.25) / 2.5;
            (!(120..132).contains(&n)).then_some(low + (high - low) * wave)
        };
        let points: Vec<_> = (0..288).map(|n| (before((288 - n) * 5 * MINUTE), value(n))).collect();
        Figure { title: text(title), unit, of: text(of), now: points.last().and_then(|(_, value)| *value), points }
    };
    let disk = |path: &str, used, available, inodes| Disk {
        path: text(path),
        used,
        available,
        total: 107_374_182_400,
        inodes,
    };
    Metrics {
        at: before(4_000),
        span: domain::metrics::Span::Day,
        figures: vec![
            figure("Processor", Unit::Percent, "of 4 cores", 8.0, 44.0),
            figure("Memory", Unit::Percent, "of 8.6\u{a0}GB", 58.0, 63.0),
            figure("Load", Unit::Load, "", 0.2, 3.1),
            figure("Disk, fullest", Unit::Percent, "/var", 84.0, 86.0),
            figure("Network in", Unit::Rate, "", 9_000.0, 4_200_000.0),
            figure("Network out", Unit::Rate, "", 60_000.0, 12_000_000.0),
        ],
        disks: vec![
            disk("/var", 86.0, 15_032_385_536, Some(12.0)),
            disk("/", 38.0, 66_571_993_088, Some(9.0)),
            disk("/boot/efi", 4.0, 103_079_215_104, None),
        ],
        fixes: vec![before(3 * HOUR)],
        now,
    }
}
