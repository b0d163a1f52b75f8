//! Every route as a stranger, as a member of another organization and as one whose clients are others, each with real
//! ids of ours: sign-in, or the answer of what does not exist. A route that is missing here fails.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, StatusCode, header};
use uuid::Uuid;

use super::Console;
use crate::support::workspace;

/// What a route gives to whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Gives {
    /// To everybody the same; it knows nobody's rows.
    Everybody,
    /// To members their own, and nothing of ours; strangers sign in.
    OwnOnly,
    /// To those who may see the row it names; to other members what does not exist; strangers sign in.
    Named,
    /// To operators of the platform; to everybody else, strangers too, what does not exist.
    Operators,
}
use Gives::{Everybody, Named, Operators, OwnOnly};

/// Method, path, form (`{run}` is a run in doubt of ours, `{host}` our host), what it gives.
pub(super) const ROUTES: &[(&str, &str, &str, Gives)] = &[
    ("GET", "/", "", OwnOnly),
    ("GET", "/sign-in", "", Everybody),
    ("POST", "/sign-in", "email=nobody%40ours.example&password=x", Everybody),
    ("GET", "/sign-in/second", "", Everybody),
    ("POST", "/sign-in/second", "code=123456", Everybody),
    ("POST", "/sign-in/second/passkey", "credential=x", Everybody),
    ("POST", "/sign-in/second/passkey/begin", "", Everybody),
    ("POST", "/sign-in/passkey", "credential=x", Everybody),
    ("POST", "/sign-in/passkey/begin", "", Everybody),
    ("GET", "/support/{token}", "", Everybody),
    ("POST", "/support/{token}", "", Everybody),
    ("GET", "/sso/{id}", "", Everybody),
    ("GET", "/sso/{id}/begin", "", Everybody),
    ("GET", "/sso/{id}/callback", "", Everybody),
    ("GET", "/sign-up", "", Everybody),
    ("POST", "/sign-up", "organization=Acme&name=A&email=a%40acme.example", Everybody),
    ("GET", "/sign-up/{token}", "", Everybody),
    ("POST", "/sign-up/{token}", "password=x", Everybody),
    ("GET", "/reset", "", Everybody),
    ("POST", "/reset", "email=nobody%40ours.example", Everybody),
    ("GET", "/reset/{token}", "", Everybody),
    ("POST", "/reset/{token}", "password=x", Everybody),
    ("GET", "/invitation/{token}", "", Everybody),
    ("POST", "/invitation/{token}", "name=A&password=x", Everybody),
    ("GET", "/confirm-address/{token}", "", Everybody),
    ("POST", "/confirm-address/{token}", "", Everybody),
    ("GET", "/confirm", "", OwnOnly),
    ("POST", "/confirm", "&password=x", OwnOnly),
    ("POST", "/confirm/passkey", "&credential=x", OwnOnly),
    ("POST", "/confirm/passkey/begin", "", OwnOnly),
    ("POST", "/sign-out", "", OwnOnly),
    ("GET", "/settings", "", OwnOnly),
    ("POST", "/settings/password", "&old=x&new=y", OwnOnly),
    ("POST", "/settings/address", "&email=other%40theirs.example", OwnOnly),
    ("POST", "/settings/organization", "&tenant={host}", OwnOnly),
    ("POST", "/settings/sessions/end", "", OwnOnly),
    ("POST", "/settings/sessions/{session}/end", "", OwnOnly),
    ("GET", "/settings/second-factor", "", OwnOnly),
    ("POST", "/settings/second-factor", "&code=x", OwnOnly),
    ("POST", "/settings/second-factor/off", "", OwnOnly),
    ("POST", "/settings/passkeys", "&name=Key&credential=x", OwnOnly),
    ("POST", "/settings/passkeys/begin", "", OwnOnly),
    ("POST", "/settings/passkeys/{id}/remove", "", OwnOnly),
    ("POST", "/settings/codes", "", OwnOnly),
    ("GET", "/settings/people", "", OwnOnly),
    ("POST", "/settings/people", "&email=new%40theirs.example&role=viewer&sees=all", OwnOnly),
    ("POST", "/settings/people/second-factor", "&required=no", OwnOnly),
    ("POST", "/settings/people/services", "&name=Backup&role=viewer&sees=all", OwnOnly),
    ("POST", "/settings/people/services/{id}/remove", "", Named),
    ("POST", "/settings/people/{id}", "&role=viewer&sees=all", Named),
    ("POST", "/settings/people/{id}/remove", "", Named),
    ("POST", "/settings/invitations/{id}/revoke", "", Named),
    ("GET", "/incidents", "", OwnOnly),
    ("POST", "/incidents/owners", "&answer=take&incident={incident}", OwnOnly),
    ("GET", "/incidents/{id}", "", Named),
    ("POST", "/incidents/{id}/owner", "&answer=acknowledge", Named),
    (
        "POST",
        "/incidents/{id}/approval",
        "&run_id={run}&plan=0000000000000000000000000000000000000000000000000000000000000000&answer=yes",
        Named,
    ),
    ("POST", "/incidents/{id}/doubt", "&run_id={run}&answer=ran", Named),
    ("GET", "/approvals", "", OwnOnly),
    ("GET", "/clients", "", OwnOnly),
    ("POST", "/clients", "&name=Dock&zone=UTC", OwnOnly),
    ("GET", "/clients/import", "", OwnOnly),
    ("POST", "/clients/import", "&step=preview&text=client%0ADock", OwnOnly),
    ("GET", "/clients/{id}", "", Named),
    ("POST", "/clients/{id}", "&name=Ours+client&zone=UTC", Named),
    ("GET", "/clients/{id}/edit", "", Named),
    ("POST", "/clients/{id}/sites", "&name=Yard", Named),
    ("POST", "/clients/{id}/sites/{site}", "&name=Quay&answer=remove", Named),
    ("POST", "/clients/{id}/contacts", "&name=Bo&email=bo%40ours.example", Named),
    ("POST", "/clients/{id}/contacts/{contact}", "&answer=remove", Named),
    ("POST", "/clients/{id}/groups", "&name=Pool&tags=pool%3Dweb", Named),
    ("POST", "/clients/{id}/groups/{group}", "&answer=remove&tags=pool%3Dweb&why=x", Named),
    ("POST", "/clients/{id}/archive", "", Named),
    ("POST", "/clients/{id}/delete", "&answer=delete&name=Ours+client", Named),
    ("POST", "/clients/{id}/restore", "", Named),
    ("GET", "/hosts", "", OwnOnly),
    ("POST", "/hosts/newcomers", "&answer=accept&host={host}", OwnOnly),
    ("GET", "/hosts/{id}", "", Named),
    ("POST", "/hosts/{id}/claim", "&answer=other", Named),
    ("GET", "/hosts/{id}/edit", "", Named),
    ("POST", "/hosts/{id}/edit", "&tags=role%3Dweb", Named),
    ("POST", "/hosts/{id}/hands-off", "&hours=1&reason=", Named),
    ("POST", "/hosts/{id}/release", "", Named),
    ("POST", "/hosts/{id}/same-machine", "", Named),
    ("POST", "/hosts/{id}/watch", "&service=shop-web", Named),
    ("POST", "/hosts/{id}/retire", "", Named),
    ("GET", "/settings/enrolment", "", OwnOnly),
    ("POST", "/settings/enrolment", "&place={client}&profile=low-risk&days=1&whom=many&uses=2", OwnOnly),
    ("POST", "/settings/enrolment/{id}/revoke", "", Named),
    ("GET", "/guardrails", "", OwnOnly),
    ("GET", "/guardrails/{id}", "", Named),
    ("POST", "/guardrails/stop", "&reason=x", OwnOnly),
    ("POST", "/guardrails/go", "", OwnOnly),
    ("POST", "/guardrails/breaker", "&breaker=host%3A{host}&reason=x", OwnOnly),
    ("POST", "/guardrails/interlocks/{id}/release", "", Named),
    ("POST", "/guardrails/{id}/stop", "&reason=x", Named),
    ("POST", "/guardrails/{id}/go", "", Named),
    ("POST", "/guardrails/{id}/hands-off", "&hours=1&reason=", Named),
    ("POST", "/guardrails/{id}/hands-on", "", Named),
    ("GET", "/events", "", OwnOnly),
    ("GET", "/settings/tokens", "", OwnOnly),
    ("POST", "/settings/tokens", "&name=a&scope=read&days=30", OwnOnly),
    ("POST", "/settings/tokens/{id}/revoke", "", Named),
    ("GET", "/settings/support", "", OwnOnly),
    ("POST", "/settings/support", "&hours=4&reason=", OwnOnly),
    ("POST", "/settings/support/end", "", OwnOnly),
    ("GET", "/settings/limits", "", OwnOnly),
    ("POST", "/settings/limits", "&limit=client.in_flight&count=1", OwnOnly),
    ("GET", "/settings/organization", "", OwnOnly),
    ("POST", "/settings/organization/details", "&name=Theirs&zone=UTC", OwnOnly),
    ("GET", "/settings/checks", "", OwnOnly),
    ("POST", "/settings/checks/{id}/archive", "&why=x", Named),
    ("GET", "/settings/calls", "", OwnOnly),
    ("POST", "/settings/calls", "&address=night%40theirs.example", OwnOnly),
    ("POST", "/settings/calls/{id}/remove", "", Named),
    ("GET", "/settings/mail", "", OwnOnly),
    ("POST", "/settings/mail", "&host=x&port=587&tls=starttls&sender=a", OwnOnly),
    ("POST", "/settings/mail/remove", "", OwnOnly),
    ("GET", "/settings/secrets", "", OwnOnly),
    ("POST", "/settings/secrets", "&name=relay&kind=api_key&value=x", OwnOnly),
    ("POST", "/settings/secrets/sealing-key", "", OwnOnly),
    ("POST", "/settings/secrets/{id}/replace", "&value=x", Named),
    ("POST", "/settings/secrets/{id}/delete", "", Named),
    ("GET", "/settings/sign-on", "", OwnOnly),
    ("POST", "/settings/sign-on", "&issuer=x&client_id=a&secret=b&domains=theirs.example", OwnOnly),
    ("POST", "/settings/sign-on/remove", "", OwnOnly),
    ("GET", "/settings/audit", "", OwnOnly),
    ("GET", "/settings/audit/file", "", OwnOnly),
    ("GET", "/settings/usage", "", OwnOnly),
    ("GET", "/settings/usage/months.csv", "", OwnOnly),
    ("GET", "/settings/data", "", OwnOnly),
    ("POST", "/settings/data/file", "", OwnOnly),
    ("POST", "/settings/data/delete", "&name=Nobody", OwnOnly),
    ("POST", "/settings/data/keep", "", OwnOnly),
    ("GET", "/operator/{token}", "", Everybody),
    ("POST", "/operator/{token}", "password=x", Everybody),
    ("GET", "/platform", "", Operators),
    ("GET", "/platform/second-factor", "", Operators),
    ("POST", "/platform/second-factor", "&code=123456", Operators),
    ("POST", "/platform/brake", "&code=123456&to=stop", Operators),
    ("POST", "/platform/storm", "&code=123456&to=begin&hours=1&reason=x", Operators),
    ("POST", "/platform/organizations/{id}/plan", "&code=123456&plan=unlimited", Operators),
    ("POST", "/platform/organizations/{id}/suspend", "&code=123456&reason=x", Operators),
    ("POST", "/platform/organizations/{id}/resume", "&code=123456", Operators),
    ("GET", "/changes", "", OwnOnly),
    ("POST", "/changes/{id}", "&answer=yes", Named),
    ("GET", "/assets/{file}", "", Everybody),
    ("GET", "/install.sh", "", Everybody),
    ("GET", "/install/{file}", "", Everybody),
    ("GET", "/api/v1/openapi.json", "", Everybody),
    ("GET", "/api/docs", "", Everybody),
];

pub(super) type Answer = (StatusCode, HeaderMap, String);

/// An answer without what differs between two askings of the same.
pub(super) fn plain((status, headers, body): Answer) -> (StatusCode, String) {
    (status, body.replace(headers["x-request-id"].to_str().unwrap(), ""))
}

pub(super) struct Seat {
    pub(super) cookie: String,
    pub(super) csrf: String,
}

/// A form as a page of the seat's sends it.
pub(super) fn form_of(seat: &Seat, path: &str, form: &str) -> String {
    let of_strangers =
        ["/sign-in", "/sign-up", "/reset", "/invitation/", "/confirm-address/", "/operator/", "/support/"];
    match of_strangers.iter().any(|start| path.starts_with(start)) {
        true => form.to_owned(),
        false => format!("csrf={}{form}", seat.csrf),
    }
}

impl Console {
    pub(super) async fn ask(&self, seat: &Seat, method: &str, path: &str, form: &str) -> Answer {
        match method {
            "GET" => self.get(path, &seat.cookie).await,
            "POST" => self.post(path, &seat.cookie, form_of(seat, path, form)).await,
            other => panic!("{other} is no method of ours"),
        }
    }

    /// The path with the real id of our row, and with one that nobody has.
    pub(super) fn paths(&self, path: &str) -> (String, String) {
        // Our proposed change, our interlock, our invitation, our service account, our token, our secret and who is called have the
        // incident's id.
        let starts = [
            "/incidents",
            "/changes",
            "/guardrails/interlocks",
            "/settings/invitations",
            "/settings/people/services",
            "/settings/enrolment",
            "/settings/tokens",
            "/settings/secrets",
            "/settings/calls",
        ];
        let named = starts.iter().any(|start| path.starts_with(start));
        let ours = match path {
            _ if named => self.ours.incident,
            _ if path.starts_with("/settings/checks") => self.ours.check,
            _ if path.starts_with("/settings/people") => self.ours.technician,
            _ if path.starts_with("/guardrails") || path.starts_with("/clients") => self.ours.client,
            _ => self.ours.host,
        };
        let file = "none.css";
        // So have our site, our contact and our service group.
        let of = self.ours.incident;
        let with = |id: Uuid, of: Uuid| {
            let of = of.to_string();
            path.replace("{id}", &id.to_string())
                .replace("{file}", file)
                .replace("{site}", &of)
                .replace("{contact}", &of)
                .replace("{group}", &of)
                .replace("{token}", "mw_setup_none")
                .replace("{session}", "ab")
        };
        (with(ours, of), with(Uuid::from_u128(1), Uuid::from_u128(1)))
    }

    pub(super) async fn member(&self, email: &str) -> Seat {
        let (cookie, csrf) = self.seat(email).await;
        Seat { cookie, csrf }
    }

    /// A change of ours that waits for a second person, an interlock, a breaker, a secret, a site, a contact and a service group.
    pub(super) async fn proposed(&mut self) {
        let (tenant, id) = (self.ours.tenant, self.ours.incident);
        self.execute(format!(
            "INSERT INTO proposed_changes (tenant_id, change_id, kind, subject_key, subject, was, wanted, state, proposed_at, proposed_by, lapses_at)
             VALUES ('{tenant}', '{id}', 'mode', '{id}', 'Ours client', '{{}}', '{{}}', 'proposed', clock_timestamp(), 'Ours', '2100-01-01');
             INSERT INTO secrets (tenant_id, secret_id, name, kind, version, sealed, sealing_version, set_at, set_by)
             VALUES ('{tenant}', '{id}', 's{id}', 'api_key', 1, '\\x01', 1, clock_timestamp(), 'Ours');
             INSERT INTO channels (tenant_id, channel_id, kind, address)
             VALUES ('{tenant}', '{id}', 'email', 'night-{id}@ours.example'), ('{tenant}', gen_random_uuid(), 'email', 'day-{id}@ours.example')"
        ))
        .await;
        self.execute(format!(
            "INSERT INTO invitations (tenant_id, invitation_id, email, role, invited_by, invited_at, expires_at)
             VALUES ('{tenant}', '{id}', 'new-{id}@ours.example', 'viewer', 'Ours', clock_timestamp(), '2100-01-01');
             INSERT INTO service_seats (tenant_id, seat_id, name, role, sees_all, made_at, made_by)
             VALUES ('{tenant}', '{id}', 's{id}', 'viewer', true, clock_timestamp(), 'Ours')"
        ))
        .await;
        let (host, client) = (self.ours.host, self.ours.client);
        self.execute(format!(
            "INSERT INTO host_now (tenant_id, client_id, host_id, at, layout, samples, extra) VALUES ('{tenant}', '{client}', '{host}', clock_timestamp(), 1, '{{}}',
               '{{\"services\": [{{\"name\": \"shop-web\", \"state\": \"running\", \"watched\": false}}]}}')"
        ))
        .await;
        self.interlock(id).await;
        self.execute(format!(
            "INSERT INTO api_tokens (tenant_id, token_id, name, hint, login_id, scopes, networks, made_at, expires_at)
               SELECT '{tenant}', '{id}', 'Ours client', 'mw_api_', login_id, '{{read}}', '{{}}', clock_timestamp(), '2100-01-01' FROM memberships WHERE tenant_id = '{tenant}' LIMIT 1;
             INSERT INTO credentials (kind, secret_hash, tenant_id, subject_id) VALUES ('api_token', uuid_send('{id}'), '{tenant}', '{id}')"
        ))
        .await;
        let (host, client) = (self.ours.host, self.ours.client);
        self.execute(format!(
            "INSERT INTO enrolment_tokens (tenant_id, client_id, token_id, begins, uses, created_at, created_by, expires_at)
               VALUES ('{tenant}', '{client}', '{id}', 'mw_enroll_Ours', 5, clock_timestamp(), 'Ours', clock_timestamp() + interval '1 day');
             INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, uses_left) VALUES ('{tenant}', 'enrolment_token', uuid_send('{id}'), '{id}', 5);
             INSERT INTO host_claims (tenant_id, client_id, host_id, public_key, key_id, hostname, asked_at) VALUES ('{tenant}', '{client}', '{host}', uuid_send('{host}'), uuid_send('{id}'), 'Ours-host', clock_timestamp());
             INSERT INTO sites (tenant_id, client_id, site_id, name) VALUES ('{tenant}', '{client}', '{id}', 'Ours client site');
             INSERT INTO service_groups (tenant_id, client_id, group_id, name, tags) VALUES ('{tenant}', '{client}', '{id}', 'Ours client pool', '{{\"pool\": \"web\"}}');
             INSERT INTO contacts (tenant_id, client_id, contact_id, name, email) VALUES ('{tenant}', '{client}', '{id}', 'Ours client', 'x@ours.example')"
        ))
        .await;
        self.execute(format!(
            "INSERT INTO breakers (tenant_id, scope_kind, scope_key, state, changed_at) VALUES ('{tenant}', 'host', '{host}', 'open', clock_timestamp())"
        ))
        .await;
    }

    /// What could tell that something was done to our rows.
    async fn traces(&mut self) -> i64 {
        let tenant = self.ours.tenant;
        let mut sum = 0;
        for table in ["audit", "tenant_audit", "hands_off", "run_events", "verifications", "tenant_wakeups"] {
            sum += self.count(&format!("{table} WHERE tenant_id = '{tenant}'")).await;
        }
        sum
    }
}

#[test]
fn every_route_is_tried() {
    let tried: BTreeSet<(&str, &str)> = ROUTES.iter().map(|(method, path, ..)| (*method, *path)).collect();
    let routes = web::routes();
    let all = || routes.iter().map(|route| (route.method, route.path));
    let (api, declared): (BTreeSet<_>, BTreeSet<_>) =
        all().partition(|(_, path)| path.starts_with("/api/v1/") && *path != "/api/v1/openapi.json");
    assert_eq!(tried, declared, "what stands in web::routes() stands in ROUTES, and the reverse");
    assert_eq!(super::api::ROUTES.iter().copied().collect::<BTreeSet<_>>(), api, "and those that ask for a token");
    assert_eq!(declared.len() + api.len(), routes.len(), "each stands there once");
}

#[test]
fn no_route_is_made_beside_the_two_tables() {
    let backend = workspace().join("backend");
    let mut made = Vec::new();
    let mut folders = vec![backend.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs")
                && path.components().any(|c| c.as_os_str() == "src")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let calls = [".route(", ".route_service(", ".nest(", ".nest_service("];
                let n: usize = calls.iter().map(|call| text.matches(call).count()).sum();
                if n > 0 {
                    made.push((path.strip_prefix(&backend).unwrap().display().to_string(), n));
                }
            }
        }
    }
    made.sort();
    assert_eq!(made, [("gateway/src/lib.rs".to_owned(), 1), ("web/src/router.rs".to_owned(), 1)]);
}

#[tokio::test]
async fn what_no_route_knows_is_a_page_too() {
    let console = Console::new().await;
    for path in ["/nothing", "/hosts/1/2/3", "/agent/v1/nothing", "/dev/gallery"] {
        let (status, headers, body) = console.get(path, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("Nothing here") && headers.contains_key("content-security-policy"), "{path}");
    }
}

#[tokio::test]
async fn a_stranger_is_asked_to_sign_in() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await.to_string();
    console.proposed().await;
    let host_id = console.ours.host.to_string();
    let (client_id, incident_id) = (console.ours.client.to_string(), console.ours.incident.to_string());
    let filled = |form: &str| {
        form.replace("{run}", &run)
            .replace("{host}", &host_id)
            .replace("{client}", &client_id)
            .replace("{incident}", &incident_id)
    };
    let (stranger, before) = (Seat { cookie: String::new(), csrf: String::new() }, console.traces().await);
    let stale = Seat { cookie: format!("__Host-session={}", "A".repeat(22)), csrf: "guess".to_owned() };
    for (method, path, form, gives) in ROUTES {
        for seat in [&stranger, &stale] {
            let (real, _) = console.paths(path);
            let (status, headers, body) = console.ask(seat, method, &real, &filled(form)).await;
            assert!(!body.contains("Ours"), "{method} {path}");
            if *gives == Operators {
                assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
            } else if *gives != Everybody {
                let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
                assert!(
                    status == StatusCode::SEE_OTHER && to.starts_with("/sign-in"),
                    "{method} {path}: {status} {to}"
                );
            }
        }
    }
    assert_eq!(console.traces().await, before);
}

#[tokio::test]
async fn what_is_ours_does_not_exist_for_other_members() {
    let mut console = Console::new().await;
    let run = console.run("unknown", "unknown").await.to_string();
    console.proposed().await;
    let host_id = console.ours.host.to_string();
    let (client_id, incident_id) = (console.ours.client.to_string(), console.ours.incident.to_string());
    let filled = |form: &str| {
        form.replace("{run}", &run)
            .replace("{host}", &host_id)
            .replace("{client}", &client_id)
            .replace("{incident}", &incident_id)
    };
    let host = console.ours.host;
    console
        .execute(format!(
            "UPDATE hosts SET state = 'quarantined', quarantined_at = clock_timestamp() WHERE host_id = '{host}'"
        ))
        .await;
    let theirs = console.member("owner@theirs.example").await;
    // An owner of ours who was given other clients since.
    let limited = console.member("owner@ours.example").await;
    let tenant = console.ours.tenant;
    let limit = |ids: &str| {
        format!("UPDATE memberships SET client_ids = {ids} WHERE tenant_id = '{tenant}' AND role = 'owner'")
    };
    console.execute(limit("ARRAY[gen_random_uuid()]")).await;
    let before = console.traces().await;
    // What would end the session, and what is one's own.
    let own = |method: &str, path: &str| {
        ["/sign-out", "/settings/sessions/end", "/settings/address"].contains(&path)
            || (method, path) == ("POST", "/settings/tokens")
    };
    for (method, path, form, gives) in ROUTES.iter().filter(|(method, path, ..)| !own(method, path)) {
        let (real, unknown) = console.paths(path);
        let form = filled(form);
        for seat in [&theirs, &limited] {
            let answer = plain(console.ask(seat, method, &real, &form).await);
            assert!(!answer.1.contains("Ours client") && !answer.1.contains("Ours-host"), "{method} {path}");
            if *gives == Operators {
                assert_eq!(answer.0, StatusCode::NOT_FOUND, "{method} {path}");
            }
            if *gives == Named {
                assert_eq!(answer.0, StatusCode::NOT_FOUND, "{method} {path}");
                let nobodys = plain(console.ask(seat, method, &unknown, &form).await);
                assert!(answer == nobodys, "{method} {path}: somebody else's answers like nobody's");
            }
        }
    }
    assert_eq!(console.traces().await, before);

    // The same, as somebody who may: so the ids were real, and the forms as the routes want them.
    console.execute(limit("NULL")).await;
    for (method, path, form, _) in ROUTES.iter().filter(|(.., gives)| *gives == Named) {
        let (real, _) = console.paths(path);
        let (status, ..) = console.ask(&limited, method, &real, &filled(form)).await;
        // Our run is in doubt and waits for no yes, nothing is retired meanwhile, and the token ended with its maker's seat: it is
        // found, and that is said.
        let found = ["/approval", "/retire", "/tokens/{id}/revoke"].iter().any(|end| path.ends_with(end))
            && status == StatusCode::CONFLICT;
        assert!(found || matches!(status, StatusCode::OK | StatusCode::SEE_OTHER), "{method} {path}: {status}");
    }
}
