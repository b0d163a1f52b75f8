//! Enrolment: a token becomes a host, once, or as often as a token for many allows; the same key is answered the same again.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use domain::fleet::{is_name, network};
use domain::quota::Counted;
use keys::{Context, PublicKey};
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::auth::EnrolmentIdentity;
use store::enrolment_tokens::{self, Many};
use store::enrolments::Enrolment;
use store::newcomers::{self, Claim, Same};
use store::{Origin, TenantTx, auth, clients, credentials, enrolments, host_links, hosts, quotas, tenant_keys};
use uuid::Uuid;
use wire::v1::{Challenge, Down, Enroll, Enrolled, PROTOCOL, Up, close};

use crate::socket::{End, Socket};
use crate::{Inner, outcome};

/// The agent answers a challenge in this time.
pub const ANSWER: Duration = Duration::from_secs(10);

/// Serves the enrolment path for whoever is at `from`.
pub async fn serve(gateway: &Inner, socket: WebSocket, from: Option<IpAddr>) {
    let mut socket = Socket::new(socket);
    let end = match exchange(gateway, &mut socket, from).await {
        Ok(()) => End::close(1000, "enrolled"),
        Err(end) => end,
    };
    socket.end(end, "enrolment").await;
}

/// A new challenge.
pub fn challenge(gateway: &Inner, epoch: i64) -> Challenge {
    let nonce = hex::encode((gateway.config.random)());
    Challenge { nonce, server_name: gateway.config.server_name.clone(), epoch }
}

/// The refusal of another version.
pub fn other_protocol(theirs: u16) -> End {
    End::close(close::PROTOCOL, format!("the server speaks protocol {PROTOCOL}, the agent {theirs}; update the agent"))
}

async fn exchange(gateway: &Inner, socket: &mut Socket, from: Option<IpAddr>) -> Result<(), End> {
    let challenge = challenge(gateway, 0);
    socket.send(&Down::Challenge(challenge.clone())).await?;
    let Up::Enroll(enroll) = socket.expect(ANSWER).await? else { return Err(End::malformed("Enroll is expected")) };
    if enroll.protocol != PROTOCOL {
        return Err(other_protocol(enroll.protocol));
    }
    let unproven = || End::close(close::HOST_KEY, "the signature of the host key does not verify");
    let key: PublicKey = enroll.public_key.parse().map_err(|_| unproven())?;
    let text = Enroll::signed_text(&challenge, &enroll.public_key);
    key.verify(Context::Enroll, &text, &enroll.signature).map_err(|_| unproven())?;
    let token = keys::token::hash(enroll.token.trim());
    let identity = auth::by_enrolment_token(&gateway.store, &token).await?.ok_or_else(unknown)?;
    let asking = Asking { key: &key, enroll: &enroll, from };
    let enrolled = enrol(gateway, &identity, &asking).await?;
    socket.send(&Down::Enrolled(enrolled)).await
}

fn unknown() -> End {
    refused("the enrolment token is unknown, used up, expired or revoked; make a new one")
}

fn refused(why: impl Into<String>) -> End {
    End::close(close::TOKEN, why)
}

fn retired() -> End {
    refused("this machine's host was retired: remove host.key from the state directory and enrol with a new token")
}

/// Who asks.
struct Asking<'a> {
    key: &'a PublicKey,
    enroll: &'a Enroll,
    from: Option<IpAddr>,
}

impl Asking<'_> {
    /// What the machine calls itself, hashed by its agent; not every agent says it.
    fn machine(&self) -> Option<Vec<u8>> {
        hex::decode(self.enroll.machine.as_deref()?).ok().filter(|machine| machine.len() == 32)
    }
}

/// What the token is for.
enum Plan {
    /// One host.
    One(Enrolment),
    /// Many.
    Many(Many),
}

impl Plan {
    /// The plan of a token. One for a single host is locked: of two agents with it the second waits.
    async fn find(tx: &mut TenantTx, token_id: Uuid) -> Result<Plan, End> {
        if let Some(plan) = enrolments::find_locked(tx, token_id).await? {
            return Ok(Plan::One(plan));
        }
        Ok(Plan::Many(enrolment_tokens::find_many(tx, token_id).await?.ok_or_else(unknown)?))
    }

    fn client_id(&self) -> Uuid {
        match self {
            Plan::One(plan) => plan.client_id,
            Plan::Many(plan) => plan.client_id,
        }
    }

    fn networks(&self) -> &[String] {
        match self {
            Plan::One(plan) => &plan.networks,
            Plan::Many(plan) => &plan.networks,
        }
    }

    fn place(&self) -> (Option<Uuid>, &Value) {
        match self {
            Plan::One(plan) => (plan.site_id, &plan.tags),
            Plan::Many(plan) => (plan.site_id, &plan.tags),
        }
    }
}

async fn enrol(gateway: &Inner, identity: &EnrolmentIdentity, asking: &Asking<'_>) -> Result<Enrolled, End> {
    let mut tx = gateway.store.begin(&identity.scope).await?;
    tx.comes_from(Origin { address: asking.from, request_id: None });
    let plan = Plan::find(&mut tx, identity.enrolment_id).await?;
    if !network::allows(plan.networks(), asking.from) {
        return Err(refused("the enrolment token may not be used from this machine's network"));
    }
    let client = clients::find(&mut tx, plan.client_id()).await?.ok_or_else(unknown)?;
    if client.archived_at.is_some() {
        return Err(refused("the client of this enrolment token is archived"));
    }
    let host_id = match become_host(gateway, &mut tx, identity.enrolment_id, &plan, asking).await? {
        Became::Host(host_id) => host_id,
        Became::Claimant(name) => {
            tx.commit().await?;
            return Err(refused(format!(
                "this machine is the host {name} already; say on its page that it is the same machine, then enrol again"
            )));
        }
    };
    let keys = tenant_keys::list(&mut tx).await?;
    let dispatch = gateway.config.dispatch_keys.borrow().clone();
    let (dispatch_version, dispatch_key) = dispatch.newest();
    hosts::mark_dispatch_version(&mut tx, host_id, dispatch_version).await?;
    let enrolled = Enrolled {
        tenant_id: tx.tenant_id(),
        client_id: plan.client_id(),
        host_id,
        playbook_keys: keys.iter().map(|k| hex::encode(&k.public_key)).collect(),
        dispatch_key: dispatch_key.public().to_string(),
        dispatch_version,
    };
    tx.commit().await?;
    tracing::info!(%host_id, "a host is enrolled");
    Ok(enrolled)
}

/// What came of an enrolment.
enum Became {
    /// It is this host.
    Host(Uuid),
    /// It may be the host of this name: a person says so, or not.
    Claimant(String),
}

/// The host that whoever asks is: answered again, the same machine as before, or a new one.
async fn become_host(
    gateway: &Inner,
    tx: &mut TenantTx,
    token_id: Uuid,
    plan: &Plan,
    asking: &Asking<'_>,
) -> Result<Became, End> {
    let public_key = asking.key.to_bytes();
    if let Plan::One(plan) = plan {
        match (plan.host_id, plan.public_key.as_deref()) {
            (Some(host_id), Some(spent_by)) if spent_by == public_key => {
                let is_there = hosts::find(tx, host_id).await?.is_some_and(|host| host.state != "retired");
                return if is_there { Ok(Became::Host(host_id)) } else { Err(retired()) };
            }
            (Some(_), _) => return Err(refused("the enrolment token was used by another machine; make a new one")),
            (None, _) => {}
        }
    }
    let machine = asking.machine();
    let same = newcomers::find_same(tx, plan.client_id(), &public_key, machine.as_deref()).await?;
    match same {
        // Its key is this host's, and a token of its client is in its hand: the answer got lost, or a person said yes.
        Some(same) if same.public_key == public_key && machine.is_some() => {
            if matches!(plan, Plan::One(_))
                && let Some(left) = credentials::spend_enrolment_token(tx, token_id).await?
            {
                enrolments::mark_spent(tx, token_id, &public_key, same.host_id).await?;
                enrolment_tokens::note_spent(tx, plan.client_id(), token_id, same.host_id, left).await?;
            }
            Ok(Became::Host(same.host_id))
        }
        Some(same) if same.public_key != public_key => claim(tx, plan, asking, &same).await.map(Became::Claimant),
        _ => {
            let host_id = spend(gateway, tx, token_id, plan, asking).await?;
            if let Some(machine) = machine {
                newcomers::mark_machine(tx, host_id, &machine).await?;
            }
            Ok(Became::Host(host_id))
        }
    }
}

/// The machine is a host already, and its key is another one: reinstalled, or a copy. A person says which.
async fn claim(tx: &mut TenantTx, plan: &Plan, asking: &Asking<'_>, same: &Same) -> Result<String, End> {
    let (public_key, key_id, address) =
        (asking.key.to_bytes(), asking.key.id(), asking.from.map(|from| from.to_canonical().to_string()));
    let claim = Claim {
        client_id: plan.client_id(),
        host_id: same.host_id,
        public_key: &public_key,
        key_id: key_id.as_bytes(),
        hostname: &shortened(&asking.enroll.hostname),
        address: address.as_deref(),
    };
    newcomers::insert_claim(tx, &claim).await?;
    Ok(same.name.clone())
}

/// A name as it is kept, whatever the machine calls itself.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

async fn spend(
    gateway: &Inner,
    tx: &mut TenantTx,
    token_id: Uuid,
    plan: &Plan,
    asking: &Asking<'_>,
) -> Result<Uuid, End> {
    if let Err(full) = quotas::find_room(tx, Counted::Hosts, 1).await? {
        return Err(refused(full));
    }
    let left = credentials::spend_enrolment_token(tx, token_id).await?.ok_or_else(unknown)?;
    let Asking { key, enroll, .. } = asking;
    let (public_key, client_id, (site_id, tags)) = (key.to_bytes(), plan.client_id(), plan.place());
    let hostname = shortened(&enroll.hostname);
    let name = match plan {
        Plan::One(plan) => &plan.host_name,
        Plan::Many(_) if is_name(&hostname) => &hostname,
        Plan::Many(_) => return Err(refused("the machine has no host name, so the host would have none")),
    };
    let new = hosts::NewHost { client_id, site_id, name, tags, public_key: &public_key };
    let host_id = hosts::insert(tx, &new).await.map_err(|error| match error.conflict() {
        Some("hosts_name") => refused("the client has a host of this name already; rename or retire it first"),
        Some("hosts_public_key") => refused(
            "this key is another host's, or a retired one's: remove host.key from the state directory and enrol again",
        ),
        _ => End::Store(error),
    })?;
    host_links::insert(tx, client_id, host_id, gateway.config.node_id).await?;
    credentials::insert_host_key(tx, key.id().as_bytes(), host_id).await?;
    outcome::host_made(tx, host_id).await?;
    let made = json!({"name": name, "site": site_id, "tags": tags, "key_id": key.id().to_string()});
    let detail = json!({"hostname": hostname, "profile": enroll.profile, "agent_version": enroll.agent_version});
    let entry = Entry::made("host.enrolled", ("host", host_id), made);
    audit::insert(tx, Some(client_id), entry.with(detail)).await?;
    enrolment_tokens::note_spent(tx, client_id, token_id, host_id, left).await?;
    match plan {
        Plan::One(_) => enrolments::mark_spent(tx, token_id, &public_key, host_id).await?,
        Plan::Many(_) => newcomers::mark_waiting(tx, client_id, host_id, token_id).await?,
    }
    Ok(host_id)
}
