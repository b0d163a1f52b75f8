//! Samples of the operators' pages.

use std::time::Duration;

use domain::organization::Standing;
use domain::quota::Plan;

use super::{DAY, HOUR, MINUTE, before, clock, id, text};
use crate::platform::{Done, LagRow, OrganizationRow, PlatformPage, SecondPage, SignRow, Weather};

/// Three organizations.
pub fn platform_page() -> PlatformPage {
    let row = |n, name: &str, state: &str, plan: &str, hosts, is_stopped| {
        OrganizationRow(Standing {
            tenant_id: id(n),
            name: text(name),
            state: text(state),
            plan: text(plan),
            clients: 14,
            hosts,
            linked: hosts - 2,
            checks: 40,
            members: 6,
            open_incidents: 3,
            running: 1,
            is_stopped,
            deletes_at: (n == 3).then(|| before(-6 * DAY)),
            versions: [(text("0.9.1"), hosts - 2), (text("0.9.0"), 2)].into(),
        })
    };
    let team = Plan { name: text("team"), max_hosts: Some(50), ..Plan::default() };
    PlatformPage {
        csrf: text("sample-token"),
        email: text("ops@mend.example"),
        clock: clock(),
        is_stopped: false,
        storm: weather(false),
        organizations: vec![
            row(1, "Northwind IT", "active", "team", 58, false),
            row(2, "Harbor Services", "suspended", "unlimited", 12, true),
            row(3, "Old Mill Support", "active", "team", 4, true),
        ],
        next: Some(id(3)),
        plans: vec![team, Plan { name: text("unlimited"), ..Plan::default() }],
        lags: vec![LagRow { queue: text("classify"), due: 3, oldest: Duration::from_millis(420) }],
        done: vec![Done {
            at: before(3 * HOUR),
            actor: text("operator ops@mend.example"),
            action: text("organization.suspended"),
            about: text("unpaid"),
        }],
        error: None,
    }
}

fn weather(is_on: bool) -> Weather {
    let row = |label, count, limit| SignRow { label, count, limit };
    Weather {
        on: is_on.then(|| (false, before(4 * MINUTE), before(-6 * MINUTE))),
        signs: [
            row("a fix went badly", if is_on { 4 } else { 0 }, 4),
            row("a storm of their own holds fixes", 1, 4),
            row("a fix began", 3, 19),
        ],
        organizations: 38,
    }
}

/// The same in a storm that was measured.
pub fn platform_in_a_storm() -> PlatformPage {
    PlatformPage { storm: weather(true), ..platform_page() }
}

/// The second factor, before or once it counts.
pub fn platform_second(counts: bool) -> SecondPage {
    SecondPage {
        csrf: text("sample-token"),
        side: 21,
        path: (0..21).map(|y| format!("M{y} {y}h1v1h-1z")).collect(),
        link: text("otpauth://totp/Mendwright:ops%40mend.example?secret=GEZDGNBVGY3TQOJQ&issuer=Mendwright"),
        spelled: text("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"),
        codes: if counts {
            (0..10).map(|n| format!("abcd-efgh-jkmn-p{:03}", n * 37 + 203)).collect()
        } else {
            Vec::new()
        },
        error: None,
    }
}
