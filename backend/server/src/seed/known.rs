//! What a tenant has, as rows and as the document that a file would tell it with.

use std::collections::BTreeMap;

use domain::access::Role;
use domain::classify::mapping::{Mapping, Mode};
use domain::detect::Check;
use domain::remediate::group::ServiceGroup;
use domain::remediate::guardrails::{BucketKind, Numbers};
use domain::remediate::maintenance::Times;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::classify::mappings;
use store::configuration::{self, Host, Member, Site};
use store::contacts::{self, Contact, Person};
use store::detect::checks;
use store::fleet::Client;
use store::remediate::groups;
use store::remediate::maintenance::{self, Window};
use store::{StoreError, TenantTx, clients, fleet, mail_relays};
use uuid::Uuid;
use wire::v1::Playbook;

use super::document::{self, ClientScope, Document, HostPlaybook, HostScope, MappingEntry, Scope};

/// A published version of a playbook.
#[derive(Debug)]
pub struct Version {
    /// SHA-256 of its canonical text, hex.
    pub digest: String,
    /// Its number.
    pub number: i32,
    /// What it says.
    pub playbook: Playbook,
}

/// A mapping as it stands.
#[derive(Debug)]
pub struct MappingRow {
    /// Its id.
    pub mapping_id: Uuid,
    /// Its current version.
    pub version: i32,
    /// What that version may do.
    pub mode: Mode,
    /// What it says, each rung with the digest it is bound to.
    pub definition: Mapping,
}

/// The limits that somebody has set, one entry a kind of bucket.
pub type Set = BTreeMap<BucketKind, Numbers>;

/// Everything.
#[derive(Debug)]
pub struct Known {
    /// As a file would tell it.
    pub document: Document,
    /// The seats.
    pub members: Vec<Member>,
    /// The clients.
    pub clients: Vec<Client>,
    /// Their places.
    pub sites: Vec<Site>,
    /// The names of those that are archived: a file does not tell of them, and cannot mean them.
    pub archived: Vec<String>,
    /// Their people.
    pub contacts: Vec<Contact>,
    /// Their service groups.
    pub groups: Vec<groups::Row>,
    /// Their hosts.
    pub hosts: Vec<Host>,
    /// The checks, with their ids.
    pub checks: Vec<(Uuid, Check)>,
    /// The playbooks' versions; the one that the name means comes first.
    pub versions: BTreeMap<String, Vec<Version>>,
    /// The mappings.
    pub mappings: Vec<MappingRow>,
    /// When maintenance is planned.
    pub windows: Vec<Window>,
    /// The limits.
    pub limits: Set,
}

impl Known {
    /// Of a tenant that has nothing yet.
    pub fn nothing() -> Known {
        Known {
            document: Document::empty(),
            members: Vec::new(),
            clients: Vec::new(),
            archived: Vec::new(),
            sites: Vec::new(),
            contacts: Vec::new(),
            groups: Vec::new(),
            hosts: Vec::new(),
            checks: Vec::new(),
            versions: BTreeMap::new(),
            mappings: Vec::new(),
            windows: Vec::new(),
            limits: Set::new(),
        }
    }

    /// Of the transaction's tenant.
    pub async fn load(tx: &mut TenantTx) -> store::Result<Known> {
        let tenant_id = tx.tenant_id();
        let lost = StoreError::Corrupt { table: "tenants", column: "name", id: tenant_id };
        let tenant = configuration::find_tenant(tx).await?.ok_or(lost)?;
        let mut known = Known {
            members: configuration::list_members(tx).await?,
            clients: fleet::list_clients(tx).await?,
            archived: clients::list_archived_names(tx).await?,
            sites: configuration::list_sites(tx).await?,
            contacts: contacts::list(tx, None).await?,
            groups: groups::list(tx).await?,
            hosts: configuration::list_hosts(tx).await?,
            checks: checks::list(tx).await?,
            versions: versions(tx).await?,
            mappings: list_mappings(tx).await?,
            windows: maintenance::list(tx, None).await?,
            limits: limits(tx).await?,
            document: Document::empty(),
        };
        let notify = fleet::list_email_channels(tx).await?;
        known.document = known.tell(document::Tenant { name: tenant.name, time_zone: tenant.time_zone }, notify);
        known.document.mail = mail_relays::find(tx).await?.map(|set| set.relay);
        Ok(known)
    }

    /// A published version.
    pub fn version(&self, playbook: &str, digest: &str) -> Option<&Version> {
        self.versions.get(playbook)?.iter().find(|version| version.digest == digest)
    }

    /// The version that a playbook's name means.
    pub fn current(&self, playbook: &str) -> Option<&Version> {
        self.versions.get(playbook)?.first()
    }

    /// The client of a name.
    pub fn client(&self, name: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.name == name)
    }

    fn client_name(&self, client_id: Uuid) -> Option<String> {
        self.clients.iter().find(|client| client.client_id == client_id).map(|client| client.name.clone())
    }

    fn tell(&self, tenant: document::Tenant, notify: Vec<String>) -> Document {
        let members = self.members.iter().map(|m| document::Member {
            name: m.name.clone(),
            email: m.email.clone(),
            role: m.role.word().to_owned(),
            clients: m.client_ids.as_ref().map(|ids| {
                let mut names: Vec<_> = ids.iter().filter_map(|id| self.client_name(*id)).collect();
                names.sort();
                names
            }),
            password: None,
            password_env: None,
        });
        let clients = self.clients.iter().map(|c| document::Client {
            name: c.name.clone(),
            time_zone: Some(c.time_zone.clone()).filter(|zone| *zone != tenant.time_zone),
            sites: self.sites.iter().filter(|s| s.client_id == c.client_id).map(|s| s.name.clone()).collect(),
            contacts: self.contacts.iter().filter(|k| k.client_id == c.client_id).map(tell_contact).collect(),
            service_groups: self.groups.iter().filter(|g| g.client_id == c.client_id).map(tell_group).collect(),
            hosts: self.hosts.iter().filter(|h| h.client_id == c.client_id).map(|h| self.tell_host(h)).collect(),
        });
        let mappings = self.mappings.iter().map(|m| self.tell_mapping(m));
        let playbooks = self.versions.values().filter_map(|versions| versions.first());
        Document {
            members: members.collect(),
            notify,
            mail: None,
            clients: clients.collect(),
            checks: self.checks.iter().map(|(_, check)| check.clone()).collect(),
            playbooks: playbooks.map(|version| version.playbook.clone()).collect(),
            mappings: mappings.collect(),
            maintenance: self.windows.iter().map(tell_window).collect(),
            limits: tell_limits(&self.limits),
            tenant,
        }
    }

    /// A host in the file's words.
    pub fn tell_host(&self, host: &Host) -> document::Host {
        let site = host.site_id.and_then(|id| self.sites.iter().find(|s| s.site_id == id));
        document::Host {
            name: host.name.clone(),
            site: site.map(|s| s.name.clone()),
            tags: serde_json::from_value(host.tags.clone()).unwrap_or_default(),
        }
    }

    /// A rung says its digest only where it is not bound to the version that its playbook's name means.
    fn tell_mapping(&self, row: &MappingRow) -> MappingEntry {
        let Mapping { name, when, mut ladder, verify } = row.definition.clone();
        for rung in &mut ladder {
            let current = self.current(&rung.playbook).map(|version| version.digest.as_str());
            if rung.digest.as_deref() == current {
                rung.digest = None;
            }
        }
        MappingEntry { name, mode: row.mode, when, ladder, verify }
    }
}

/// A service group in the file's words.
pub fn tell_group(row: &groups::Row) -> document::Group {
    let ServiceGroup { tags, targets, active } = row.group.clone();
    document::Group { name: row.name.clone(), tags, targets, active }
}

/// A contact in the file's words.
pub fn tell_contact(contact: &Contact) -> document::Contact {
    let Person { name, email, phone, is_told } = contact.person.clone();
    document::Contact { name, email, phone, told: is_told }
}

/// A plan in the file's words.
pub fn tell_window(window: &Window) -> document::Maintenance {
    let Times { weekly, once } = serde_json::from_value(window.times.clone()).unwrap_or_default();
    let (name, client, host) = (window.name.clone(), window.client.clone(), window.host.clone());
    document::Maintenance { name, client, host, weekly, once, active: window.active }
}

/// Reads what our own code has written.
fn read<T: DeserializeOwned>(value: Value, table: &'static str, column: &'static str, id: Uuid) -> store::Result<T> {
    serde_json::from_value(value).map_err(|_| StoreError::Corrupt { table, column, id })
}

async fn versions(tx: &mut TenantTx) -> store::Result<BTreeMap<String, Vec<Version>>> {
    let mut versions: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    let id = tx.tenant_id();
    for row in configuration::list_playbook_versions(tx).await? {
        let playbook = serde_json::from_str(&row.content).map_err(|_| StoreError::Corrupt {
            table: "playbook_versions",
            column: "content",
            id,
        })?;
        let version = Version { digest: hex::encode(&row.digest), number: row.version, playbook };
        versions.entry(row.name).or_default().push(version);
    }
    Ok(versions)
}

async fn list_mappings(tx: &mut TenantTx) -> store::Result<Vec<MappingRow>> {
    let rows = mappings::list_active(tx).await?;
    rows.into_iter()
        .map(|row| {
            let (table, id) = ("mapping_versions", row.mapping_id);
            let mode = Mode::parse(&row.mode).ok_or(StoreError::Corrupt { table, column: "mode", id })?;
            let definition = read(row.definition, table, "definition", id)?;
            Ok(MappingRow { mapping_id: id, version: row.version, mode, definition })
        })
        .collect()
}

async fn limits(tx: &mut TenantTx) -> store::Result<Set> {
    let mut set = Set::new();
    for (kind, ..) in BucketKind::ALL {
        set.insert(kind, configuration::find_limit(tx, kind).await?);
    }
    Ok(set)
}

fn tell_limits(set: &Set) -> document::Limits {
    let of = |kind: BucketKind| set.get(&kind).copied().unwrap_or_default();
    let number = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok());
    let scope = |kind| {
        let n: Numbers = of(kind);
        let (runs_per_window, window_secs) = (number(n.max_per_window), number(n.window_secs));
        let (in_flight, storm) = (number(n.max_in_flight), number(n.max_storm));
        Some(Scope { runs_per_window, window_secs, in_flight, storm }).filter(|s| *s != Scope::default())
    };
    let (host, pair, day) = (of(BucketKind::Host), of(BucketKind::HostPlaybook), of(BucketKind::HostPlaybookDay));
    let n: Numbers = of(BucketKind::Client);
    let client = ClientScope {
        runs_per_window: number(n.max_per_window),
        window_secs: number(n.window_secs),
        in_flight: number(n.max_in_flight),
        unproven: number(n.damage.max_unproven),
        bad_per_day: number(n.damage.max_bad),
        wave: number(n.damage.max_wave),
        storm: number(n.max_storm),
    };
    let host = HostScope { runs_per_hour: number(host.max_per_window), in_flight: number(host.max_in_flight) };
    let pair = HostPlaybook { cooldown_secs: number(pair.window_secs), per_day: number(day.max_per_window) };
    document::Limits {
        tenant: scope(BucketKind::Tenant),
        client: Some(client).filter(|c| *c != ClientScope::default()),
        host: Some(host).filter(|h| *h != HostScope::default()),
        host_playbook: Some(pair).filter(|p| *p != HostPlaybook::default()),
    }
}

/// The role of a word that was found sound.
pub fn role(word: &str) -> Role {
    Role::parse(word).unwrap_or(Role::Viewer)
}
