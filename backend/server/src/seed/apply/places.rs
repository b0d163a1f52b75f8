//! Clients, sites and hosts; and telling linked hosts that their checks are others.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::detect::{Check, HostFacts};
use domain::remediate::guardrails::BucketKind;
use keys::token::{Kind, mint};
use serde_json::json;
use store::configuration::{self, Machine};
use store::contacts::{self, Person};
use store::remediate::guardrails;
use store::seeding::{self, HostPlan};
use store::{StoreError, TenantTx};
use uuid::Uuid;

use super::{ApplyError, SeededHost, Work};
use crate::random::rng;
use crate::seed::document::{Client, Contact, Document, Host};
use crate::seed::known::tell_contact;

/// How long the tokens for planned hosts live.
const TOKEN_LIVES: Duration = Duration::from_secs(72 * 3600);

/// A host whose site or tags are others; written last, because links are locked before hosts.
pub(super) struct HostChange {
    machine: Machine,
    site_id: Option<Uuid>,
    host: Host,
}

impl Work<'_> {
    /// Clients and their sites; every client's id by its name.
    pub(super) async fn write_clients(
        &mut self,
        tx: &mut TenantTx,
        document: &Document,
    ) -> Result<BTreeMap<String, Uuid>, ApplyError> {
        let mut ids: BTreeMap<String, Uuid> =
            self.known.clients.iter().map(|client| (client.name.clone(), client.client_id)).collect();
        for client in &document.clients {
            let what = format!("client {:?}", client.name);
            let zone = client.time_zone.as_ref().unwrap_or(&document.tenant.time_zone);
            let client_id = match self.known.client(&client.name) {
                Some(old) => {
                    let (old, new) = (json!({"time_zone": old.time_zone}), json!({ "time_zone": zone }));
                    let client_id = ids[&client.name];
                    if self.report.changed(&what, &old, &new) {
                        configuration::update_client(tx, client_id, zone).await?;
                    }
                    client_id
                }
                None => {
                    self.report.created(what);
                    self.made_clients.insert(client.name.clone());
                    let client_id = seeding::insert_client(tx, &client.name, zone).await?;
                    guardrails::ensure(tx, BucketKind::Client, &client_id.to_string()).await?;
                    client_id
                }
            };
            ids.insert(client.name.clone(), client_id);
            self.write_sites(tx, client_id, client).await?;
            self.write_contacts(tx, client_id, client).await?;
        }
        for other in &self.known.clients {
            if !document.clients.iter().any(|client| client.name == other.name) {
                self.report.not_in_file(format!("client {:?}", other.name));
            }
        }
        Ok(ids)
    }

    async fn write_sites(&mut self, tx: &mut TenantTx, client_id: Uuid, client: &Client) -> Result<(), ApplyError> {
        let known = |name: &str| self.known.sites.iter().any(|s| s.client_id == client_id && s.name == name);
        for site in client.sites.iter().filter(|site| !known(site)) {
            self.report.created(format!("client {:?}: site {site:?}", client.name));
            seeding::insert_site(tx, client_id, site).await?;
        }
        for site in self.known.sites.iter().filter(|s| s.client_id == client_id && !client.sites.contains(&s.name)) {
            self.report.not_in_file(format!("client {:?}: site {:?}", client.name, site.name));
        }
        Ok(())
    }

    async fn write_contacts(&mut self, tx: &mut TenantTx, client_id: Uuid, client: &Client) -> Result<(), ApplyError> {
        let known: Vec<_> = self.known.contacts.iter().filter(|k| k.client_id == client_id).cloned().collect();
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        for contact in &client.contacts {
            let what = format!("client {:?}: contact {}", client.name, contact.email);
            let Contact { name, email, phone, told } = contact.clone();
            let person = Person { name, email, phone, is_told: told };
            match known.iter().find(|k| same(&k.person.email, &contact.email)) {
                None => {
                    self.report.created(what);
                    contacts::insert(tx, client_id, &person).await?;
                }
                Some(old) => {
                    let was = serde_json::to_value(tell_contact(old))?;
                    if self.report.changed(&what, &was, &serde_json::to_value(contact)?) {
                        contacts::update(tx, client_id, old.contact_id, &person).await?;
                    }
                }
            }
        }
        for old in known.iter().filter(|k| !client.contacts.iter().any(|c| same(&c.email, &k.person.email))) {
            self.report.not_in_file(format!("client {:?}: contact {}", client.name, old.person.email));
        }
        Ok(())
    }

    /// New hosts are planned; changes of those that are there are answered, not yet written.
    pub(super) async fn write_hosts(
        &mut self,
        tx: &mut TenantTx,
        document: &Document,
        clients: &BTreeMap<String, Uuid>,
    ) -> Result<Vec<HostChange>, ApplyError> {
        let sites: BTreeMap<(Uuid, String), Uuid> = configuration::list_sites(tx)
            .await?
            .into_iter()
            .map(|site| ((site.client_id, site.name), site.site_id))
            .collect();
        let mut changes = Vec::new();
        for client in &document.clients {
            let client_id = clients[&client.name];
            for host in &client.hosts {
                let what = format!("client {:?}: host {:?}", client.name, host.name);
                let site_id = host.site.as_ref().and_then(|name| sites.get(&(client_id, name.clone())).copied());
                let known = self.known.hosts.iter().find(|h| h.client_id == client_id && h.name == host.name).cloned();
                let Some(known) = known else {
                    self.report.created(what);
                    self.plan_host(tx, client, client_id, host, site_id).await?;
                    continue;
                };
                let mut host = host.clone();
                self.keep_in_groups(tx, &what, &known, &mut host).await?;
                let old = serde_json::to_value(self.known.tell_host(&known))?;
                if self.report.changed(&what, &old, &serde_json::to_value(&host)?) {
                    changes.push(HostChange { machine: known.machine, site_id, host });
                }
            }
            for other in self.known.hosts.iter().filter(|h| h.client_id == client_id) {
                if !client.hosts.iter().any(|h| h.name == other.name) {
                    self.report.not_in_file(format!("client {:?}: host {:?}", client.name, other.name));
                }
            }
        }
        Ok(changes)
    }

    async fn plan_host(
        &mut self,
        tx: &mut TenantTx,
        client: &Client,
        client_id: Uuid,
        host: &Host,
        site_id: Option<Uuid>,
    ) -> Result<(), ApplyError> {
        let token = mint(Kind::Enroll, &mut rng());
        let plan = HostPlan {
            client_id,
            site_id,
            name: &host.name,
            tags: json!(host.tags),
            token_hash: token.hash(),
            lives: TOKEN_LIVES,
        };
        seeding::insert_host_plan(tx, &plan).await?;
        self.hosts.push(SeededHost { client: client.name.clone(), host: host.name.clone(), token });
        Ok(())
    }

    /// Writes the hosts' changes, and tells the hosts that other checks select now.
    pub(super) async fn update_hosts(
        &mut self,
        tx: &mut TenantTx,
        changes: Vec<HostChange>,
        checks: &[(Uuid, Check)],
    ) -> Result<(), ApplyError> {
        let mut others = Vec::new();
        for known in &self.known.hosts {
            let Machine::Enrolled(host_id) = known.machine else { continue };
            let client = self.known.clients.iter().find(|client| client.client_id == known.client_id);
            let client = client.map_or("", |client| client.name.as_str());
            let before = self.known.tell_host(known);
            let after = changes.iter().find(|c| c.machine == known.machine).map_or(&before, |c| &c.host);
            if selected(&self.known.checks, client, &before) != selected(checks, client, after) {
                others.push(host_id);
            }
        }
        if !others.is_empty() {
            configuration::wake_hosts(tx, &others).await?;
        }
        for change in changes {
            let tags = json!(change.host.tags);
            let done = configuration::update_host(tx, change.machine, change.site_id, &tags).await;
            // A planned host that enrolled meanwhile is another row now: the whole file is begun anew.
            done.map_err(|error| match error {
                StoreError::WrongRowCount { .. } => StoreError::Conflict("enrolments_spent".to_owned(), None),
                error => error,
            })?;
        }
        Ok(())
    }
}

fn selected<'a>(checks: &'a [(Uuid, Check)], client: &str, host: &Host) -> Vec<&'a (Uuid, Check)> {
    let facts = HostFacts { client, host: &host.name, tags: &host.tags };
    checks.iter().filter(|(_, check)| check.selector.selects(&facts)).collect()
}
