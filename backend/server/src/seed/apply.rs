//! Writes a sound seed in one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::access::Role;
use domain::detect::Check;
use keys::seal::{Aad, MasterKey, seal};
use keys::sign::{Context, SigningKey};
use keys::token::{Kind, Token, mint};
use serde_json::json;
use store::auth::OperatorTx;
use store::seeding::{self, Bucket, HostPlan, SignedVersion};
use store::tenant_keys::{self, TenantKey};
use store::{Queue, Store, StoreError, TenantTx, audit};
use uuid::Uuid;

use super::Seed;
use super::document::{Client, Limits, MappingEntry};
use crate::random::rng;
use domain::classify::mapping::Mode;

/// How long the tokens for planned hosts live.
const TOKEN_LIVES: Duration = Duration::from_secs(72 * 3600);
const HOUR: i32 = 3600;
const DAY: i32 = 86_400;

/// What a seed made.
#[derive(Debug)]
pub struct Seeded {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The members, in the file's order.
    pub members: Vec<SeededMember>,
    /// The planned hosts, in the file's order.
    pub hosts: Vec<SeededHost>,
}

/// A member.
#[derive(Debug)]
pub struct SeededMember {
    /// What they sign in with.
    pub email: String,
    /// Their login.
    pub login_id: Uuid,
}

/// A planned host. Its token can be shown now and never again.
#[derive(Debug)]
pub struct SeededHost {
    /// Its client.
    pub client: String,
    /// Its name.
    pub host: String,
    /// What it enrols with.
    pub token: Token,
}

/// Why a seed was not applied. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody is there already.
    #[error("the database already has a tenant; a seed is for an empty database")]
    NotEmpty,
    /// The store refused.
    #[error("the seed could not be written; nothing was changed")]
    Store(#[from] StoreError),
    /// A playbook has no canonical form.
    #[error("the playbook {0:?} cannot be written as canonical JSON")]
    Canonical(String, #[source] keys::canonical::Error),
    /// A check cannot be used, although it was found sound.
    #[error("the check {0:?} cannot be used")]
    Check(String, #[source] domain::detect::CheckError),
    /// A definition has no JSON form.
    #[error("a definition cannot be written")]
    Definition(#[from] serde_json::Error),
    /// A password cannot be hashed.
    #[error("a password cannot be hashed")]
    Password(#[from] keys::password::Error),
}

/// Applies `seed` on the owner's login, wholly or not at all.
pub async fn apply(store: &Store, owner_url: &str, master: &MasterKey, seed: Seed) -> Result<Seeded, ApplyError> {
    let Seed { document, passwords } = seed;
    let hashes = tokio::task::spawn_blocking(move || {
        passwords.iter().map(|p| keys::password::hash(&p.0, &mut rng())).collect::<Result<Vec<_>, _>>()
    })
    .await
    .map_err(|_| keys::password::Error::Hash)??;

    let mut operator = OperatorTx::begin(store, owner_url).await?;
    if operator.count_tenants().await? > 0 {
        return Err(ApplyError::NotEmpty);
    }
    let tenant_id = operator.insert_tenant(&document.tenant.name).await?;
    let mut logins = Vec::new();
    for (member, hash) in document.members.iter().zip(&hashes) {
        logins.push(operator.insert_login(&member.email, hash).await?);
    }
    let mut tx = operator.into_tenant(tenant_id).await?;
    let mut members = Vec::new();
    for (member, login_id) in document.members.iter().zip(logins) {
        let role = Role::parse(&member.role).unwrap_or(Role::Viewer);
        seeding::insert_membership(&mut tx, login_id, &member.name, &member.email, role).await?;
        members.push(SeededMember { email: member.email.clone(), login_id });
    }
    for address in &document.notify {
        seeding::insert_channel(&mut tx, address).await?;
    }
    let mut hosts = Vec::new();
    for client in &document.clients {
        let zone = client.time_zone.as_ref().unwrap_or(&document.tenant.time_zone);
        insert_client(&mut tx, client, zone, &document.limits, &mut hosts).await?;
    }
    insert_tenant_buckets(&mut tx, &document.limits).await?;
    insert_checks(&mut tx, &document.checks).await?;
    let digests = insert_playbooks(&mut tx, master, &document.playbooks).await?;
    insert_mappings(&mut tx, &document.mappings, &digests).await?;
    audit::insert_tenant_wide(&mut tx, "seeded", "tenant", tenant_id, json!({"name": document.tenant.name})).await?;
    let now = tx.now().await?;
    tx.due(Queue::Silence, now); // the standing wake-ups
    tx.due(Queue::Sweep, now);
    tx.due(Queue::Plan, now);
    tx.commit().await?;
    Ok(Seeded { tenant_id, members, hosts })
}

async fn insert_client(
    tx: &mut TenantTx,
    client: &Client,
    zone: &str,
    limits: &Limits,
    hosts: &mut Vec<SeededHost>,
) -> Result<(), ApplyError> {
    let client_id = seeding::insert_client(tx, &client.name, zone).await?;
    let mut sites = BTreeMap::new();
    for site in &client.sites {
        sites.insert(site.as_str(), seeding::insert_site(tx, client_id, site).await?);
    }
    for host in &client.hosts {
        let token = mint(Kind::Enroll, &mut rng());
        let plan = HostPlan {
            client_id,
            site_id: host.site.as_deref().and_then(|s| sites.get(s).copied()),
            name: &host.name,
            tags: json!(host.tags),
            token_hash: token.hash(),
            lives: TOKEN_LIVES,
        };
        seeding::insert_host_plan(tx, &plan).await?;
        hosts.push(SeededHost { client: client.name.clone(), host: host.name.clone(), token });
    }
    let scope = limits.client.as_ref();
    let key = client_id.to_string();
    let bucket = Bucket {
        scope_kind: "client",
        scope_key: &key,
        rank: 2,
        max_in_flight: scope.and_then(|s| s.in_flight),
        max_per_window: scope.and_then(|s| s.runs_per_window),
        window_secs: scope.and_then(|s| s.window_secs),
    };
    seeding::insert_bucket(tx, &bucket).await?;
    Ok(())
}

/// The tenant's own bucket, and the defaults (`*`) for buckets that are made with a host or its first run.
async fn insert_tenant_buckets(tx: &mut TenantTx, limits: &Limits) -> Result<(), ApplyError> {
    let key = tx.tenant_id().to_string();
    let (tenant, host, pair) = (limits.tenant.as_ref(), limits.host.as_ref(), limits.host_playbook.as_ref());
    let hourly = host.and_then(|h| h.runs_per_hour);
    let cooldown = pair.and_then(|p| p.cooldown_secs);
    let daily = pair.and_then(|p| p.per_day);
    let buckets = [
        Bucket {
            scope_kind: "tenant",
            scope_key: &key,
            rank: 1,
            max_in_flight: tenant.and_then(|s| s.in_flight),
            max_per_window: tenant.and_then(|s| s.runs_per_window),
            window_secs: tenant.and_then(|s| s.window_secs),
        },
        Bucket {
            scope_kind: "host",
            scope_key: "*",
            rank: 5,
            max_in_flight: host.and_then(|h| h.in_flight),
            max_per_window: hourly,
            window_secs: hourly.map(|_| HOUR),
        },
        Bucket {
            scope_kind: "host_playbook",
            scope_key: "*",
            rank: 6,
            max_in_flight: None,
            max_per_window: cooldown.map(|_| 1),
            window_secs: cooldown,
        },
        Bucket {
            scope_kind: "host_playbook_day",
            scope_key: "*",
            rank: 7,
            max_in_flight: None,
            max_per_window: daily,
            window_secs: daily.map(|_| DAY),
        },
    ];
    for bucket in &buckets {
        seeding::insert_bucket(tx, bucket).await?;
    }
    Ok(())
}

/// Makes the tenant's key and signs its playbooks with it.
async fn insert_playbooks(
    tx: &mut TenantTx,
    master: &MasterKey,
    playbooks: &[wire::v1::Playbook],
) -> Result<BTreeMap<String, String>, ApplyError> {
    let key = SigningKey::generate(&mut rng());
    let key_id = Store::new_id();
    let row = key_id.to_string();
    let aad = Aad { tenant: Some(tx.tenant_id()), table: "tenant_keys.sealed", row: &row, version: 1 };
    let sealed = seal(master, &mut rng(), aad, &*key.to_bytes());
    let stored = TenantKey { key_id, version: 1, public_key: key.public().to_bytes().to_vec(), sealed: Some(sealed) };
    tenant_keys::insert(tx, &stored).await?;
    let mut digests = BTreeMap::new();
    for playbook in playbooks {
        let content = keys::to_canonical(playbook).map_err(|e| ApplyError::Canonical(playbook.name.clone(), e))?;
        let digest = keys::digest(content.as_bytes());
        let version = SignedVersion {
            name: &playbook.name,
            digest: digest.0,
            signature: &key.sign(Context::Playbook, &content),
            content: &content,
            key_id,
        };
        seeding::insert_playbook_version(tx, &version).await?;
        digests.insert(playbook.name.clone(), digest.to_string());
    }
    Ok(digests)
}

async fn insert_checks(tx: &mut TenantTx, checks: &[Check]) -> Result<(), ApplyError> {
    for check in checks {
        let check = check.clone().complete().map_err(|e| ApplyError::Check(check.name.clone(), e))?;
        seeding::insert_check(tx, &check.name, check.kind.word(), serde_json::to_value(&check)?).await?;
    }
    Ok(())
}

/// Publishes the mappings, each rung bound to the digest of one playbook version. One that begins in auto is
/// the seeding person's own promotion.
async fn insert_mappings(
    tx: &mut TenantTx,
    mappings: &[MappingEntry],
    digests: &BTreeMap<String, String>,
) -> Result<(), ApplyError> {
    for mapping in mappings {
        let mut definition = mapping.definition();
        for rung in &mut definition.ladder {
            rung.digest = digests.get(&rung.playbook).cloned();
        }
        let mode = mapping.mode.word();
        let id = seeding::insert_mapping(tx, &mapping.name, mode, serde_json::to_value(&definition)?).await?;
        let detail = json!({"mapping": mapping.name, "version": 1, "mode": mode, "by": "seed file"});
        let action = if mapping.mode == Mode::Auto { "mapping_promoted" } else { "mapping_created" };
        audit::insert_tenant_wide(tx, action, "mapping", id, detail).await?;
    }
    Ok(())
}
