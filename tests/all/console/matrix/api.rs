//! The API: tokens of every kind of member, with every scope and with few, and tokens that work no more.

use std::collections::BTreeSet;

use domain::access::Act;
use serde_json::{Value, json};
use web::{Config, router};

use super::Asks::{self, May, MayForAll};
use super::{Cells, Rows, Target, World, leaked};
use crate::console::api::{ALL, ROUTES};

/// What a route asks, what scope lets a token do it, whether it names somebody's row, and what is sent.
pub(super) type Row = (&'static str, &'static str, Asks, &'static str, bool, fn(&Target) -> Value);

pub(super) const ROWS: &[Row] = &[
    ("GET", "incidents", May(Act::Read), "read", false, |_| json!(null)),
    ("GET", "incidents/{id}", May(Act::Read), "read", true, |_| json!(null)),
    ("POST", "incidents/{id}/owner", May(Act::WorkIncidents), "work", true, |_| json!({ "answer": "take" })),
    (
        "POST",
        "incidents/{id}/doubt",
        May(Act::WorkIncidents),
        "work",
        true,
        |t| json!({ "run": t.run, "answer": "ran" }),
    ),
    ("GET", "runs", May(Act::Read), "read", false, |_| json!(null)),
    ("GET", "runs/{id}", May(Act::Read), "read", true, |_| json!(null)),
    ("GET", "approvals", May(Act::Read), "read", false, |_| json!(null)),
    (
        "POST",
        "approvals/{id}",
        May(Act::Approve),
        "approve",
        true,
        |_| json!({ "answer": "yes", "plan": "0".repeat(64) }),
    ),
    ("GET", "hosts", May(Act::Read), "read", false, |_| json!(null)),
    ("GET", "hosts/{id}", May(Act::Read), "read", true, |_| json!(null)),
    ("POST", "hosts/{id}/hands-off", May(Act::WorkIncidents), "work", true, |_| json!({ "hours": 1 })),
    ("POST", "hosts/{id}/release", May(Act::WorkIncidents), "work", true, |_| json!({})),
    ("POST", "hosts/{id}/same-machine", May(Act::TrustHost), "trust", true, |_| json!({})),
    ("POST", "hosts/{id}/retire", May(Act::TrustHost), "trust", true, |_| json!({})),
    ("POST", "hosts/{id}/accept", May(Act::TrustHost), "trust", true, |_| json!({})),
    ("POST", "hosts/{id}/refuse", May(Act::TrustHost), "trust", true, |_| json!({})),
    ("POST", "hosts/{id}/claim", May(Act::TrustHost), "trust", true, |_| json!({ "answer": "other" })),
    ("POST", "hosts/{id}/watch", May(Act::ManageClients), "clients", true, |_| json!({ "service": "shop-web" })),
    ("GET", "guardrails", May(Act::Read), "read", false, |_| json!(null)),
    (
        "POST",
        "guardrails/stop",
        May(Act::StopActions),
        "stop",
        true,
        |t| json!({ "client": t.organization.client, "reason": "x" }),
    ),
    ("POST", "guardrails/go", May(Act::LetAct), "let_act", true, |t| json!({ "client": t.organization.client })),
    (
        "POST",
        "guardrails/breaker",
        May(Act::LetAct),
        "let_act",
        false,
        |t| json!({ "breaker": format!("host:{}", t.organization.host), "reason": "x" }),
    ),
    ("POST", "guardrails/interlocks/{id}/release", May(Act::LetAct), "let_act", true, |_| json!({})),
    ("POST", "clients/{id}/hands-off", May(Act::WorkIncidents), "work", true, |_| json!({ "hours": 1 })),
    ("POST", "clients/{id}/release", May(Act::WorkIncidents), "work", true, |_| json!({})),
    ("GET", "changes", May(Act::Read), "read", false, |_| json!(null)),
    ("POST", "changes/{id}", MayForAll(Act::ConfirmChanges), "confirm", true, |_| json!({ "answer": "no" })),
    ("GET", "audit", MayForAll(Act::ReadAudit), "audit", false, |_| json!(null)),
    ("GET", "clients", May(Act::Read), "read", false, |_| json!(null)),
    ("GET", "clients/{id}", May(Act::Read), "read", true, |_| json!(null)),
    (
        "POST",
        "clients",
        MayForAll(Act::ManageClients),
        "clients",
        false,
        |_| json!({ "name": "Dock", "time_zone": "UTC" }),
    ),
    (
        "POST",
        "clients/{id}",
        May(Act::ManageClients),
        "clients",
        true,
        |_| json!({ "name": "Dock", "time_zone": "UTC" }),
    ),
    ("POST", "clients/{id}/archive", May(Act::ManageClients), "clients", true, |_| json!({})),
    ("POST", "clients/{id}/restore", May(Act::ManageClients), "clients", true, |_| json!({})),
    ("GET", "clients/{id}/sites", May(Act::Read), "read", true, |_| json!(null)),
    ("POST", "clients/{id}/sites", May(Act::ManageClients), "clients", true, |_| json!({ "name": "Dock" })),
    ("POST", "clients/{id}/sites/{site}", May(Act::ManageClients), "clients", true, |_| json!({ "name": "Dock" })),
    ("POST", "clients/{id}/sites/{site}/remove", May(Act::ManageClients), "clients", true, |_| json!({})),
    ("GET", "clients/{id}/contacts", May(Act::Read), "read", true, |_| json!(null)),
    ("POST", "clients/{id}/contacts", May(Act::ManageClients), "clients", true, contact),
    ("POST", "clients/{id}/contacts/{contact}", May(Act::ManageClients), "clients", true, contact),
    ("POST", "clients/{id}/contacts/{contact}/remove", May(Act::ManageClients), "clients", true, |_| json!({})),
    ("POST", "hosts/{id}/place", May(Act::ManageClients), "clients", true, |_| json!({ "tags": { "role": "x" } })),
    ("GET", "hosts/{id}/metrics", May(Act::Read), "read", true, |_| json!(null)),
    ("GET", "events", May(Act::Read), "read", false, |_| json!(null)),
    ("GET", "enrolment-tokens", May(Act::EnrolHosts), "enrol", false, |_| json!(null)),
    (
        "POST",
        "enrolment-tokens",
        May(Act::EnrolHosts),
        "enrol",
        true,
        |t| json!({ "client": t.organization.client, "uses": 1, "days": 1 }),
    ),
    ("POST", "enrolment-tokens/{id}/revoke", May(Act::EnrolHosts), "enrol", true, |_| json!({})),
    ("GET", "members", MayForAll(Act::ManagePeople), "people", false, |_| json!(null)),
    (
        "POST",
        "members/{id}",
        MayForAll(Act::ManagePeople),
        "people",
        true,
        |_| json!({ "role": "viewer", "clients": null }),
    ),
    ("POST", "members/{id}/remove", MayForAll(Act::ManagePeople), "people", true, |_| json!({})),
    ("GET", "invitations", MayForAll(Act::ManagePeople), "people", false, |_| json!(null)),
    (
        "POST",
        "invitations",
        MayForAll(Act::ManagePeople),
        "people",
        false,
        |_| json!({ "email": "new@matrix.example", "role": "viewer", "clients": null }),
    ),
    ("POST", "invitations/{id}/revoke", MayForAll(Act::ManagePeople), "people", true, |_| json!({})),
    ("GET", "service-accounts", MayForAll(Act::ManagePeople), "people", false, |_| json!(null)),
    (
        "POST",
        "service-accounts",
        MayForAll(Act::ManagePeople),
        "people",
        false,
        |_| json!({ "name": "Backup", "role": "viewer", "clients": null }),
    ),
    ("POST", "service-accounts/{id}/remove", MayForAll(Act::ManagePeople), "people", true, |_| json!({})),
    ("GET", "tokens", MayForAll(Act::ManagePeople), "people", false, |_| json!(null)),
    (
        "POST",
        "tokens",
        MayForAll(Act::ManagePeople),
        "people",
        false,
        |_| json!({ "name": "another", "scopes": ["read"] }),
    ),
    ("POST", "tokens/{id}/revoke", MayForAll(Act::ManagePeople), "people", true, |_| json!({})),
    ("GET", "organization", MayForAll(Act::ManageOrganization), "settings", false, |_| json!(null)),
    (
        "POST",
        "organization",
        MayForAll(Act::OwnOrganization),
        "own",
        false,
        |_| json!({ "name": "Matrix", "time_zone": "UTC" }),
    ),
    (
        "POST",
        "organization/second-factor",
        MayForAll(Act::ManageOrganization),
        "settings",
        false,
        |_| json!({ "required": true }),
    ),
    ("GET", "limits", MayForAll(Act::ManageOrganization), "settings", false, |_| json!(null)),
    ("POST", "limits/{limit}", MayForAll(Act::ManageOrganization), "settings", false, |_| json!({ "count": 1 })),
    ("GET", "service-groups", May(Act::Read), "read", false, |_| json!(null)),
    ("POST", "clients/{id}/groups", May(Act::ManageClients), "clients", true, pool),
    (
        "POST",
        "clients/{id}/groups/{group}",
        May(Act::ManageClients),
        "clients",
        true,
        |_| json!({ "tags": { "a": "b" } }),
    ),
    ("POST", "clients/{id}/groups/{group}/remove", May(Act::ManageClients), "clients", true, |_| json!({ "why": "x" })),
    ("GET", "secrets", MayForAll(Act::ManageOrganization), "settings", false, |_| json!(null)),
    (
        "POST",
        "secrets",
        MayForAll(Act::ManageOrganization),
        "settings",
        false,
        |_| json!({ "name": "relay", "kind": "api_key", "value": "x" }),
    ),
    ("POST", "secrets/{id}/replace", MayForAll(Act::ManageOrganization), "settings", true, |_| json!({ "value": "x" })),
    ("POST", "secrets/{id}/delete", MayForAll(Act::ManageOrganization), "settings", true, |_| json!({})),
    ("GET", "checks", MayForAll(Act::ManageClients), "clients", false, |_| json!(null)),
    ("POST", "checks/{id}/archive", MayForAll(Act::ManageClients), "clients", true, |_| json!({})),
    ("GET", "channels", MayForAll(Act::ManageOrganization), "settings", false, |_| json!(null)),
    (
        "POST",
        "channels",
        MayForAll(Act::ManageOrganization),
        "settings",
        false,
        |_| json!({ "address": "night@matrix.example" }),
    ),
    ("POST", "channels/{id}/remove", MayForAll(Act::ManageOrganization), "settings", true, |_| json!({})),
    ("POST", "secrets/sealing-key", MayForAll(Act::ManageOrganization), "settings", false, |_| json!({})),
    ("GET", "mail-relay", MayForAll(Act::ManageOrganization), "settings", false, |_| json!(null)),
    ("POST", "mail-relay", MayForAll(Act::ManageOrganization), "settings", false, relay),
    ("POST", "mail-relay/remove", MayForAll(Act::ManageOrganization), "settings", false, |_| json!({})),
    ("GET", "usage", MayForAll(Act::ManageOrganization), "settings", false, |_| json!(null)),
    ("GET", "support-grants", MayForAll(Act::OwnOrganization), "own", false, |_| json!(null)),
    ("POST", "support-grants", MayForAll(Act::OwnOrganization), "own", false, |_| json!({ "hours": 1, "reason": "x" })),
    ("POST", "support-grants/end", MayForAll(Act::OwnOrganization), "own", false, |_| json!({})),
    ("GET", "sign-on", MayForAll(Act::OwnOrganization), "own", false, |_| json!(null)),
    ("POST", "sign-on", MayForAll(Act::OwnOrganization), "own", false, provider),
    ("POST", "sign-on/remove", MayForAll(Act::OwnOrganization), "own", false, |_| json!({ "why": "x" })),
    ("GET", "audit/file", MayForAll(Act::ReadAudit), "audit", false, |_| json!(null)),
    ("GET", "deletions", MayForAll(Act::OwnOrganization), "own", false, |_| json!(null)),
    ("POST", "organization/delete", MayForAll(Act::OwnOrganization), "own", false, |_| json!({ "name": "Ours" })),
    ("POST", "organization/keep", MayForAll(Act::OwnOrganization), "own", false, |_| json!({})),
    ("POST", "clients/{id}/delete", MayForAll(Act::OwnOrganization), "own", true, |_| json!({ "name": "Ours client" })),
    ("POST", "clients/{id}/keep", MayForAll(Act::OwnOrganization), "own", true, |_| json!({})),
    ("GET", "organization/file", MayForAll(Act::OwnOrganization), "own", false, |_| json!(null)),
];

/// The scope that lets a token do this: send it, or where nothing is sent read it.
pub(in crate::console) fn scope_of(path: &str) -> Option<&'static str> {
    let of_path = ROWS.iter().filter(|(_, of, ..)| *of == path);
    of_path.max_by_key(|(method, ..)| *method == "POST").map(|(_, _, _, scope, ..)| *scope)
}

fn pool(_: &Target) -> Value {
    json!({ "name": "Pool", "tags": { "pool": "web" } })
}

fn relay(_: &Target) -> Value {
    json!({ "host": "smtp.matrix.example", "port": 587, "tls": "starttls", "sender": "a@matrix.example", "login": null })
}

fn provider(_: &Target) -> Value {
    json!({ "issuer": "https://login.matrix.example", "client_id": "a", "secret": "x", "domains": ["matrix.example"],
        "required": false, "why": "x" })
}

fn contact(_: &Target) -> Value {
    json!({ "name": "Somebody", "email": "somebody@dock.example", "told": true })
}

/// Lists with ids of others in their address.
const FILTERS: &[&str] = &[
    "incidents?client={client}",
    "incidents?host={host}",
    "runs?host={host}",
    "runs?client={client}",
    "hosts?client={client}",
];

pub(super) fn path(of: &str, target: &Target) -> String {
    let organization = &target.organization;
    let id = match of.split('/').next().unwrap_or_default() {
        "hosts" => organization.host,
        "clients" => organization.client,
        "checks" => organization.check,
        "runs" | "approvals" => target.run,
        "members" => organization.technician,
        _ => organization.incident,
    };
    let mut filled = of.replace("{id}", &id.to_string()).replace("{client}", &organization.client.to_string());
    // Of these there is none: whoever may go on is not asked, and the others do not get as far.
    for something in ["{site}", "{contact}", "{group}"] {
        filled = filled.replace(something, &organization.incident.to_string());
    }
    filled = filled.replace("{limit}", "client.in_flight");
    format!("/api/v1/{}", filled.replace("{host}", &organization.host.to_string()))
}

/// A token and what is known of it.
pub(super) struct Held {
    /// Whose it is: the number of the principal.
    at: usize,
    token: String,
    /// What is shown beside it.
    cookie: String,
    scopes: Vec<&'static str>,
    works: bool,
}

/// Makes tokens for everybody.
pub(super) async fn tokens(world: &mut World) -> Vec<Held> {
    let mut tokens = Vec::new();
    for at in 0..world.principals.len() {
        let Some(email) = world.principals[at].email.clone() else { continue };
        for scopes in [&ALL[..], &["read"]] {
            let (_, token) = world.console.token(&email, scopes, &[]).await;
            tokens.push(Held { at, token, cookie: String::new(), scopes: scopes.to_vec(), works: true });
        }
        let (id, token) = world.console.token(&email, &ALL, &[]).await;
        let (of_token, of_credential) = match at % 2 {
            0 => ("made_at = '2000-01-01', expires_at = '2000-01-02'", "expires_at = '2000-01-02'"),
            _ => ("revoked_at = clock_timestamp(), revoked_by = 'x'", "revoked_at = clock_timestamp()"),
        };
        world.console.execute(format!("UPDATE api_tokens SET {of_token} WHERE token_id = '{id}'")).await;
        world.console.execute(format!("UPDATE credentials SET {of_credential} WHERE subject_id = '{id}'")).await;
        tokens.push(Held::ended(at, token));
        let (_, token) = world.console.token(&email, &ALL, &["203.0.113.0/24"]).await;
        tokens.push(Held::ended(at, token));
    }
    let at = world.principals.iter().position(|principal| principal.member.is_none()).unwrap();
    for token in ["", "mw_api_nonsense", "Basic"] {
        tokens.push(Held::ended(at, token.to_owned()));
    }
    // What agents hold is no token of the API, whichever of it is shown.
    for agent in [&world.agents[0], &world.agents[2]] {
        let at = world.principals.iter().position(|principal| principal.name.starts_with(agent.name)).unwrap();
        for (token, cookie) in agent.shows() {
            tokens.push(Held { cookie: format!("__Host-session={cookie}"), ..Held::ended(at, token) });
        }
    }
    for (n, program) in world.programs.iter().enumerate() {
        let (at, token, works) = (world.principals.len() + n, program.token.clone(), program.works);
        tokens.push(Held { at, token, cookie: String::new(), scopes: program.scopes.clone(), works });
    }
    tokens
}

impl Held {
    /// The token, where it is one: also one that works no more was one once.
    pub(super) fn secret(&self) -> Option<&str> {
        keys::token::parse(&self.token).is_ok().then_some(self.token.as_str())
    }

    /// One that works no more, or never did.
    fn ended(at: usize, token: String) -> Held {
        Held { at, token, cookie: String::new(), scopes: ALL.to_vec(), works: false }
    }
}

/// Asks for everything with everybody's tokens.
pub(super) async fn ask_all(world: &mut World, tokens: &[Held], rows: &mut Rows, cells: &mut Cells) {
    let of_rows: BTreeSet<_> = ROWS.iter().map(|(method, of, ..)| (*method, format!("/api/v1/{of}"))).collect();
    let of_routes: BTreeSet<_> = ROUTES.iter().map(|(method, path)| (*method, (*path).to_owned())).collect();
    assert_eq!(of_rows, of_routes, "each route of the API has a row");
    for held in tokens {
        ask_with(world, cells, held).await;
        let changed = rows.changed(&mut world.console.rows).await;
        if !changed.is_empty() {
            let (name, scopes) = (&world.who(held.at).name, &held.scopes);
            cells.wrong.push(format!("a token of {name} with {scopes:?} changed rows of {changed:?}"));
        }
    }
}

async fn ask_with(world: &mut World, cells: &mut Cells, held: &Held) {
    let Held { at, token, cookie, scopes, works } = held;
    let (at, works) = (*at, *works);
    let beside: Vec<(&str, &str)> = if cookie.is_empty() { Vec::new() } else { vec![("cookie", cookie.as_str())] };
    for (method, of, asks, scope, named, body) in ROWS {
        // Nobody is slowed down here: the allowances are those of a router.
        world.console.router = router(world.console.app(Config::new("https://mend.example")));
        let (principal, canaries) = (world.who(at), &world.canaries);
        let mut answers = BTreeSet::new();
        for target in world.targets.iter().take(if *named { world.targets.len() } else { 1 }) {
            let member = principal.member.as_ref();
            let is_wide = of.starts_with("changes");
            let sees = member.is_some_and(|m| m.sees(&target.whose) && (!is_wide || m.clients.is_none()));
            let may = works && scopes.contains(scope) && member.is_some_and(|m| m.may(*asks));
            let is_open = may && (!named || sees);
            // What changes something is not done: that a file was taken is an entry too. What never ends is heard in
            // `console::events`.
            if is_open && (*method == "POST" || ["events", "audit/file", "organization/file"].contains(of)) {
                continue;
            }
            let path = path(of, target);
            let body = (*method == "POST").then(|| body(target));
            let (status, headers, said) = world.console.api(method, &path, token, &beside, body).await;
            cells.add(status);
            let text = said.to_string();
            let leak = leaked(canaries, principal, &text);
            let fault = match status.as_u16() {
                _ if leak.is_some() || !works && text.contains("canary") => Some("shows a canary"),
                500.. => Some("fails"),
                429 => Some("is slowed down"),
                _ if !headers.contains_key("x-content-type-options") => Some("has no security headers"),
                401 if !works => None,
                _ if !works => Some("is let in"),
                200 if is_open => None,
                _ if is_open => Some("is refused"),
                403 | 404 => None,
                _ => Some("is not refused"),
            };
            if let Some(fault) = fault {
                let (who, leak) = (&principal.name, leak.unwrap_or_default());
                cells.wrong.push(format!("{method} {path} as {who} with {scopes:?}: {status} {fault} {leak}"));
            }
            if *named && !sees {
                let of = &target.organization;
                let ids = [of.technician, of.client, of.host, of.incident, target.run];
                answers.insert(ids.iter().fold(text, |text, id| text.replace(&id.to_string(), "ID")));
            }
        }
        if answers.len() > 1 {
            cells
                .wrong
                .push(format!("{method} {of} as {}: what is not theirs is told apart: {answers:?}", principal.name));
        }
    }
    world.console.router = router(world.console.app(Config::new("https://mend.example")));
    let (principal, canaries) = (world.who(at), &world.canaries);
    for of in FILTERS {
        for target in &world.targets {
            let path = path(of, target);
            let (status, _, said) = world.console.api("GET", &path, token, &beside, None).await;
            cells.add(status);
            if leaked(canaries, principal, &said.to_string()).is_some() || status.is_server_error() {
                cells.wrong.push(format!("GET {path} as {} with {scopes:?}: {status}", principal.name));
            }
        }
    }
}
