//! Agents among the principals, with all that an agent holds: the key of its host, its host's id, and the token that it came
//! by.
//!
//! What would make their cells fail. Key and token stand in `credentials` beside the API's tokens, so a gate that looks for a
//! secret and not for its kind lets them in; a console that takes a host's key, token or proof for a session does. The gateway
//! takes all of it, each for its own host ([`super::links`]): so nothing here is refused for being no key.

use keys::token::{Kind, mint};
use keys::{Context, SigningKey};
use rand::SeedableRng as _;
use store::Store;
use store::auth::OperatorTx;
use uuid::Uuid;
use wire::v1::{Challenge, PROTOCOL, Prove, Up};

use super::{Principal, Staff};
use crate::console::strangers::Seat;
use crate::console::{Console, Organization};

/// An agent with what it holds.
pub(super) struct Agent {
    pub(super) name: &'static str,
    pub(super) tenant: Uuid,
    pub(super) host: Uuid,
    pub(super) key: SigningKey,
    /// The token that it came by, which its key has spent.
    pub(super) token: String,
    /// Whether its host is there.
    pub(super) works: bool,
}

impl Agent {
    /// One whose key and token nobody knows: nobody's, or of a host of which nothing is left.
    pub(super) fn lost(name: &'static str, tenant: Uuid, host: Uuid, seed: u8) -> Agent {
        let token = mint(Kind::Enroll, &mut rand::rngs::StdRng::seed_from_u64(seed.into())).reveal().to_owned();
        Agent { name, tenant, host, key: SigningKey::from_bytes(&[seed; 32]), token, works: false }
    }

    /// The proof that it sends the gateway, as the gateways of these tests ask for it.
    pub(super) fn proof(&self) -> String {
        let nonce = hex::encode([5_u8; 32]);
        let challenge = Challenge { nonce, server_name: "test".to_owned(), epoch: 1 };
        let (host_id, instance_id) = (self.host, Uuid::from_u128(1));
        let text = Prove::signed_text(&challenge, self.tenant, host_id, instance_id);
        let signature = self.key.sign(Context::Link, &text);
        serde_json::to_string(&Up::Prove(Prove { protocol: PROTOCOL, host_id, instance_id, signature })).unwrap()
    }

    /// What it can show as a bearer, and as a session's cookie beside it.
    pub(super) fn shows(&self) -> [(String, String); 3] {
        let key = self.key.public();
        [
            (self.proof(), self.token.clone()),
            (self.token.clone(), key.id().to_string()),
            (key.to_string(), self.host.to_string()),
        ]
    }

    /// On the pages: nobody.
    pub(super) fn on_pages(&self) -> impl Iterator<Item = Principal> {
        self.shows().into_iter().zip(["its proof", "its token", "its key"]).map(move |((bearer, cookie), what)| {
            Principal {
                name: format!("{} with {what}", self.name),
                email: None,
                seat: Seat { cookie: format!("__Host-session={cookie}"), csrf: "guess".to_owned() },
                bearer: Some(bearer),
                member: None,
                staff: Staff::No,
            }
        })
    }
}

impl Console {
    /// Gives an organization's host an agent: a key, the token that was spent for it, a link that has ended.
    pub(super) async fn agent(&mut self, of: &Organization, name: &'static str, seed: u8) -> Agent {
        let Organization { tenant, client, host, .. } = *of;
        let (key, enrolment) = (SigningKey::from_bytes(&[seed; 32]), Store::new_id());
        let token = mint(Kind::Enroll, &mut rand::rngs::StdRng::seed_from_u64(seed.into()));
        let (public, key_id, hash) = (key.public(), key.public().id(), hex::encode(token.hash()));
        self.execute(format!(
            "UPDATE hosts SET public_key = '\\x{public}' WHERE tenant_id = '{tenant}' AND host_id = '{host}';
             INSERT INTO host_links (tenant_id, client_id, host_id, node_id, epoch, linked_at, unlinked_at, goodbye)
               VALUES ('{tenant}', '{client}', '{host}', '{enrolment}', 0, clock_timestamp(), clock_timestamp(), 'update');
             INSERT INTO enrolments (tenant_id, client_id, enrolment_id, host_name, begins, created_by, created_at, expires_at, public_key, host_id, spent_at)
               VALUES ('{tenant}', '{client}', '{enrolment}', 'planned', 'mw_enroll_', 'A member', '2000-01-01', '2000-01-02', '\\x{public}', '{host}', '2000-01-01');
             INSERT INTO credentials (tenant_id, kind, secret_hash, subject_id, uses_left)
               VALUES ('{tenant}', 'enrolment_token', '\\x{hash}', '{enrolment}', 0), ('{tenant}', 'host_key', '\\x{key_id}', '{host}', NULL)"
        ))
        .await;
        Agent { name, tenant, host, key, token: token.reveal().to_owned(), works: true }
    }

    /// An agent of ours whose host was there.
    pub(super) async fn retired_agent(&mut self, seed: u8) -> Agent {
        let Organization { tenant, client, technician, check, incident, .. } = self.ours;
        let host = Store::new_id();
        self.execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
               VALUES ('{tenant}', '{client}', '{host}', 'old-host', uuid_send('{host}'), 'trusted', clock_timestamp())"
        ))
        .await;
        let of = Organization { tenant, technician, client, check, host, incident };
        let agent = self.agent(&of, "the agent of a host that was retired", seed).await;
        let operator = OperatorTx::begin(&self.store, &self.db.owner_url()).await.unwrap();
        let mut tx = operator.into_tenant(tenant).await.unwrap();
        assert_eq!(store::retiring::retire(&mut tx, client, host).await.unwrap(), store::retiring::Retired::Yes);
        tx.commit().await.unwrap();
        Agent { works: false, ..agent }
    }
}
