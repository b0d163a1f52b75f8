//! Service accounts among the principals: seats of programs, which have tokens and no session.
//!
//! What would make their cells fail: an API that gives a token of a service account its maker's rights or clients, or takes a
//! list of clients that is empty for all of them; one that knows a token whose account was removed; a console that takes a
//! token for a session, shown as the session's cookie or as a bearer.

use domain::access::Role;
use jiff::SignedDuration;
use keys::token::{Kind, mint};
use rand::SeedableRng as _;
use store::Store;
use store::auth::OperatorTx;
use store::tokens::{self, NewToken};
use uuid::Uuid;

use super::{Member, Principal, Staff};
use crate::console::Console;
use crate::console::strangers::Seat;

/// The scopes that a token of a service account may have: what only a person answers or sets is none of them.
static SCOPES: [&str; 8] = ["read", "work", "stop", "let_act", "trust", "clients", "enrol", "audit"];
static READS: [&str; 1] = ["read"];

/// A token of a service account.
pub(super) struct Program {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) scopes: Vec<&'static str>,
    /// Whether its account is there.
    pub(super) works: bool,
    member: Member,
}

impl Program {
    /// Whether its account is there and sees all clients of its organization.
    pub(super) fn sees_all(&self) -> bool {
        self.works && self.member.clients.is_none()
    }

    /// On the pages: nobody, who shows the token in both places where it could count.
    pub(super) fn on_pages(&self) -> Principal {
        Principal {
            name: format!("{} with its token", self.name),
            email: None,
            seat: Seat { cookie: format!("__Host-session={}", self.token), csrf: "guess".to_owned() },
            bearer: Some(self.token.clone()),
            member: None,
            staff: Staff::No,
        }
    }

    /// On the API: what its account is, whoever made the token.
    pub(super) fn on_api(&self) -> Principal {
        let Member { tenant, role, clients } = &self.member;
        let member = Member { tenant: *tenant, role: *role, clients: clients.clone() };
        Principal {
            name: self.name.clone(),
            email: None,
            seat: Seat { cookie: String::new(), csrf: String::new() },
            bearer: None,
            member: self.works.then_some(member),
            staff: Staff::No,
        }
    }
}

impl Console {
    /// Tokens of service accounts of all clients, of one, of one that is gone, of another organization, and of one that was
    /// removed. Who made them may more: an owner.
    pub(super) async fn programs(&mut self, second: Uuid) -> Vec<Program> {
        let (ours, theirs, first) = (self.ours.tenant, self.theirs.tenant, self.ours.client);
        let technician = |tenant, clients: Option<Vec<Uuid>>| Member { tenant, role: Role::Technician, clients };
        let wanted = [
            ("a service account of all clients", technician(ours, None), &SCOPES[..]),
            ("a service account of the first client", technician(ours, Some(vec![first])), &SCOPES[..]),
            ("a service account of no client", technician(ours, Some(Vec::new())), &SCOPES[..]),
            (
                "a service account that reads the second client",
                Member { tenant: ours, role: Role::Viewer, clients: Some(vec![second]) },
                &READS[..],
            ),
            ("a service account elsewhere", technician(theirs, None), &SCOPES[..]),
            ("a service account that was removed", technician(ours, None), &SCOPES[..]),
        ];
        let mut programs = Vec::new();
        for (name, member, scopes) in wanted {
            let works = !name.ends_with("removed");
            let token = self.program(name, &member, scopes, works).await;
            programs.push(Program { name: name.to_owned(), token, scopes: scopes.to_vec(), works, member });
        }
        programs
    }

    /// Makes an account and a token of it; one that does not work is of an account that is nowhere.
    async fn program(&mut self, name: &str, member: &Member, scopes: &[&str], works: bool) -> String {
        let (tenant, seat, role) = (member.tenant, Store::new_id(), member.role.word());
        if works {
            let sees_all = member.clients.is_none();
            self.execute(format!(
                "INSERT INTO service_seats (tenant_id, seat_id, name, role, sees_all, made_at, made_by)
                   VALUES ('{tenant}', '{seat}', '{name}', '{role}', {sees_all}, clock_timestamp(), 'An owner')"
            ))
            .await;
        }
        for client in member.clients.iter().flatten() {
            self.execute(format!(
                "INSERT INTO service_seat_clients (tenant_id, client_id, seat_id) VALUES ('{tenant}', '{client}', '{seat}')"
            ))
            .await;
        }
        let owner =
            "SELECT login_id FROM memberships WHERE tenant_id = $1 AND role = 'owner' AND client_ids IS NULL LIMIT 1";
        let login_id: Uuid = sqlx::query_scalar(owner).bind(tenant).fetch_one(&mut self.rows).await.unwrap();
        // Other seeds than those of `Console::token`.
        let seed = 1_000_000 + self.count("api_tokens").await.unsigned_abs();
        let made = mint(Kind::Api, &mut rand::rngs::StdRng::seed_from_u64(seed));
        let operator = OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap();
        let mut tx = operator.into_tenant(tenant).await.unwrap();
        let expires_at = tx.now().await.unwrap() + SignedDuration::from_hours(24);
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let new = NewToken {
            name: "of a program",
            hint: "mw_api_",
            hash: &made.hash(),
            login_id,
            seat_id: Some(seat),
            scopes: &scopes,
            networks: &[],
            expires_at,
            minted_by: None,
        };
        tokens::insert(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        made.reveal().to_owned()
    }
}
