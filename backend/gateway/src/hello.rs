//! A link's beginning: proof, `Hello`, the link's row, and whether the host is trusted.

use std::collections::{BTreeMap, HashMap};

use domain::detect::HostFacts;
use jiff::Timestamp;
use keys::{Context, PublicKey};
use serde_json::json;
use store::audit::{self, Entry};
use store::auth::HostIdentity;
use store::detect::{check_requests, check_states, checks};
use store::{TenantTx, auth, host_links, hosts};
use uuid::Uuid;
use wire::v1::{Down, Hello, JournalState, PROTOCOL, Prove, Up, close};

use crate::enroll::{ANSWER, challenge, other_protocol};
use crate::rotation::Held;
use crate::socket::{End, Socket};
use crate::watches::{Watches, replaced};
use crate::{Inner, convert};

/// A proven link.
pub struct Begun {
    /// Who it is.
    pub identity: HostIdentity,
    /// Its client.
    pub client_id: Uuid,
    /// Its key.
    pub key: PublicKey,
    /// The agent's start.
    pub instance_id: Uuid,
    /// The link's epoch.
    pub epoch: i64,
    /// Whether it gets no jobs.
    pub quarantined: bool,
    /// The version of its checks.
    pub config_version: i64,
    /// The dispatch key that it holds.
    pub held: Held,
    /// Its evaluators.
    pub watches: Watches,
    /// The database's time of the link's beginning.
    pub began_at: Timestamp,
    /// What it said.
    pub hello: Hello,
}

/// From the first byte to the link's committed row.
pub async fn begin(gateway: &Inner, key_id: &str, socket: &mut Socket) -> Result<Begun, End> {
    let unknown = || End::close(close::HOST_KEY, "this host's key is unknown or revoked; enrol the host again");
    let key_id = hex::decode(key_id).map_err(|_| unknown())?;
    let identity = auth::by_host_key(&gateway.store, &key_id).await?.ok_or_else(unknown)?;
    let mut tx = gateway.store.begin(&identity.scope).await?;
    let host = hosts::find(&mut tx, identity.host_id).await?.filter(|h| h.state != "retired").ok_or_else(unknown)?;
    let epoch = host_links::find_epoch(&mut tx, identity.host_id).await?.ok_or_else(unknown)? + 1;
    let tenant_id = tx.tenant_id();
    tx.rollback().await?;

    let challenge = challenge(gateway, epoch);
    socket.send(&Down::Challenge(challenge.clone())).await?;
    let Up::Prove(prove) = socket.expect(ANSWER).await? else { return Err(End::malformed("Prove is expected")) };
    if prove.protocol != PROTOCOL {
        return Err(other_protocol(prove.protocol));
    }
    let public: Option<PublicKey> =
        <[u8; 32]>::try_from(host.public_key.as_slice()).ok().and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
    let text = Prove::signed_text(&challenge, tenant_id, identity.host_id, prove.instance_id);
    let key = public
        .filter(|key| prove.host_id == identity.host_id && key.verify(Context::Link, &text, &prove.signature).is_ok())
        .ok_or_else(|| End::close(close::HOST_KEY, "the proof of the host key does not verify"))?;
    let Up::Hello(hello) = socket.expect(ANSWER).await? else { return Err(End::malformed("Hello is expected")) };
    link(gateway, identity, key, prove.instance_id, epoch, *hello).await
}

async fn link(
    gateway: &Inner,
    identity: HostIdentity,
    key: PublicKey,
    instance_id: Uuid,
    epoch: i64,
    hello: Hello,
) -> Result<Begun, End> {
    let host_id = identity.host_id;
    let mut tx = gateway.store.begin(&identity.scope).await?;
    if !host_links::mark_linked(&mut tx, host_id, gateway.config.node_id, epoch, instance_id).await? {
        return Err(replaced());
    }
    check_requests::wake_for_later(&mut tx, host_id).await?;
    let gone = || End::close(close::HOST_KEY, "this host is no more");
    let mut host = hosts::find(&mut tx, host_id).await?.ok_or_else(gone)?;
    distrust(&mut tx, host_id, &mut host, &hello).await?;
    let now = tx.now().await?;
    let uptime = jiff::SignedDuration::from_secs(i64::try_from(hello.uptime_secs).unwrap_or(0).min(1_000_000_000));
    let said = hosts::Said {
        agent_version: shortened(&hello.agent_version),
        boot_id: hello.boot_id,
        booted_at: now - uptime,
        own_limits: serde_json::to_value(&hello.limits).unwrap_or_default(),
        notes: json!(hello.notes.iter().take(20).map(|n| shortened(n)).collect::<Vec<_>>()),
    };
    let booted_at = hosts::mark_said(&mut tx, host_id, &said).await?;
    let stored = u32::try_from(host.dispatch_version).unwrap_or(1);
    let held = Held::of(&hello, stored);
    if held.version != stored {
        hosts::mark_dispatch_version(&mut tx, host_id, held.version).await?;
    }
    let watches = watches(&mut tx, &host, (host_id, epoch), booted_at).await?;
    tx.commit().await?;
    Ok(Begun {
        identity,
        client_id: host.client_id,
        key,
        instance_id,
        epoch,
        quarantined: host.state == "quarantined",
        config_version: host.config_version,
        held,
        watches,
        began_at: now,
        hello,
    })
}

/// The evaluators of the checks that select the host now, each where its stored state is.
async fn watches(
    tx: &mut TenantTx,
    host: &hosts::Host,
    (host_id, epoch): (Uuid, i64),
    booted_at: Timestamp,
) -> Result<Watches, End> {
    let now = tx.now().await?;
    let tags: BTreeMap<String, String> = serde_json::from_value(host.tags.clone()).unwrap_or_default();
    let facts = HostFacts { client: &host.client, host: &host.name, tags: &tags };
    let selected = checks::list(tx)
        .await?
        .into_iter()
        .filter(|(_, c)| convert::kind(c.kind).is_some() && c.selector.selects(&facts));
    let states: HashMap<_, _> =
        check_states::list_of_host(tx, host_id).await?.into_iter().map(|(id, t, s)| ((id, t), s)).collect();
    Ok(Watches::new((host.client_id, host_id, epoch), booted_at, selected.collect(), states, now))
}

/// Takes the host's checks anew if they are others since the link knows them; says whether they were.
pub async fn configure(gateway: &Inner, link: &mut Begun) -> Result<bool, End> {
    let host_id = link.identity.host_id;
    let mut tx = gateway.store.begin(&link.identity.scope).await?;
    let host = hosts::find(&mut tx, host_id).await?.filter(|host| host.config_version != link.config_version);
    let Some(host) = host else { return Ok(false) };
    let fresh = watches(&mut tx, &host, (host_id, link.epoch), link.watches.booted_at()).await?;
    let now = tx.now().await?;
    tx.commit().await?;
    link.watches.configure(fresh, now);
    link.config_version = host.config_version;
    Ok(true)
}

/// Why a host is not to be trusted with jobs. A person's word that it is the same machine holds until it has sent a
/// fence again: its agent begins a new journal only once it hears that it is trusted.
fn suspicion(seen_fence: i64, attested: bool, hello: &Hello) -> Option<String> {
    match hello.journal {
        JournalState::Missing | JournalState::Damaged if attested && seen_fence == 0 => None,
        JournalState::Missing => Some("the agent's journal is missing although the host was enrolled".into()),
        JournalState::Damaged => Some("the agent's journal is damaged".into()),
        JournalState::New | JournalState::Sound if hello.max_fence < seen_fence => Some(format!(
            "the agent's journal ends at fence {}, but this host has sent fence {seen_fence}: a restored snapshot or a copy",
            hello.max_fence
        )),
        JournalState::New | JournalState::Sound => None,
    }
}

async fn distrust(tx: &mut TenantTx, host_id: Uuid, host: &mut hosts::Host, hello: &Hello) -> Result<(), End> {
    let Some(reason) = suspicion(host.seen_fence, host.attested, hello) else { return Ok(()) };
    if hosts::mark_quarantined(tx, host_id, &reason).await? {
        host.state = "quarantined".into();
        let (was, is) = (json!({"state": "trusted"}), json!({"state": "quarantined", "reason": reason}));
        let entry = Entry::changed("host.quarantined", ("host", host_id), was, is);
        let detail = json!({"reason": reason, "max_fence": hello.max_fence, "seen_fence": host.seen_fence});
        audit::insert(tx, Some(host.client_id), entry.with(detail)).await?;
        tracing::warn!(%host_id, reason, "a host is quarantined");
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::v1::{HostLimits, Profile};

    fn hello(journal: JournalState, max_fence: i64) -> Hello {
        let limits = HostLimits {
            profile: Profile::LowRisk,
            allowed_playbooks: vec![],
            max_runs_per_hour: 1,
            hours: vec![],
            max_run_secs: None,
            max_memory_mib: None,
            scripts: false,
            services: vec![],
            units: vec![],
            path: String::new(),
        };
        Hello {
            agent_version: String::new(),
            boot_id: Uuid::nil(),
            uptime_secs: 0,
            max_fence,
            journal,
            jobs: vec![],
            checks: vec![],
            limits,
            notes: vec![],
            dispatch_version: None,
        }
    }

    #[test]
    fn a_host_that_forgot_a_fence_it_has_sent_is_not_trusted() {
        assert_eq!(suspicion(0, false, &hello(JournalState::New, 0)), None);
        assert_eq!(suspicion(7, false, &hello(JournalState::Sound, 7)), None);
        assert!(suspicion(7, false, &hello(JournalState::Sound, 6)).is_some());
        assert!(suspicion(1, false, &hello(JournalState::New, 0)).is_some());
        assert!(suspicion(0, false, &hello(JournalState::Missing, 0)).is_some());
        assert!(suspicion(0, false, &hello(JournalState::Damaged, 9)).is_some());
    }

    #[test]
    fn a_persons_word_covers_a_lost_journal_until_the_host_has_sent_a_fence_again() {
        assert_eq!(suspicion(0, true, &hello(JournalState::Missing, 0)), None);
        assert_eq!(suspicion(0, true, &hello(JournalState::Damaged, 3)), None);
        assert!(suspicion(8, true, &hello(JournalState::Missing, 0)).is_some());
        assert!(suspicion(8, true, &hello(JournalState::Sound, 7)).is_some());
    }
}
