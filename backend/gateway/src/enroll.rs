//! Enrolment: a token becomes a host, once; the same key is answered the same again.

use std::time::Duration;

use axum::extract::ws::WebSocket;
use keys::{Context, PublicKey};
use serde_json::json;
use store::auth::EnrolmentIdentity;
use store::enrolments::Enrolment;
use store::{TenantTx, audit, auth, credentials, enrolments, host_links, hosts, tenant_keys};
use uuid::Uuid;
use wire::v1::{Challenge, Down, Enroll, Enrolled, PROTOCOL, Up, close};

use crate::socket::{End, Socket};
use crate::{Inner, outcome};

/// The agent answers a challenge in this time.
pub const ANSWER: Duration = Duration::from_secs(10);

/// Serves the enrolment path.
pub async fn serve(gateway: &Inner, socket: WebSocket) {
    let mut socket = Socket::new(socket);
    let end = match exchange(gateway, &mut socket).await {
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

async fn exchange(gateway: &Inner, socket: &mut Socket) -> Result<(), End> {
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
    let enrolled = enrol(gateway, &identity, &key, &enroll).await?;
    socket.send(&Down::Enrolled(enrolled)).await
}

fn unknown() -> End {
    refused("the enrolment token is unknown, expired or revoked; make a new one for this host")
}

fn refused(why: &str) -> End {
    End::close(close::TOKEN, why)
}

async fn enrol(
    gateway: &Inner,
    identity: &EnrolmentIdentity,
    key: &PublicKey,
    enroll: &Enroll,
) -> Result<Enrolled, End> {
    let mut tx = gateway.store.begin(&identity.scope).await?;
    let plan = enrolments::find_locked(&mut tx, identity.enrolment_id).await?.ok_or_else(unknown)?;
    let host_id = match (plan.host_id, plan.public_key.as_deref()) {
        (Some(host_id), Some(spent_by)) if spent_by == key.to_bytes() => host_id,
        (Some(_), _) => return Err(refused("the enrolment token was used by another machine; make a new one")),
        (None, _) => spend(gateway, &mut tx, identity.enrolment_id, &plan, key, enroll).await?,
    };
    let keys = tenant_keys::list(&mut tx).await?;
    let dispatch = gateway.config.dispatch_keys.borrow().clone();
    let (dispatch_version, dispatch_key) = dispatch.newest();
    hosts::mark_dispatch_version(&mut tx, host_id, dispatch_version).await?;
    let enrolled = Enrolled {
        tenant_id: tx.tenant_id(),
        client_id: plan.client_id,
        host_id,
        playbook_keys: keys.iter().map(|k| hex::encode(&k.public_key)).collect(),
        dispatch_key: dispatch_key.public().to_string(),
        dispatch_version,
    };
    tx.commit().await?;
    tracing::info!(%host_id, "a host is enrolled");
    Ok(enrolled)
}

async fn spend(
    gateway: &Inner,
    tx: &mut TenantTx,
    enrolment_id: Uuid,
    plan: &Enrolment,
    key: &PublicKey,
    enroll: &Enroll,
) -> Result<Uuid, End> {
    if !credentials::spend_enrolment_token(tx, enrolment_id).await? {
        return Err(unknown());
    }
    let public_key = key.to_bytes();
    let new = hosts::NewHost {
        client_id: plan.client_id,
        site_id: plan.site_id,
        name: &plan.host_name,
        tags: &plan.tags,
        public_key: &public_key,
    };
    let host_id = hosts::insert(tx, &new).await.map_err(|error| match error.conflict() {
        Some("hosts_name") => refused("the client has a host of this name already; rename or retire it first"),
        Some("hosts_public_key") => refused("this machine's key belongs to another host; it is enrolled already"),
        _ => End::Store(error),
    })?;
    host_links::insert(tx, plan.client_id, host_id, gateway.config.node_id).await?;
    credentials::insert_host_key(tx, key.id().as_bytes(), host_id).await?;
    outcome::host_made(tx, host_id).await?;
    enrolments::mark_spent(tx, enrolment_id, &public_key, host_id).await?;
    let detail = json!({"hostname": enroll.hostname, "key_id": key.id().to_string(), "profile": enroll.profile, "agent_version": enroll.agent_version});
    audit::insert(tx, plan.client_id, "host.enrolled", "host", host_id, detail).await?;
    Ok(host_id)
}
