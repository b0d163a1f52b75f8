//! The authorization matrix: every route × every kind of principal × whose rows. It is generated from the routes and the
//! permission table, so a route without a row here fails, and so does one that is open to somebody it should not be.
//!
//! What is refused is asked for and must change nothing. What is allowed is read; that it can be done is tried elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{StatusCode, header};
use domain::access::{Act, Role};
use store::auth::OperatorTx;
use store::{Store, seeding};
use uuid::Uuid;

use super::strangers::{Answer, Gives, ROUTES, Seat, plain};
use super::{Console, Organization, host_and_incident, password_hash};

/// What a route asks of whoever is signed in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asks {
    /// Nothing: it is everybody's, or one's own.
    Nothing,
    /// This act.
    May(Act),
    /// This act, by somebody from whom no client is kept.
    MayForAll(Act),
}
use Asks::{May, MayForAll, Nothing};

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
    ("GET", "/incidents", May(Act::Read)),
    ("POST", "/incidents/{id}/approval", May(Act::Approve)),
    ("POST", "/incidents/{id}/doubt", May(Act::WorkIncidents)),
    ("GET", "/approvals", May(Act::Read)),
    ("GET", "/clients", May(Act::Read)),
    ("POST", "/clients", May(Act::ManageClients)),
    ("GET", "/clients/import", MayForAll(Act::ManageClients)),
    ("POST", "/clients/import", MayForAll(Act::ManageClients)),
    ("GET", "/clients/{id}/edit", May(Act::ManageClients)),
    ("GET", "/hosts", May(Act::Read)),
    ("GET", "/hosts/{id}/edit", May(Act::ManageClients)),
    ("POST", "/hosts/{id}/edit", May(Act::ManageClients)),
    ("POST", "/hosts/newcomers", May(Act::TrustHost)),
    ("POST", "/hosts/{id}/claim", May(Act::TrustHost)),
    ("POST", "/hosts/{id}/watch", May(Act::ManageClients)),
    ("POST", "/hosts/{id}/hands-off", May(Act::WorkIncidents)),
    ("POST", "/hosts/{id}/release", May(Act::WorkIncidents)),
    ("POST", "/hosts/{id}/same-machine", May(Act::TrustHost)),
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

/// Who asks.
struct Principal {
    name: String,
    seat: Seat,
    /// None: nobody who is signed in.
    member: Option<Member>,
}

struct Member {
    tenant: Uuid,
    role: Role,
    /// The clients they may see; none: all.
    clients: Option<Vec<Uuid>>,
}

impl Member {
    fn sees(&self, whose: &Whose) -> bool {
        let of_client = |client| self.clients.as_ref().is_none_or(|clients| clients.contains(&client));
        match whose {
            Whose::Rows { tenant, client } => *tenant == self.tenant && of_client(*client),
            Whose::Nobodys => false,
        }
    }

    fn may(&self, asks: Asks) -> bool {
        match asks {
            Nothing => true,
            May(act) => self.role.may(act),
            MayForAll(act) => self.role.may(act) && self.clients.is_none(),
        }
    }
}

/// Whose rows the ids of a request name.
enum Whose {
    Rows {
        tenant: Uuid,
        client: Uuid,
    },
    /// Ids that nobody has, or nobody has any more.
    Nobodys,
}

/// What stands for one target: the ids as the routes want them, and what must never be read by others.
struct Target {
    whose: Whose,
    organization: Organization,
    run: Uuid,
}

impl Console {
    /// A second client of ours with rows of its own.
    async fn second_client(&mut self) -> Organization {
        let mut tx = self.tx().await;
        let client = seeding::insert_client(&mut tx, "Second company", "UTC").await.unwrap();
        tx.commit().await.unwrap();
        let Organization { tenant, check, technician, .. } = self.ours;
        let (host, incident) = host_and_incident(&mut self.rows, tenant, client, check, "Second").await;
        Organization { tenant, technician, client, check, host, incident }
    }

    /// Gives an organization everything that routes name by an id.
    async fn furnish(&mut self, of: Organization) -> (Organization, Uuid) {
        let ours = std::mem::replace(&mut self.ours, of);
        let run = self.run("unknown", "unknown").await;
        self.proposed().await;
        (std::mem::replace(&mut self.ours, ours), run)
    }

    async fn principal(&self, tenant: Uuid, role: Role, clients: Option<Vec<Uuid>>, name: &str) -> Principal {
        let email = format!("{}@matrix.example", name.replace([' ', ','], "-"));
        let mut operator = OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap();
        let login = operator.insert_login(&email, password_hash()).await.unwrap();
        let mut tx = operator.into_tenant(tenant).await.unwrap();
        seeding::insert_limited_membership(&mut tx, login, "P.", &email, role, clients.as_deref()).await.unwrap();
        tx.commit().await.unwrap();
        Principal {
            name: name.to_owned(),
            seat: self.member(&email).await,
            member: Some(Member { tenant, role, clients }),
        }
    }

    async fn principals(&self, second: Uuid) -> Vec<Principal> {
        let nobody = |name: &str, cookie: String| Principal {
            name: name.to_owned(),
            seat: Seat { cookie, csrf: "guess".to_owned() },
            member: None,
        };
        let mut all = vec![
            nobody("stranger", String::new()),
            nobody("a session that ended", format!("__Host-session={}", "A".repeat(22))),
            nobody("a session of nonsense", "__Host-session=mw_api_nonsense".to_owned()),
        ];
        for (role, word) in Role::ALL {
            if !role.needs_clients() {
                all.push(self.principal(self.ours.tenant, role, None, &format!("{word} of all clients")).await);
            }
            for (client, which) in [(self.ours.client, "first"), (second, "second")] {
                let name = format!("{word} of the {which} client");
                all.push(self.principal(self.ours.tenant, role, Some(vec![client]), &name).await);
            }
            all.push(self.principal(self.ours.tenant, role, Some(Vec::new()), &format!("{word} of no client")).await);
            let theirs = role.needs_clients().then(|| vec![self.theirs.client]);
            all.push(self.principal(self.theirs.tenant, role, theirs, &format!("{word} elsewhere")).await);
        }
        all
    }

    /// The id of an incident and a host that were there.
    async fn gone(&mut self) -> Uuid {
        let (Organization { tenant, client, .. }, id) = (&self.ours, Store::new_id());
        self.execute(format!(
            "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at) VALUES ('{tenant}', '{client}', '{id}', 'x', 'critical', 'open', clock_timestamp());
             INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at) VALUES ('{tenant}', '{client}', '{id}', 'gone', uuid_send('{id}'), 'trusted', clock_timestamp());
             DELETE FROM incidents WHERE incident_id = '{id}'; DELETE FROM hosts WHERE host_id = '{id}'"
        ))
        .await;
        id
    }

    /// What could tell that something was done, to whomever.
    async fn traces_of_all(&mut self) -> Vec<i64> {
        let mut traces = Vec::new();
        for table in [
            "audit",
            "tenant_audit",
            "hands_off",
            "run_events",
            "verifications",
            "tenant_wakeups",
            "invitations",
            "clients",
            "sites",
            "contacts",
            "checks",
            "interlocks",
            "breakers",
            "memberships",
        ] {
            traces.push(self.count(table).await);
        }
        traces
    }

    /// Puts a word that tells whose it is into every text column of a client's rows that takes one.
    async fn plant(&mut self, of: &Organization, word: &str) -> usize {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT a.table_name::text, a.column_name::text FROM information_schema.columns a
             JOIN information_schema.columns c ON c.table_schema = a.table_schema AND c.table_name = a.table_name AND c.column_name = 'client_id'
             JOIN pg_class k ON k.oid = (quote_ident(a.table_schema) || '.' || quote_ident(a.table_name))::regclass AND k.relkind = 'r'
             WHERE a.table_schema = 'public' AND a.data_type = 'text' AND a.column_name NOT IN ('time_zone', 'target') ORDER BY 1, 2",
        )
        .fetch_all(&mut self.rows)
        .await
        .unwrap();
        let mut planted = 0;
        for (table, column) in columns {
            let sql = format!(
                "UPDATE {table} SET {column} = {column} || ' {word}' WHERE tenant_id = '{}' AND client_id = '{}'",
                of.tenant, of.client
            );
            // What is a closed list, or a key of others, takes none.
            planted += usize::from(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.rows).await.is_ok());
        }
        planted
    }
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

#[tokio::test]
async fn every_route_gives_every_principal_what_is_theirs_and_nothing_else() {
    let mut console = Console::new().await;
    let second = console.second_client().await;
    let second_client = second.client;
    let principals = console.principals(second_client).await;

    let copy = |of: &Organization| Organization { ..*of };
    let (ours, theirs) = (copy(&console.ours), copy(&console.theirs));
    let mut targets = Vec::new();
    let mut canaries = Vec::new();
    for (of, word) in [(ours, "canary-first"), (second, "canary-second"), (theirs, "canary-theirs")] {
        let (organization, run) = console.furnish(of).await;
        let planted = console.plant(&organization, word).await;
        assert!(planted > 20, "{planted} columns took a canary");
        let (tenant, client) = (organization.tenant, organization.client);
        canaries.push(Canary { word, tenant, client });
        let whose = Whose::Rows { tenant, client };
        targets.push(Target { whose, organization, run });
    }
    let gone = console.gone().await;
    for id in [gone, Uuid::from_u128(1)] {
        let organization = Organization { tenant: id, technician: id, client: id, check: id, host: id, incident: id };
        targets.push(Target { whose: Whose::Nobodys, organization, run: id });
    }

    let before = console.traces_of_all().await;
    let (mut cells, mut by_answer) = (0_u32, BTreeMap::<u16, u32>::new());
    let mut wrong = Vec::new();
    for (method, path, form, gives) in ROUTES {
        let asks = asks(method, path).unwrap_or_else(|| panic!("{method} {path} has no line in ASKS"));
        let ends_session = *path == "/sign-out" || *path == "/settings/sessions/end";
        for principal in &principals {
            // An id that stands nowhere makes no difference.
            let has_id = path.contains('{') || form.contains('{');
            let mut answers = BTreeSet::new();
            for target in targets.iter().take(if has_id { targets.len() } else { 1 }) {
                let sees = principal.member.as_ref().is_some_and(|member| {
                    let wide = ["/changes", "/settings/people", "/settings/invitations"];
                    let is_wide = wide.iter().any(|start| path.starts_with(start));
                    member.sees(&target.whose) && (!is_wide || member.clients.is_none())
                });
                let may = principal.member.as_ref().is_some_and(|member| member.may(asks));
                let is_open = match gives {
                    Gives::Everybody => true,
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
                    .replace("{client}", &target.organization.client.to_string())
                    .replace("{run}", &target.run.to_string())
                    .replace("{host}", &target.organization.host.to_string());
                let answer = console.ask(&principal.seat, method, &real, &filled).await;
                console.ours = ours;
                cells += 1;
                *by_answer.entry(answer.0.as_u16()).or_default() += 1;
                let at = || format!("{method} {real} as {}: {}", principal.name, answer.0);
                if let Some(fault) = fault(&canaries, principal, &answer, is_open, *gives) {
                    wrong.push(format!("{}: {fault}", at()));
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
                wrong.push(format!(
                    "{method} {path} as {}: what is not theirs is told apart from what is not there",
                    principal.name
                ));
            }
        }
    }
    // The same lists with ids of each in their address.
    for (path, query) in FILTERS {
        for principal in &principals {
            for target in &targets {
                let of = &target.organization;
                let query = query
                    .replace("{client}", &of.client.to_string())
                    .replace("{host}", &of.host.to_string())
                    .replace("{incident}", &of.incident.to_string());
                let answer = console.ask(&principal.seat, "GET", &format!("{path}{query}"), "").await;
                cells += 1;
                *by_answer.entry(answer.0.as_u16()).or_default() += 1;
                if let Some(word) = leaked(&canaries, principal, &answer.2) {
                    wrong.push(format!("GET {path}{query} as {}: shows {word}", principal.name));
                }
                if answer.0.is_server_error() {
                    wrong.push(format!("GET {path}{query} as {}: {}", principal.name, answer.0));
                }
            }
        }
    }
    println!("matrix cells: {cells}, answers: {by_answer:?}");
    assert!(
        wrong.is_empty(),
        "{} cells are wrong:\n{}",
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
    assert_eq!(console.traces_of_all().await, before, "what was refused changed something");
    assert!(cells >= 3_000, "matrix cells: {cells}");
}

/// A canary, and whose rows it stands in.
struct Canary {
    word: &'static str,
    tenant: Uuid,
    client: Uuid,
}

/// A word in the answer that the principal must not read.
fn leaked(canaries: &[Canary], principal: &Principal, body: &str) -> Option<&'static str> {
    let may_read = |canary: &&Canary| {
        let whose = Whose::Rows { tenant: canary.tenant, client: canary.client };
        principal.member.as_ref().is_some_and(|member| member.sees(&whose))
    };
    canaries
        .iter()
        .filter(|canary| body.contains(canary.word))
        .find(|canary| !may_read(canary))
        .map(|canary| canary.word)
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
    match (&principal.member, is_open) {
        (_, true) if gives == Gives::Everybody => None,
        (None, _) => (!(*status == StatusCode::SEE_OTHER && to.starts_with("/sign-in")))
            .then(|| "does not ask to sign in".to_owned()),
        (Some(_), true) => {
            (!(status.is_success() || *status == StatusCode::SEE_OTHER)).then(|| "is refused".to_owned())
        }
        (Some(_), false) => {
            let refused = matches!(*status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
            (!refused).then(|| "is not refused".to_owned())
        }
    }
}
