//! The console's pages and forms.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::access::Act;

use super::Asks::{self, May, MayForAll, Nothing};
use super::{Canary, Cells, Principal, Rows, Staff, World, leaked};
use crate::console::strangers::{Answer, Gives, ROUTES, form_of, plain};
use crate::console::{Console, Organization};

/// What each route below such a path asks; the longest that fits counts. A route that no line fits fails.
const ASKS: &[(&str, &str, Asks)] = &[
    ("GET", "/", May(Act::Read)),
    ("GET", "/sign-in", Nothing),
    ("POST", "/sign-in", Nothing),
    ("GET", "/sign-up", Nothing),
    ("POST", "/sign-up", Nothing),
    ("GET", "/reset", Nothing),
    ("POST", "/reset", Nothing),
    ("GET", "/invitation", Nothing),
    ("POST", "/invitation", Nothing),
    ("GET", "/confirm-address", Nothing),
    ("POST", "/confirm-address", Nothing),
    ("GET", "/support", Nothing),
    ("POST", "/support", Nothing),
    ("GET", "/sso", Nothing),
    ("GET", "/confirm", Nothing),
    ("POST", "/confirm", Nothing),
    ("POST", "/sign-out", Nothing),
    ("GET", "/assets", Nothing),
    ("GET", "/install.sh", Nothing),
    ("GET", "/install", Nothing),
    ("GET", "/settings", Nothing),
    ("POST", "/settings", Nothing),
    ("GET", "/settings/people", MayForAll(Act::ManagePeople)),
    ("POST", "/settings/people", MayForAll(Act::ManagePeople)),
    ("POST", "/settings/people/second-factor", MayForAll(Act::ManageOrganization)),
    ("POST", "/settings/invitations", MayForAll(Act::ManagePeople)),
    ("GET", "/settings/enrolment", May(Act::EnrolHosts)),
    ("POST", "/settings/enrolment", May(Act::EnrolHosts)),
    ("GET", "/settings/tokens", May(Act::MakeTokens)),
    ("POST", "/settings/tokens", May(Act::MakeTokens)),
    ("GET", "/settings/support", MayForAll(Act::OwnOrganization)),
    ("POST", "/settings/support", MayForAll(Act::OwnOrganization)),
    ("GET", "/settings/limits", MayForAll(Act::ManageOrganization)),
    ("POST", "/settings/limits", MayForAll(Act::ManageOrganization)),
    ("GET", "/settings/organization", MayForAll(Act::OwnOrganization)),
    ("POST", "/settings/organization/details", MayForAll(Act::OwnOrganization)),
    ("GET", "/settings/checks", MayForAll(Act::ManageClients)),
    ("POST", "/settings/checks", MayForAll(Act::ManageClients)),
    ("GET", "/settings/calls", MayForAll(Act::ManageOrganization)),
    ("POST", "/settings/calls", MayForAll(Act::ManageOrganization)),
    ("GET", "/settings/mail", MayForAll(Act::ManageOrganization)),
    ("POST", "/settings/mail", MayForAll(Act::ManageOrganization)),
    ("GET", "/settings/secrets", MayForAll(Act::ManageOrganization)),
    ("POST", "/settings/secrets", MayForAll(Act::ManageOrganization)),
    ("GET", "/settings/sign-on", MayForAll(Act::OwnOrganization)),
    ("POST", "/settings/sign-on", MayForAll(Act::OwnOrganization)),
    ("GET", "/settings/audit", MayForAll(Act::ReadAudit)),
    ("GET", "/settings/usage", MayForAll(Act::ManageOrganization)),
    ("GET", "/settings/data", MayForAll(Act::OwnOrganization)),
    ("POST", "/settings/data", MayForAll(Act::OwnOrganization)),
    ("GET", "/operator", Nothing),
    ("POST", "/operator", Nothing),
    ("GET", "/platform", Nothing),
    ("POST", "/platform", Nothing),
    ("GET", "/api", Nothing),
    ("GET", "/incidents", May(Act::Read)),
    ("POST", "/incidents", May(Act::WorkIncidents)),
    ("POST", "/incidents/{id}/approval", May(Act::Approve)),
    ("POST", "/incidents/{id}/doubt", May(Act::WorkIncidents)),
    ("GET", "/approvals", May(Act::Read)),
    ("GET", "/clients", May(Act::Read)),
    ("POST", "/clients", May(Act::ManageClients)),
    ("GET", "/clients/import", MayForAll(Act::ManageClients)),
    ("POST", "/clients/import", MayForAll(Act::ManageClients)),
    ("GET", "/clients/{id}/edit", May(Act::ManageClients)),
    ("POST", "/clients/{id}/delete", MayForAll(Act::OwnOrganization)),
    ("GET", "/hosts", May(Act::Read)),
    ("GET", "/hosts/{id}/edit", May(Act::ManageClients)),
    ("POST", "/hosts/{id}/edit", May(Act::ManageClients)),
    ("POST", "/hosts/newcomers", May(Act::TrustHost)),
    ("POST", "/hosts/{id}/claim", May(Act::TrustHost)),
    ("POST", "/hosts/{id}/watch", May(Act::ManageClients)),
    ("POST", "/hosts/{id}/hands-off", May(Act::WorkIncidents)),
    ("POST", "/hosts/{id}/release", May(Act::WorkIncidents)),
    ("POST", "/hosts/{id}/same-machine", May(Act::TrustHost)),
    ("POST", "/hosts/{id}/retire", May(Act::TrustHost)),
    ("GET", "/guardrails", May(Act::Read)),
    ("POST", "/guardrails/stop", MayForAll(Act::StopActions)),
    ("POST", "/guardrails/go", MayForAll(Act::LetAct)),
    ("POST", "/guardrails/breaker", May(Act::LetAct)),
    ("POST", "/guardrails/interlocks", May(Act::LetAct)),
    ("POST", "/guardrails/{id}/stop", May(Act::StopActions)),
    ("POST", "/guardrails/{id}/go", May(Act::LetAct)),
    ("POST", "/guardrails/{id}/hands-off", May(Act::WorkIncidents)),
    ("POST", "/guardrails/{id}/hands-on", May(Act::WorkIncidents)),
    ("GET", "/events", May(Act::Read)),
    ("GET", "/changes", May(Act::Read)),
    ("POST", "/changes", MayForAll(Act::ConfirmChanges)),
];

fn asks(method: &str, path: &str) -> Option<Asks> {
    let fits = |start: &str| {
        path == start || path.strip_prefix(start).is_some_and(|rest| rest.starts_with('/') && start != "/")
    };
    let fitting = ASKS.iter().filter(|(m, start, _)| *m == method && fits(start));
    fitting.max_by_key(|(_, start, _)| start.len()).map(|(.., asks)| *asks)
}

/// Lists that take an id in their address.
const FILTERS: &[(&str, &str)] = &[
    ("/incidents", "?client={client}"),
    ("/incidents", "?host={host}"),
    ("/incidents", "?after=open.1764000000000000.{incident}"),
    ("/incidents", "?state=fixed&client={client}"),
    ("/hosts", "?client={client}"),
    ("/approvals", "?client={client}"),
    ("/clients", "?id={client}"),
    ("/events", "?client={client}"),
    ("/sign-in", "?next=/incidents/{incident}"),
    ("/confirm", "?next=/hosts/{host}"),
];

/// What a route may change although nobody is let do anything by it: a guess is counted, what is begun and what is mailed
/// is noted for a while, and the page that offers a second factor keeps the secret it shows.
fn may_change(method: &str, path: &str, gives: Gives) -> &'static [&'static str] {
    match (method, path) {
        ("POST", _) if gives == Gives::Everybody => &["sources", "ceremonies", "letters"],
        ("GET", "/settings/second-factor") => &["logins"],
        ("GET", "/sso/{id}/begin") => &["sources", "ceremonies"],
        _ => &[],
    }
}

/// What it changes that support looks at a page: that is noted in the organization's audit and in the session.
const LOOKED: &[&str] = &["sessions", "tenant_audit", "tenant_wakeups"];

/// Whether the principal may use this route, whosever row it names.
fn may(principal: &Principal, asks: Asks, path: &str) -> bool {
    let Some(member) = &principal.member else { return false };
    match principal.staff {
        // Pages to be read, but no stream, and no page about oneself: there is no account. What it may send ends it.
        Staff::Support => path == "/sign-out" || asks != Nothing && path != "/events" && member.may(asks),
        // Nothing of the audit is linked here: there is no file yet.
        _ => member.may(asks) && path != "/settings/audit/file",
    }
}

impl Console {
    /// As [`Console::ask`], with what the principal shows beside its cookie.
    async fn ask_as(&self, principal: &Principal, method: &str, path: &str, form: &str) -> Answer {
        let Principal { seat, bearer, .. } = principal;
        let Some(bearer) = bearer else { return self.ask(seat, method, path, form).await };
        let form = if method == "POST" { form_of(seat, path, form) } else { String::new() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &seat.cookie)
            .header("authorization", format!("Bearer {bearer}"));
        self.send(request.body(Body::from(form)).unwrap()).await
    }
}

/// Asks for everything as everybody.
pub(super) async fn ask_all(world: &mut World, rows: &mut Rows, cells: &mut Cells) {
    let World { console, principals, targets, canaries, .. } = world;
    let (principals, targets, canaries) = (&*principals, &*targets, &*canaries);
    for (method, path, form, gives) in ROUTES {
        let asks = asks(method, path).unwrap_or_else(|| panic!("{method} {path} has no line in ASKS"));
        let ends_session = *path == "/sign-out" || *path == "/settings/sessions/end";
        for (at, principal) in principals.iter().enumerate() {
            // An id that stands nowhere makes no difference.
            let has_id = path.contains('{') || form.contains('{');
            let mut answers = BTreeSet::new();
            for target in targets.iter().take(if has_id { targets.len() } else { 1 }) {
                let sees = principal.member.as_ref().is_some_and(|member| {
                    let wide = [
                        "/changes",
                        "/settings/people",
                        "/settings/invitations",
                        "/settings/tokens",
                        "/settings/secrets",
                        "/settings/calls",
                        "/settings/checks",
                        "/clients/{id}/delete",
                    ];
                    let is_wide = wide.iter().any(|start| path.starts_with(start));
                    member.sees(&target.whose) && (!is_wide || member.clients.is_none())
                });
                let may = may(principal, asks, path);
                let is_open = match gives {
                    Gives::Everybody => true,
                    Gives::Operators => principal.staff == Staff::Operator,
                    Gives::OwnOnly => may,
                    Gives::Named => may && sees,
                };
                // What is allowed is done elsewhere; here it would change what the next cell finds.
                if *method == "POST" && is_open && (*gives != Gives::Everybody || ends_session) {
                    continue;
                }
                let ours = std::mem::replace(&mut console.ours, Organization { ..target.organization });
                let (real, _) = console.paths(path);
                let filled = form
                    .replace("{incident}", &target.organization.incident.to_string())
                    .replace("{client}", &target.organization.client.to_string())
                    .replace("{run}", &target.run.to_string())
                    .replace("{host}", &target.organization.host.to_string());
                let answer = console.ask_as(principal, method, &real, &filled).await;
                console.ours = ours;
                cells.add(answer.0);
                let at = || format!("{method} {real} as {}: {}", principal.name, answer.0);
                if let Some(fault) = fault(canaries, principal, &answer, is_open, *gives) {
                    cells.wrong.push(format!("{}: {fault}", at()));
                }
                let to_sign_in = answer.0 == StatusCode::SEE_OTHER;
                if *gives == Gives::Named && !sees && !to_sign_in {
                    let (status, body) = plain(answer);
                    // The id that was asked for may be told back.
                    let of = &target.organization;
                    let ids = [of.tenant, of.technician, of.client, of.host, of.incident, target.run];
                    let body = ids.iter().fold(body, |body, id| body.replace(&id.to_string(), "ID"));
                    answers.insert((status.as_u16(), body));
                }
            }
            if answers.len() > 1 {
                cells.wrong.push(format!(
                    "{method} {path} as {}: what is not theirs is told apart from what is not there",
                    principal.name
                ));
            }
            // Of the others it is looked at for all of them at once, before support comes, who is the last.
            let is_before_support = principals.get(at + 1).is_some_and(|next| next.staff == Staff::Support);
            if !is_before_support && at + 1 < principals.len() {
                continue;
            }
            let looked: &[&str] = match principal.staff {
                Staff::Support if *method == "GET" => LOOKED,
                _ => &[],
            };
            let mut changed = rows.changed(&mut console.rows).await;
            changed.retain(|table| ![may_change(method, path, *gives), looked].concat().contains(&table.as_str()));
            if !changed.is_empty() {
                let who = if is_before_support { "somebody" } else { principal.name.as_str() };
                cells.wrong.push(format!("{method} {path} as {who}: what was refused changed rows of {changed:?}"));
            }
        }
    }
    // The same lists with ids of each in their address.
    for (path, query) in FILTERS {
        for principal in principals {
            for target in targets {
                let of = &target.organization;
                let query = query
                    .replace("{client}", &of.client.to_string())
                    .replace("{host}", &of.host.to_string())
                    .replace("{incident}", &of.incident.to_string());
                let answer = console.ask_as(principal, "GET", &format!("{path}{query}"), "").await;
                cells.add(answer.0);
                if let Some(word) = leaked(canaries, principal, &answer.2) {
                    cells.wrong.push(format!("GET {path}{query} as {}: shows {word}", principal.name));
                }
                if answer.0.is_server_error() {
                    cells.wrong.push(format!("GET {path}{query} as {}: {}", principal.name, answer.0));
                }
            }
        }
    }
    let mut changed = rows.changed(&mut console.rows).await;
    changed.retain(|table| !LOOKED.contains(&table.as_str()));
    if !changed.is_empty() {
        cells.wrong.push(format!("lists with ids in their address changed rows of {changed:?}"));
    }
}

fn fault(
    canaries: &[Canary],
    principal: &Principal,
    (status, headers, body): &Answer,
    is_open: bool,
    gives: Gives,
) -> Option<String> {
    if let Some(word) = leaked(canaries, principal, body) {
        return Some(format!("shows {word}"));
    }
    if status.is_server_error() {
        return Some("fails".to_owned());
    }
    if !headers.contains_key("content-security-policy") || !headers.contains_key("x-content-type-options") {
        return Some("has no security headers".to_owned());
    }
    let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
    if gives == Gives::Operators && !is_open {
        return (*status != StatusCode::NOT_FOUND).then(|| "is there for others than operators".to_owned());
    }
    match (&principal.member, is_open) {
        (_, true) if gives == Gives::Everybody => None,
        (None, false) => (!(*status == StatusCode::SEE_OTHER && to.starts_with("/sign-in")))
            .then(|| "does not ask to sign in".to_owned()),
        (_, true) => (!(status.is_success() || *status == StatusCode::SEE_OTHER)).then(|| "is refused".to_owned()),
        (Some(_), false) => {
            let refused = matches!(*status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
            (!refused).then(|| "is not refused".to_owned())
        }
    }
}
