//! The authorization matrix: every route × every kind of principal × whose rows, of pages, API and gateway. It is generated
//! from the routes and the permission table, so a route without a row here fails, and so does one that is open to somebody it should not be.
//!
//! What is refused is asked for and must change no row of any table, which is looked at after each route of the console
//! and each token of the API. What is allowed is read; that it can be done is tried elsewhere.

mod agents;
pub(super) mod api;
mod canaries;
mod events;
mod fields;
mod furnish;
mod links;
mod origins;
mod pages;
mod programs;
mod rows;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use domain::access::{Act, Role};
use store::auth::OperatorTx;
use store::seeding;
use uuid::Uuid;

use super::strangers::Seat;
use super::{Console, Organization, PASSWORD, host_and_incident, password_hash, spilled};
use agents::Agent;
use canaries::{Canary, leaked};
use programs::Program;
use rows::Rows;

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

/// Who asks.
struct Principal {
    name: String,
    /// What they sign in with.
    email: Option<String>,
    seat: Seat,
    /// What a program or a machine shows beside a cookie.
    bearer: Option<String>,
    /// None: nobody who is signed in to an organization.
    member: Option<Member>,
    staff: Staff,
}

/// Whether somebody is of the platform's staff.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Staff {
    No,
    /// Has no seat anywhere, and pages of their own.
    Operator,
    /// Reads an organization's pages while an owner's grant lasts.
    Support,
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
            Asks::Nothing => true,
            Asks::May(act) => self.role.may(act),
            Asks::MayForAll(act) => self.role.may(act) && self.clients.is_none(),
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
    pub(super) async fn second_client(&mut self) -> Organization {
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
        self.furnish_more(run).await;
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
            email: Some(email),
            bearer: None,
            member: Some(Member { tenant, role, clients }),
            staff: Staff::No,
        }
    }

    /// Everybody who asks for pages; `machines` are nobody there.
    async fn principals(&self, second: Uuid, machines: impl Iterator<Item = Principal>) -> Vec<Principal> {
        let nobody = |name: &str, cookie: String| Principal {
            name: name.to_owned(),
            email: None,
            seat: Seat { cookie, csrf: "guess".to_owned() },
            bearer: None,
            member: None,
            staff: Staff::No,
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
        all.extend(machines);
        let (name, seat) = ("an operator".to_owned(), self.operator_seat().await);
        all.push(Principal { name, email: None, seat, bearer: None, member: None, staff: Staff::Operator });
        // The last: what support looks at is noted, and the rows are compared before.
        let (name, seat) = ("the platform's support".to_owned(), self.support_seat().await);
        let member = Some(Member { tenant: self.ours.tenant, role: Role::Support, clients: None });
        all.push(Principal { name, email: None, seat, bearer: None, member, staff: Staff::Support });
        all
    }

    /// The id of a run, an incident, a host, a client and a member that were there.
    async fn gone(&mut self) -> Uuid {
        let id = self.run("unknown", "unknown").await;
        let Organization { tenant, client, .. } = self.ours;
        self.execute(format!(
            "DELETE FROM guardrail_admissions WHERE run_id = '{id}'; DELETE FROM jobs WHERE run_id = '{id}';
             DELETE FROM runs WHERE run_id = '{id}'; DELETE FROM remediations WHERE remediation_id = '{id}';
             INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at) VALUES ('{tenant}', '{client}', '{id}', 'x', 'critical', 'open', clock_timestamp());
             INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at) VALUES ('{tenant}', '{client}', '{id}', 'gone', uuid_send('{id}'), 'trusted', clock_timestamp());
             DELETE FROM incidents WHERE incident_id = '{id}'; DELETE FROM hosts WHERE host_id = '{id}';
             INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) VALUES ('{tenant}', '{id}', 'gone', 'UTC', clock_timestamp());
             DELETE FROM clients WHERE client_id = '{id}';
             INSERT INTO logins (login_id, email) VALUES ('{id}', 'gone@matrix.example');
             INSERT INTO memberships (tenant_id, login_id, name, email, role) VALUES ('{tenant}', '{id}', 'gone', 'gone@matrix.example', 'viewer');
             DELETE FROM memberships WHERE login_id = '{id}'"
        ))
        .await;
        id
    }
}

/// What the cells of a matrix came to.
#[derive(Default)]
struct Cells {
    count: u32,
    by_answer: BTreeMap<u16, u32>,
    wrong: Vec<String>,
}

impl Cells {
    fn add(&mut self, status: StatusCode) {
        self.add_code(status.as_u16());
    }

    /// Of the gateway: the code of a connection's close.
    fn add_code(&mut self, code: u16) {
        self.count += 1;
        *self.by_answer.entry(code).or_default() += 1;
    }
}

/// One database with everybody and everything in it.
struct World {
    console: Console,
    /// Who asks for pages, and with their tokens for the API.
    principals: Vec<Principal>,
    /// Who asks for the API alone: service accounts.
    accounts: Vec<Principal>,
    programs: Vec<Program>,
    /// Of our two clients and of theirs, of hosts that were retired and deleted, and of nobody.
    agents: Vec<Agent>,
    targets: Vec<Target>,
    canaries: Vec<Canary>,
}

impl World {
    async fn new() -> World {
        let mut console = Console::new().await;
        let second = console.second_client().await;
        let second_client = second.client;
        let copy = |of: &Organization| Organization { ..*of };
        let (ours, theirs) = (copy(&console.ours), copy(&console.theirs));
        let mut agents = Vec::new();
        for (of, name) in [
            (&ours, "the agent of the first client"),
            (&second, "the agent of the second client"),
            (&theirs, "another organization's agent"),
        ] {
            let seed = 100 + u8::try_from(agents.len()).unwrap();
            agents.push(console.agent(of, name, seed).await);
        }
        let programs = console.programs(second_client).await;
        let of_agents = [&agents[0], &agents[2]].into_iter().flat_map(Agent::on_pages);
        let of_programs = programs.iter().filter(|program| program.sees_all()).map(Program::on_pages);
        let principals = console.principals(second_client, of_agents.chain(of_programs)).await;
        let accounts = programs.iter().map(Program::on_api).collect();
        let gone = console.gone().await;

        store::migrate::ensure_days(&console.store).await.unwrap();
        let mut targets = Vec::new();
        for of in [ours, second, theirs] {
            let (organization, run) = console.furnish(of).await;
            let whose = Whose::Rows { tenant: organization.tenant, client: organization.client };
            targets.push(Target { whose, organization, run });
        }
        let canaries = console.plant(&targets).await;
        agents.push(console.retired_agent(110).await);
        let tenant = console.ours.tenant;
        agents.push(Agent::lost("the agent of a host that was deleted", tenant, gone, 111));
        agents.push(Agent::lost("nobody's agent", Uuid::from_u128(1), Uuid::from_u128(1), 112));
        for id in [gone, Uuid::from_u128(1)] {
            let organization =
                Organization { tenant: id, technician: id, client: id, check: id, host: id, incident: id };
            targets.push(Target { whose: Whose::Nobodys, organization, run: id });
        }

        World { console, principals, accounts, programs, agents, targets, canaries }
    }

    /// What of all that everybody came in by stands in a row of any table.
    async fn spilled(&mut self, tokens: &[api::Held]) -> Vec<String> {
        let mut known = vec![("the password".to_owned(), PASSWORD.to_owned())];
        for who in self.principals.iter().filter(|who| who.member.is_some() || who.staff != Staff::No) {
            known.extend(spilled::of_cookie(&who.name, &who.seat.cookie));
        }
        let of_tokens = tokens.iter().filter_map(api::Held::secret);
        known.extend(of_tokens.map(|token| ("a token".to_owned(), token.to_owned())));
        for agent in &self.agents {
            known.push((format!("the token of {}", agent.name), agent.token.clone()));
            known.push((format!("the key of {}", agent.name), hex::encode(agent.key.to_bytes().as_slice())));
        }
        let rows = self.console.everything().await;
        spilled::found(&rows, &known)
    }

    /// The principal of this number: the accounts come after those who ask for pages.
    fn who(&self, at: usize) -> &Principal {
        self.principals.get(at).unwrap_or_else(|| &self.accounts[at - self.principals.len()])
    }
}

#[tokio::test]
async fn every_route_gives_every_principal_what_is_theirs_and_nothing_else() {
    let mut world = World::new().await;
    let tokens = api::tokens(&mut world).await;
    let mut rows = Rows::look(&mut world.console.rows).await;
    let mut cells = Cells::default();
    pages::ask_all(&mut world, &mut rows, &mut cells).await;
    let of_pages = cells.count;
    api::ask_all(&mut world, &tokens, &mut rows, &mut cells).await;
    let of_api = cells.count - of_pages;
    assert_eq!(world.spilled(&tokens).await, [""; 0], "what lets somebody in stands in a row");
    // The last: where an agent is let in, rows change.
    links::ask_all(&mut world, &mut rows, &mut cells).await;
    let Cells { count, by_answer, wrong } = cells;
    let of_links = count - of_pages - of_api;
    println!(
        "matrix cells: {count} ({of_pages} of pages, {of_api} of the API, {of_links} of the gateway), answers: {by_answer:?}"
    );
    let first = wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} cells are wrong:\n{first}", wrong.len());
    assert!(count >= 10_000, "matrix cells: {count}");
}
