//! Sample mails.

use std::time::Duration;

use super::{About, Change, Fixed, Held, NeedsYou};
use crate::samples::{before, clock};

fn about(what: &str, host: &str, client: &str, small_print: &str) -> About {
    About {
        what: what.to_owned(),
        host: Some(host.to_owned()),
        client: client.to_owned(),
        since_at: before(3 * 3_600_000 + 50 * 60_000),
        link: "https://mend.northwind.example/incidents/01935b00-0000-7000-8000-00000000000b".to_owned(),
        clock: clock(),
        small_print: small_print.to_owned(),
    }
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Broke, fixed.
pub fn fixed() -> Fixed {
    Fixed {
        about: about(
            "shop-web",
            "web-01",
            "Acme",
            "A mail of its own because this mapping is new: its first five runs are told one by one. Later ones stand in the digest only.",
        ),
        back_in: Duration::from_millis(4_020),
        broke: lines(&["shop-web ended by signal 9", "port 8080 refused twice"]),
        ran: "Restart a failed service v4".to_owned(),
        changes: vec![
            Change { check: "shop-web runs".to_owned(), before: "not running".to_owned(), after: "running".to_owned() },
            Change {
                check: "shop-web answers".to_owned(),
                before: "refused".to_owned(),
                after: "200 in 41 ms".to_owned(),
            },
        ],
        stable: Duration::from_secs(120),
        recurs: Some("third time in 31 days; look for the cause".to_owned()),
    }
}

/// No known fix.
pub fn needs_you() -> NeedsYou {
    NeedsYou {
        about: about("Disk /var/lib/postgresql", "ehr-db-01", "Tidewater", "Sent at once because it needs a person."),
        brief: "full in 3 h, no known fix".to_owned(),
        reason: "There is no known fix for a database log, and Mendwright never deletes one by itself.".to_owned(),
        is_critical: true,
        now: lines(&["94 % full", "grows by 2.1 GB an hour"]),
        tried: Vec::new(),
        look_first: lines(&["replication slot reporting_1, idle for 9 h"]),
        told_next: None,
    }
}

/// Held by hands off.
pub fn held() -> Held {
    Held {
        about: about("shop-web", "web-01", "Acme", "Sent at once because a fix is held by a person."),
        held_by: "hands off by J. Tanaka".to_owned(),
        reason: Some("replacing a disk".to_owned()),
        until_at: Some(before(-88 * 60_000)),
        would_run: "Restart a failed service v4".to_owned(),
        now: lines(&["shop-web is not running", "port 8080 refuses"]),
    }
}
