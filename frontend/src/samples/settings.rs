//! Samples of the settings, and of the pages before sign-in.

use domain::access::Role;
use domain::secret::Kind;

use super::{DAY, HOUR, MINUTE, before, clock, id, shell, text};
use crate::Nav;
use crate::settings::{
    ClientChoice, CodesPage, DataPage, Deleting, Invited, LimitGroup, LimitRow, LimitsPage, MailPage, MemberRow,
    Organization, PasskeyRow, Passkeys, PeoplePage, Quota, RelaySet, RelayTyped, Second, SecondFactorPage, SecretRow,
    SecretTyped, SecretsPage, ServiceRow, SessionRow, SignOnSet, SignOnSettingsPage, SupportGrant, SupportPage, Tab,
    UsageMonth, UsagePage, YouPage,
};
use crate::signin::{ConfirmPage, PasswordPage, ProvePage, SignUpPage};

/// One's own page, with or without a second factor.
pub fn you_page(second: Second) -> YouPage {
    let session = |id: &str, browser: &str, address: &str, began, seen, is_this| SessionRow {
        id: text(id),
        browser: text(browser),
        address: text(address),
        began_at: before(began),
        seen_at: before(seen),
        is_this,
    };
    YouPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::You,
        email: text("sam@northwind.example"),
        by_sign_on: false,
        codes_left: (second != Second::Off { is_asked_for: true }).then_some(2),
        second,
        passkeys: Passkeys {
            rows: vec![
                PasskeyRow {
                    id: id(31),
                    name: text("Work laptop"),
                    added_at: before(40 * DAY),
                    used_at: Some(before(HOUR)),
                },
                PasskeyRow { id: id(32), name: text("Key in the safe"), added_at: before(39 * DAY), used_at: None },
            ],
            are_possible: true,
        },
        sessions: vec![
            session("a1", "Firefox on Linux", "192.0.2.17", 2 * HOUR, 0, true),
            session("b2", "Safari on iPhone", "198.51.100.4", 20 * HOUR, 40 * MINUTE, false),
        ],
        organizations: vec![
            Organization { id: id(1), name: text("Northwind IT"), is_this: true },
            Organization { id: id(2), name: text("Harbor Services"), is_this: false },
        ],
        done: None,
        error: None,
    }
}

/// A second factor that counts.
pub fn second_on() -> Second {
    Second::On { since_at: before(40 * DAY) }
}

/// One's own page of somebody whom the organization's provider names.
pub fn you_page_by_sign_on() -> YouPage {
    YouPage { by_sign_on: true, ..you_page(second_on()) }
}

/// Limits that are set and that are not, one with a change that waits; or one that was typed wrongly.
pub fn limits_page(wrong: bool) -> LimitsPage {
    let row = |word, label, now: &str, typed: (Option<&str>, Option<&str>), waits: Option<&str>| LimitRow {
        word,
        label,
        now: text(now),
        is_set: !now.starts_with("by ") && !now.starts_with("no "),
        count: typed.0.map(text),
        secs: typed.1.map(text),
        waits: waits.map(text),
    };
    let (some, none) = ((Some("4"), Some("600")), (Some(""), Some("")));
    let by_size = "by the scope’s size";
    let of_organization = vec![
        row("tenant.runs_per_window", "Fixes in a window", by_size, none, None),
        row("tenant.in_flight", "Fixes at once", "no limit of its own", (Some(""), None), None),
    ];
    let eight = "8 in 10 min waits for a second person";
    let of_client = vec![
        row("client.runs_per_window", "Fixes in a window", "4 in 10 min", some, Some(eight)),
        row("client.unproven", "Fixes not verified yet, at once", by_size, (Some(""), None), None),
    ];
    let of_fix =
        vec![row("host_playbook.cooldown_secs", "Rest between two of them", "1 in 15 min", (None, Some("900")), None)];
    LimitsPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Limits,
        groups: vec![
            LimitGroup { title: "The whole organization", rows: of_organization },
            LimitGroup { title: "Each client", rows: of_client },
            LimitGroup { title: "The same fix on the same host", rows: of_fix },
        ],
        delay: text("30 min after the yes"),
        open: wrong.then_some("client.runs_per_window"),
        done: (!wrong).then_some("It holds from now on, also for what waits."),
        error: wrong.then(|| text("This loosens the limit: say why, for the second person.")),
    }
}

/// The organization's own relay: one that refuses, or none.
pub fn relay_page(is_set: bool) -> MailPage {
    let typed = RelayTyped {
        host: text("smtp.northwind.example"),
        port: text("587"),
        tls: text("starttls"),
        sender: text("alerts@northwind.example"),
        user: text("alerts"),
        secret: text("relay.northwind"),
    };
    let refused = Some((before(40 * MINUTE), text("connecting: permanent error (535): authentication failed")));
    MailPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Mail,
        set: is_set.then(|| RelaySet { at: before(3 * DAY), by: text("Sam Rivera"), refused }),
        typed: if is_set { typed } else { RelayTyped { port: text("587"), ..RelayTyped::default() } },
        passwords: if is_set { vec![text("relay.northwind")] } else { Vec::new() },
        done: None,
        error: None,
    }
}

/// Secrets of each kind, one that much refers to.
pub fn secrets_page() -> SecretsPage {
    let row = |n, name: &str, kind, version, set, used: Option<i64>, uses: &[&str]| SecretRow {
        id: id(n),
        name: text(name),
        kind,
        version,
        set_at: before(set),
        set_by: text("Sam Rivera"),
        used_at: used.map(before),
        uses: uses.iter().map(|name| text(name)).collect(),
    };
    SecretsPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Secrets,
        rows: vec![
            row(41, "backup-host", Kind::SshKey, 1, 90 * DAY, None, &[]),
            row(42, "relay.northwind", Kind::SmtpPassword, 2, 3 * DAY, None, &[]),
            row(
                43,
                "status-page-token",
                Kind::ApiKey,
                4,
                HOUR,
                Some(MINUTE),
                &["check “Shop answers”", "check “Portal answers”"],
            ),
        ],
        sealing: Some((2, before(12 * DAY))),
        typed: SecretTyped::default(),
        done: Some(text("What refers to it uses the new value from now on; the old one is gone.")),
        error: None,
    }
}

/// No secret yet, and a name that cannot be one.
pub fn secrets_wrong() -> SecretsPage {
    let error = Some(text("A name is made of small letters, digits, - _ and . and begins with a letter or a digit."));
    let typed = SecretTyped { name: text("Status page"), kind: text("api_key") };
    SecretsPage { rows: Vec::new(), sealing: None, typed, done: None, error, ..secrets_page() }
}

/// When the platform's staff may look: now, or not.
pub fn support_page(is_open: bool) -> SupportPage {
    let grant = |reason: &str, at, ends, ended| SupportGrant {
        by: text("Jun Tanaka"),
        at: before(at),
        reason: text(reason),
        ends_at: before(ends),
        is_alive: ends < 0,
        ended,
    };
    let mut rows =
        vec![grant("The digest never came", 40 * DAY, 39 * DAY, Some((before(39 * DAY + HOUR), text("Sam Rivera"))))];
    if is_open {
        rows.insert(0, grant("Incidents stay open", HOUR, -3 * HOUR, None));
    }
    let error = (!is_open).then(|| text("Say what for: it stands in the audit."));
    SupportPage { shell: shell(Nav::Settings), clock: clock(), tab: Tab::Support, rows, error }
}

/// The organization's provider, set or not.
pub fn sign_on_page(is_set: bool) -> SignOnSettingsPage {
    let of = |word: &str| text(if is_set { word } else { "" });
    SignOnSettingsPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::SignOn,
        issuer: of("https://login.northwind.example"),
        client_id: of("mendwright"),
        domains: of("northwind.example"),
        is_required: is_set,
        way_back: text("https://mend.northwind.example/sso/01935b00-0000-7000-8000-000000000001/callback"),
        link: text("https://mend.northwind.example/sso/01935b00-0000-7000-8000-000000000001"),
        waits: is_set.then(|| text("“no provider” waits for a second person")),
        set: is_set.then(|| SignOnSet { at: before(40 * DAY), by: text("Jun Tanaka") }),
        done: None,
        error: (!is_set).then(|| text("Nothing was set: the provider does not say how it is used.")),
    }
}

/// One's own page without any second factor, where one is asked for.
pub fn you_page_without() -> YouPage {
    let mut page = you_page(Second::Off { is_asked_for: true });
    page.passkeys.rows.clear();
    page
}

/// The page that turns it on.
pub fn second_factor_page() -> SecondFactorPage {
    SecondFactorPage {
        shell: shell(Nav::Settings),
        tab: Tab::You,
        side: 21,
        // A pattern like a code's; the real one is made of the link.
        path: (0..21)
            .flat_map(|y| {
                (0..21).filter(move |x| (x * 7 + y * 5 + x * y) % 3 == 0).map(move |x| format!("M{x} {y}h1v1h-1z"))
            })
            .collect(),
        link: text("otpauth://totp/Mendwright:sam%40northwind.example?secret=GEZDGNBVGY3TQOJQ&issuer=Mendwright"),
        spelled: text("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"),
        is_asked_for: true,
        passkeys: true,
        error: Some(text("That was not the code of this moment. Is the phone’s clock right?")),
    }
}

/// The recovery codes.
pub fn codes_page() -> CodesPage {
    let codes = (0..10).map(|n| format!("abcd-efgh-jkmn-p{:03}", n * 37 + 203)).collect();
    CodesPage { shell: shell(Nav::Settings), tab: Tab::You, codes }
}

/// What an owner takes along or deletes, and while it is being deleted.
pub fn data_page(is_deleting: bool) -> DataPage {
    let mut shell = shell(Nav::Settings);
    shell.settings = Tab::of(Role::Owner, crate::settings::Sees::All);
    let deleting = Deleting { by: text("Jun Tanaka"), asked_at: before(DAY), due_at: before(-6 * DAY), unfinished: 1 };
    DataPage {
        shell,
        clock: clock(),
        tab: Tab::Data,
        left_out: vec![("credentials", "hashes of secrets"), ("tenant_wakeups", "reminders of the server’s loops")],
        deleting: is_deleting.then_some(deleting),
        error: (!is_deleting).then(|| text("That is not its name: nothing was asked for.")),
    }
}

/// A plan that is full, and this month.
pub fn usage_page() -> UsagePage {
    let month = |n, client: &str, most, host_days| UsageMonth {
        month: jiff::civil::date(2026, 11, 1),
        client_id: id(n),
        client: text(client),
        host_days,
        most,
    };
    UsagePage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Usage,
        plan: text("team"),
        keep_days: Some(90),
        reports: Some(240),
        not_kept: 1_206,
        counted: vec![
            Quota { label: "hosts", used: 50, allowed: Some(50) },
            Quota { label: "checks", used: 14, allowed: Some(100) },
            Quota { label: "members", used: 6, allowed: None },
        ],
        today: jiff::civil::date(2026, 11, 24),
        months: vec![month(52, "Acme Dental", 12, 281), month(53, "Riverside School", 38, 902)],
    }
}

fn choices(chosen: &[&str]) -> Vec<ClientChoice> {
    ["Acme Dental", "Pine & Co Law", "Riverside School", "Tidewater Clinic"]
        .iter()
        .enumerate()
        .map(|(n, name)| ClientChoice { id: id(300 + n as u128), name: text(name), is_chosen: chosen.contains(name) })
        .collect()
}

/// The members.
pub fn people_page() -> PeoplePage {
    let member = |n, name: &str, role, clients: Option<&[&str]>, is_you, may_change| MemberRow {
        id: id(n),
        name: text(name),
        email: format!("{}@northwind.example", name.split(' ').next().unwrap_or_default().to_lowercase()),
        role,
        clients: clients.map(|names| names.iter().map(|name| text(name)).collect()),
        choices: choices(clients.unwrap_or_default()),
        is_you,
        may_change,
    };
    PeoplePage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::People,
        members: vec![
            member(1, "Jun Tanaka", Role::Owner, None, false, false),
            member(2, "Sam Rivera", Role::Admin, None, true, false),
            member(3, "Noor Haddad", Role::Technician, Some(&["Acme Dental", "Riverside School"]), false, true),
            member(4, "Ada Pine", Role::ClientViewer, Some(&["Pine & Co Law"]), false, true),
        ],
        invited: vec![Invited {
            id: id(9),
            email: text("lee@northwind.example"),
            role: Role::Technician,
            clients: None,
            by: text("Sam Rivera"),
            expires_at: before(-40 * HOUR),
        }],
        services: vec![ServiceRow {
            id: id(8),
            name: text("Nightly backup"),
            role: Role::Technician,
            clients: Some(vec![text("Acme Dental")]),
            by: text("Sam Rivera"),
        }],
        clients: choices(&[]),
        roles: vec![Role::Admin, Role::Technician, Role::Viewer, Role::ClientViewer],
        requires_second_factor: false,
        may_require: true,
        done: Some("The invitation is on its way to lee@northwind.example."),
        error: None,
    }
}

/// Signing up, where everybody may or nobody.
pub fn sign_up_page(is_open: bool) -> SignUpPage {
    SignUpPage { is_open, organization: text("Northwind IT"), name: text(""), email: text(""), error: None }
}

/// Accepting an invitation as somebody new.
pub fn invitation_page() -> PasswordPage {
    PasswordPage {
        title: text("Join Northwind IT"),
        lead: text("Sam Rivera invites you as a technician. You sign in with lee@northwind.example."),
        action: text("/invitation/sample"),
        email: Some(text("lee@northwind.example")),
        name: Some(text("")),
        is_known: false,
        error: None,
        button: "Join",
    }
}

/// Confirming a new address.
pub fn confirm_page() -> ConfirmPage {
    ConfirmPage {
        title: text("Confirm your new address"),
        lead: text("From then on you sign in with sam@harbor.example."),
        action: text("/confirm-address/sample"),
        button: "Confirm it",
    }
}

/// Proving anew that it is you.
pub fn prove_page() -> ProvePage {
    ProvePage {
        csrf: text("sample-token"),
        next: Some(text("/settings/people")),
        email: text("sam@northwind.example"),
        by_sign_on: None,
        with_code: true,
        has_app: true,
        has_passkey: true,
        error: None,
    }
}
