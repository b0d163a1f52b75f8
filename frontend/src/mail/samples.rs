//! Sample mails.

use std::time::Duration;

use super::{About, Account, AccountMail, Change, Fixed, Held, NeedsYou};
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

/// Each kind of mail about an account or an organization, with a name.
pub fn accounts() -> Vec<(&'static str, AccountMail)> {
    let organization = "Northwind IT".to_owned();
    let client = Some("Acme Dental".to_owned());
    let says = vec![
        ("sign-up", Account::SignUp { organization: organization.clone() }),
        ("has-account", Account::HasAccount),
        (
            "invitation",
            Account::Invitation {
                organization: organization.clone(),
                by: "Jun Tanaka".to_owned(),
                role: "Technician".to_owned(),
            },
        ),
        ("reset", Account::Reset),
        ("confirm-address", Account::ConfirmAddress),
        ("password-changed", Account::PasswordChanged),
        ("address-asked", Account::AddressAsked { to: "sam@harbor.example".to_owned() }),
        ("address-changed", Account::AddressChanged { to: "sam@harbor.example".to_owned() }),
        (
            "audit-head",
            Account::AuditHead {
                organization: organization.clone(),
                head: format!("4711:{}", "5e".repeat(32)),
                key: "a1".repeat(32),
                signed: format!("mw_head_{}", "Q7".repeat(80)),
            },
        ),
        ("audit-late", Account::AuditLate { organization: organization.clone(), entries: "3".to_owned() }),
        (
            "deletion-asked",
            Account::DeletionAsked {
                organization: organization.clone(),
                client: client.clone(),
                by: "Jun Tanaka".to_owned(),
                at: "7 December 2026, 07:02 UTC".to_owned(),
            },
        ),
        (
            "deletion-called-off",
            Account::DeletionCalledOff {
                organization: organization.clone(),
                client: client.clone(),
                by: "Jun Tanaka".to_owned(),
            },
        ),
        ("deletion-begun", Account::DeletionBegun { organization: organization.clone(), client }),
        (
            "token-made",
            Account::TokenMade {
                organization: organization.clone(),
                name: "Nightly backup".to_owned(),
                scopes: "read, work".to_owned(),
                until: "28 February 2027".to_owned(),
                service: None,
            },
        ),
        (
            "relay-refuses",
            Account::RelayRefuses {
                organization,
                host: "smtp.northwind.example".to_owned(),
                why: "535 Authentication failed".to_owned(),
            },
        ),
        ("second-factor", Account::SecondFactor { is_on: true }),
        ("recovery-codes", Account::RecoveryCodes),
        ("passkey", Account::Passkey { name: "Work laptop".to_owned(), is_added: true }),
    ];
    let link = "https://mend.northwind.example/sign-in".to_owned();
    says.into_iter().map(|(name, says)| (name, AccountMail { says, link: link.clone(), lasts: None })).collect()
}
