//! Samples of the audit, of the API's tokens and of its documentation.

use serde_json::json;

use super::{DAY, HOUR, MINUTE, before, clock, id, shell, text};
use crate::Nav;
use crate::api::{ApiPage, Area, Field, Operation};
use crate::settings::{AuditFilter, AuditPage, AuditRow, ScopeChoice, ServiceChoice, Tab, TokenRow, TokensPage, Typed};

/// The audit with entries of a person, a token and a loop.
pub fn audit_page() -> AuditPage {
    let row = AuditRow {
        at: before(2 * MINUTE),
        actor: format!("member {}", id(20)),
        name: Some(text("Sam Rivera")),
        source: Some(text("192.0.2.17")),
        request_id: Some(id(30)),
        action: text("hands_off.start"),
        subject_kind: text("host"),
        subject_id: id(1),
        client: Some(text("Acme")),
        detail: json!({ "hours": 4 }),
        before: None,
        after: Some(json!({ "reason": "disk is being swapped" })),
        link: None,
    };
    AuditPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Audit,
        rows: vec![
            row.clone(),
            AuditRow {
                at: before(HOUR),
                actor: text("loop verify"),
                name: None,
                source: None,
                request_id: None,
                action: text("run.verified"),
                subject_kind: text("run"),
                subject_id: id(12),
                detail: json!({ "outcome": "fixed" }),
                after: None,
                link: Some((41, "5f".repeat(32))),
                ..row.clone()
            },
            AuditRow {
                at: before(DAY),
                actor: format!("token {} of member {}", id(40), id(20)),
                action: text("freeze.set"),
                subject_kind: text("tenant"),
                client: None,
                detail: json!({}),
                before: Some(json!({ "frozen": false })),
                after: Some(json!({ "frozen": true })),
                link: Some((40, "a7".repeat(32))),
                ..row
            },
        ],
        filter: AuditFilter::default(),
        clients: vec![(id(50), text("Acme"))],
        is_later: false,
        older: Some(text("1763960400000000.00000000000000000000000000000001")),
        wrong: None,
        end: Some((41, "5f".repeat(32), before(HOUR))),
        late: 0,
    }
}

/// The audit, asked for what cannot be read, while entries wait too long.
pub fn audit_misread() -> AuditPage {
    let wrong = Some(text("“from” is later than “to”"));
    AuditPage { rows: Vec::new(), older: None, wrong, late: 3, ..audit_page() }
}

/// Tokens in each state, one just made.
pub fn tokens_page() -> TokensPage {
    let row = TokenRow {
        id: id(40),
        name: text("Nightly backup"),
        hint: text("mw_api_7fTq2"),
        by: Some(text("Sam Rivera")),
        service: None,
        minted_by: None,
        scopes: vec![text("read"), text("work")],
        networks: vec![text("192.0.2.0/24")],
        made_at: before(3 * DAY),
        expires_at: before(-27 * DAY),
        used: Some((before(HOUR), Some(text("192.0.2.4")))),
        revoked: None,
        works: true,
        may_revoke: true,
    };
    let scope = |word, label, is_chosen| ScopeChoice { word, label, is_chosen };
    TokensPage {
        shell: shell(Nav::Settings),
        clock: clock(),
        tab: Tab::Tokens,
        rows: vec![
            row.clone(),
            TokenRow {
                id: id(41),
                name: text("Dashboard"),
                service: None,
                by: None,
                minted_by: Some(text("Nightly backup")),
                used: None,
                networks: Vec::new(),
                may_revoke: false,
                ..row.clone()
            },
            TokenRow {
                id: id(42),
                name: text("Old script"),
                service: Some(text("Nightly backup")),
                revoked: Some((before(DAY), text("Alex Kim"))),
                works: false,
                may_revoke: false,
                ..row
            },
        ],
        scopes: vec![
            scope("read", "Read incidents, runs, hosts, clients and limits", true),
            scope("stop", "Stop all actions", false),
            scope("people", "See, invite, change and remove members; make and revoke API tokens", false),
        ],
        services: vec![ServiceChoice { id: id(8), name: text("Nightly backup"), is_chosen: false }],
        typed: Typed { name: String::new(), networks: String::new(), days: 90 },
        made: Some(text("mw_api_7fTq2W0000000000000000000000000000000000000000000000")),
        error: None,
    }
}

/// The page before the first token, and with something typed that cannot be used.
pub fn tokens_none() -> TokensPage {
    let error = Some(text("Choose what it may."));
    TokensPage { rows: Vec::new(), made: None, error, ..tokens_page() }
}

/// The API's documentation with one operation.
pub fn api_page() -> ApiPage {
    let field = |name: &str, place: &str, kind: &str, is_needed| Field {
        name: text(name),
        place: text(place),
        kind: text(kind),
        is_needed,
        about: text("Why; people read it."),
    };
    let operation = Operation {
        method: text("POST"),
        path: text("/api/v1/guardrails/stop"),
        about: text("Stops all actions at once."),
        scope: text("stop"),
        fields: vec![field("reason", "body", "string", true), field("client", "body", "uuid", false)],
        answer: text("Stopped"),
        answered: vec![field("changed", "answer", "boolean", true)],
    };
    ApiPage { areas: vec![Area { name: text("Guardrails"), operations: vec![operation] }] }
}
