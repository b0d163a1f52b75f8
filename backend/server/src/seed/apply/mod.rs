//! Writes a sound file in one transaction. A plan is the same transaction, given up at its end.

mod groups;
mod limits;
mod maintenance;
mod places;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use domain::access::Role;
use domain::quota::Counted;
use domain::relay::Relay;
use keys::seal::MasterKey;
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::auth::OperatorTx;
use store::classify::mappings;
use store::people::members::{self, Called, Seat};
use store::remediate::guardrails;
use store::seeding;
use store::{Queue, Store, StoreError, TenantTx, configuration, mail_relays, quotas};
use uuid::Uuid;

use super::document::{Document, Member};
use super::known::{Known, role};
use super::report::Report;
use super::validate::Password;
use super::{Draft, Rejected, Seed};
use crate::random::rng;
use keys::token::Token;

/// What a file made.
#[derive(Debug)]
pub struct Seeded {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The file's members, in its order.
    pub members: Vec<SeededMember>,
    /// The hosts that are planned now, in the file's order.
    pub hosts: Vec<SeededHost>,
    /// What is different now.
    pub report: Report,
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

/// Why a file was not applied. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody is there already.
    #[error("the database already has a tenant; a seed is for an empty database (mendwright apply changes one)")]
    NotEmpty,
    /// It cannot be told which tenant is meant.
    #[error("{0}")]
    Tenant(String),
    /// `--by` names nobody.
    #[error("--by {0}: no member of this organization signs in with it")]
    Nobody(String),
    /// The file has faults.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store refused.
    #[error("the file could not be written; nothing was changed")]
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
    /// The organization's plan has no room for what is new.
    #[error("{0} Nothing was changed.")]
    Full(String),
    /// The server cannot sign for this tenant.
    #[error("the organization's playbooks are signed with a key that this server does not hold")]
    NoKey,
    /// The master key does not open it.
    #[error("the organization's playbook key cannot be opened with this master key")]
    Sealed(#[from] keys::seal::Error),
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Yes.
    Apply,
    /// No: only what would be different.
    Plan,
}

/// How a file is applied.
#[derive(Clone, Debug)]
pub struct Options {
    /// Id or name of the tenant; none: the one of the file's name.
    pub tenant: Option<String>,
    /// A tenant of the file's name is made where there is none, beside others.
    pub new_tenant: bool,
    /// Who stands behind it: a member's address.
    pub by: Option<String>,
    /// Whether anything is written.
    pub intent: Intent,
}

/// Where the rows are, and the key to the secrets in them.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// Lends clock and wakes.
    pub store: &'a Store,
    /// URL of the login app_owner.
    pub owner_url: &'a str,
    /// Opens the tenant's playbook key.
    pub master: &'a MasterKey,
}

/// What `password_env` is looked up in.
pub type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// How often an apply that lost a race is begun anew.
const TRIES: u32 = 3;

/// Makes the first tenant of an empty database, wholly or not at all.
pub async fn apply(store: &Store, owner_url: &str, master: &MasterKey, seed: Seed) -> Result<Seeded, ApplyError> {
    if OperatorTx::begin(store, owner_url).await?.count_tenants().await? > 0 {
        return Err(ApplyError::NotEmpty);
    }
    let hashes = hash(&seed.passwords).await?;
    let access = Access { store, owner_url, master };
    create(access, seed, hashes, Author::operator(), Intent::Apply).await
}

/// Brings a tenant to what a file says, or makes it; wholly or not at all.
pub async fn configure(
    access: Access<'_>,
    draft: &Draft,
    env: Env<'_>,
    options: &Options,
) -> Result<Seeded, ApplyError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_once(access, draft, env, options).await {
            // Somebody else was faster with the same thing: what they wrote is seen the next time.
            Err(ApplyError::Store(error)) if tries < TRIES && (error.is_transient() || error.conflict().is_some()) => {
                tracing::info!(error = &error as &dyn std::error::Error, "the file is applied anew");
            }
            done => return done,
        }
    }
}

async fn try_once(access: Access<'_>, draft: &Draft, env: Env<'_>, options: &Options) -> Result<Seeded, ApplyError> {
    let Access { store, owner_url, .. } = access;
    let Some(tenant_id) = find_tenant(access, draft, env, options).await? else {
        if let Some(by) = &options.by {
            return Err(ApplyError::Nobody(by.clone()));
        }
        let seed = draft.check(&Known::nothing(), env)?;
        let hashes = hash(&seed.passwords).await?;
        return create(access, seed, hashes, Author::operator(), options.intent).await;
    };
    // Once without a lock: a file with faults stops nobody, and passwords take their time.
    let mut tx = OperatorTx::begin(store, owner_url).await?.into_tenant(tenant_id).await?;
    let known = Known::load(&mut tx).await?;
    tx.rollback().await?;
    let seed = draft.check(&known, env)?;
    let hashes = match options.intent {
        Intent::Apply => hash(&seed.passwords).await?,
        Intent::Plan => BTreeMap::new(),
    };

    let mut operator = OperatorTx::begin(store, owner_url).await?;
    let (mut logins, mut taken) = (BTreeMap::new(), Vec::new());
    for (i, member) in seed.document.members.iter().enumerate().filter(|(i, _)| seed.passwords[*i].is_some()) {
        if operator.find_login(&member.email).await?.is_some() {
            taken.push(i);
            continue;
        }
        logins.insert(i, operator.insert_login(&member.email, hashes.get(&i).map_or("", String::as_str)).await?);
    }
    let mut tx = operator.into_tenant(tenant_id).await?;
    // Each admission of the tenant locks this bucket first: it is wholly before this file or wholly after it.
    guardrails::lock_tenant(&mut tx).await?;
    let known = Known::load(&mut tx).await?;
    // Under the lock nothing that the file was held against changes any more.
    let seed = draft.check(&known, env)?;
    if let Some(i) = taken.into_iter().find(|i| seed.passwords[*i].is_some()) {
        let email = &seed.document.members[i].email;
        let wrong = format!("{email} signs in to another organization of this server already");
        return Err(draft.reject(&format!("members[{i}].email"), wrong).into());
    }
    let author = match &options.by {
        None => Author::operator(),
        Some(email) => known
            .members
            .iter()
            .find(|member| member.email.eq_ignore_ascii_case(email))
            .map(|member| Author { login_id: Some(member.login_id), name: member.name.clone() })
            .ok_or_else(|| ApplyError::Nobody(email.clone()))?,
    };
    let work = Work::new(access.master, known, author, Scope::Standing);
    finish(tx, work, &seed, logins, options.intent).await
}

/// The tenant a file is for; none: it is to be made.
async fn find_tenant(
    access: Access<'_>,
    draft: &Draft,
    env: Env<'_>,
    options: &Options,
) -> Result<Option<Uuid>, ApplyError> {
    let tenants = OperatorTx::begin(access.store, access.owner_url).await?.list_names().await?;
    let Some(wanted) = options.tenant.as_deref().or(draft.tenant()) else {
        // Nothing could be read: that is said.
        draft.check(&Known::nothing(), env)?;
        return Err(ApplyError::Tenant("the file names no organization".into()));
    };
    match named(&tenants, wanted)? {
        Some(tenant_id) => Ok(Some(tenant_id)),
        None if options.tenant.is_none() && (tenants.is_empty() || options.new_tenant) => Ok(None),
        None => Err(ApplyError::Tenant(format!(
            "there is no organization {wanted:?}; say --tenant to rename one to it, or --new-tenant to make it"
        ))),
    }
}

/// The tenant of an id or a name.
pub(super) fn named(tenants: &[(Uuid, String)], wanted: &str) -> Result<Option<Uuid>, ApplyError> {
    let fits: Vec<Uuid> =
        tenants.iter().filter(|(id, name)| name == wanted || id.to_string() == wanted).map(|(id, _)| *id).collect();
    match fits[..] {
        [] => Ok(None),
        [tenant_id] => Ok(Some(tenant_id)),
        _ => Err(ApplyError::Tenant(format!(
            "more than one organization is called {wanted:?}; say --tenant with its id"
        ))),
    }
}

/// The hashes of the passwords that are needed, by the member's number.
async fn hash(passwords: &[Option<Password>]) -> Result<BTreeMap<usize, String>, ApplyError> {
    let needed: Vec<(usize, String)> =
        passwords.iter().enumerate().filter_map(|(i, p)| Some((i, p.as_ref()?.0.clone()))).collect();
    let hashed = tokio::task::spawn_blocking(move || {
        needed.into_iter().map(|(i, p)| Ok((i, keys::password::hash(&p, &mut rng())?))).collect()
    });
    let hashes: Result<_, keys::password::Error> = hashed.await.map_err(|_| keys::password::Error::Hash)?;
    Ok(hashes?)
}

async fn create(
    access: Access<'_>,
    seed: Seed,
    hashes: BTreeMap<usize, String>,
    author: Author,
    intent: Intent,
) -> Result<Seeded, ApplyError> {
    let mut operator = OperatorTx::begin(access.store, access.owner_url).await?;
    let tenant_id = operator.insert_tenant(&seed.document.tenant.name).await?;
    let mut logins = BTreeMap::new();
    for (i, member) in seed.document.members.iter().enumerate() {
        logins.insert(i, operator.insert_login(&member.email, hashes.get(&i).map_or("", String::as_str)).await?);
    }
    let mut tx = operator.into_tenant(tenant_id).await?;
    let now = tx.now().await?;
    tx.due(Queue::Silence, now); // the standing wake-ups
    tx.due(Queue::Sweep, now);
    tx.due(Queue::Plan, now);
    let work = Work::new(access.master, Known::nothing(), author, Scope::Made);
    finish(tx, work, &seed, logins, intent).await
}

async fn finish(
    mut tx: TenantTx,
    mut work: Work<'_>,
    seed: &Seed,
    logins: BTreeMap<usize, Uuid>,
    intent: Intent,
) -> Result<Seeded, ApplyError> {
    let members = work.write(&mut tx, seed, &logins).await?;
    let tenant_id = tx.tenant_id();
    match intent {
        Intent::Apply if work.scope == Scope::Made || !work.report.is_empty() => {
            let lines: Vec<String> = work.report.lines.iter().map(ToString::to_string).collect();
            let detail = json!({ "by": work.author.name, "differences": lines });
            let (subject, (before, after)) = (("tenant", tenant_id), work.report.sides());
            let entry = if work.scope == Scope::Made {
                Entry::made("configuration.applied", subject, after)
            } else {
                Entry::changed("configuration.applied", subject, before, after)
            };
            audit::insert(&mut tx, None, entry.with(detail)).await?;
            tx.commit().await?;
        }
        _ => tx.rollback().await?,
    }
    Ok(Seeded { tenant_id, members, hosts: work.hosts, report: work.report })
}

/// Writes the rules of `seed` (checks, playbooks, mappings) into a tenant that was made in this very transaction.
pub(super) async fn write_rules(
    tx: &mut TenantTx,
    master: &MasterKey,
    known: Known,
    seed: &Seed,
) -> Result<(), ApplyError> {
    let mut work = Work::new(master, known, Author::operator(), Scope::Made);
    let digests = work.write_playbooks(tx, &seed.document.playbooks).await?;
    work.write_mappings(tx, &seed.document.mappings, &digests).await?;
    work.write_checks(tx, &seed.document.checks).await?;
    Ok(())
}

/// Who stands behind a file.
#[derive(Clone, Debug)]
struct Author {
    /// None: the operator, who has no seat.
    login_id: Option<Uuid>,
    name: String,
}

impl Author {
    fn operator() -> Author {
        Author { login_id: None, name: "the operator".to_owned() }
    }
}

/// Whether the tenant was made by this very file: what is set with it is no loosening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Made,
    Standing,
}

/// One file on its way into the rows.
struct Work<'a> {
    master: &'a MasterKey,
    known: Known,
    author: Author,
    scope: Scope,
    report: Report,
    hosts: Vec<SeededHost>,
    /// Clients that this file makes.
    made_clients: BTreeSet<String>,
}

impl<'a> Work<'a> {
    fn new(master: &'a MasterKey, known: Known, author: Author, scope: Scope) -> Work<'a> {
        let (report, hosts, made_clients) = (Report::default(), Vec::new(), BTreeSet::new());
        Work { master, known, author, scope, report, hosts, made_clients }
    }

    /// Everything, in the order of the locks: what stops runs first, hosts last.
    async fn write(
        &mut self,
        tx: &mut TenantTx,
        seed: &Seed,
        logins: &BTreeMap<usize, Uuid>,
    ) -> Result<Vec<SeededMember>, ApplyError> {
        let document = &seed.document;
        // Seats are locked before the organization's row, as where a member is invited.
        let seats = members::list_locked(tx).await?;
        let (old, new) = (&self.known.document.tenant, &document.tenant);
        if self.scope == Scope::Made {
            self.report.created(format!("organization {:?}", new.name));
            configuration::update_tenant(tx, &new.name, &new.time_zone).await?;
        } else if self.report.changed("organization", &serde_json::to_value(old)?, &serde_json::to_value(new)?) {
            configuration::update_tenant(tx, &new.name, &new.time_zone).await?;
        }
        let clients = self.write_clients(tx, document).await?;
        let members = self.write_members(tx, document, logins, &clients, &seats).await?;
        self.write_notify(tx, &document.notify).await?;
        self.write_mail(tx, document.mail.as_ref()).await?;
        let hosts = self.write_hosts(tx, document, &clients).await?;
        self.write_limits(tx, &document.limits).await?;
        self.write_groups(tx, document, &clients).await?;
        self.write_maintenance(tx, document, &clients).await?;
        let digests = self.write_playbooks(tx, &document.playbooks).await?;
        self.write_mappings(tx, &document.mappings, &digests).await?;
        let checks = self.write_checks(tx, &document.checks).await?;
        self.update_hosts(tx, hosts, &checks).await?;
        Ok(members)
    }

    async fn write_members(
        &mut self,
        tx: &mut TenantTx,
        document: &Document,
        logins: &BTreeMap<usize, Uuid>,
        clients: &BTreeMap<String, Uuid>,
        seats: &[Seat],
    ) -> Result<Vec<SeededMember>, ApplyError> {
        let mut seeded = Vec::new();
        for (i, member) in document.members.iter().enumerate() {
            let what = format!("member {}", member.email);
            let role: Role = role(&member.role);
            let ids: Option<Vec<Uuid>> =
                member.clients.as_ref().map(|names| names.iter().filter_map(|n| clients.get(n).copied()).collect());
            let at = self.known.members.iter().position(|m| m.email.eq_ignore_ascii_case(&member.email));
            let login_id = match (at, logins.get(&i)) {
                (Some(at), _) => {
                    let login_id = self.known.members[at].login_id;
                    let old = &self.known.document.members[at];
                    let mut new = Member { email: old.email.clone(), ..member.clone() };
                    new.clients.iter_mut().for_each(|names| names.sort());
                    if self.report.changed(&what, &serde_json::to_value(old)?, &serde_json::to_value(&new)?) {
                        configuration::update_member(tx, login_id, &member.name, role, ids.as_deref()).await?;
                        let was = seats.iter().find(|seat| seat.login_id == login_id);
                        if let Some(was) = was {
                            let now = Seat { role, client_ids: ids, ..was.clone() };
                            self.end_beyond(tx, was, &now, &document.notify).await?;
                        }
                    }
                    login_id
                }
                (None, Some(login_id)) => {
                    self.report.created(what);
                    let (name, email) = (&member.name, &member.email);
                    quotas::find_room(tx, Counted::Members, 1).await?.map_err(ApplyError::Full)?;
                    seeding::insert_limited_membership(tx, *login_id, name, email, role, ids.as_deref()).await?;
                    *login_id
                }
                // The seat was taken away between the two looks: the whole file is begun anew.
                (None, None) => return Err(StoreError::Conflict("memberships_pkey".to_owned(), None).into()),
            };
            seeded.push(SeededMember { email: member.email.clone(), login_id });
        }
        for other in &self.known.members {
            if !document.members.iter().any(|m| m.email.eq_ignore_ascii_case(&other.email)) {
                self.report.not_in_file(format!("member {}", other.email));
            }
        }
        Ok(seeded)
    }

    /// What a member whose seat is another one now began for others goes no further than it, as in the console. An address that the
    /// file itself names is called on.
    async fn end_beyond(&self, tx: &mut TenantTx, was: &Seat, now: &Seat, notify: &[String]) -> Result<(), ApplyError> {
        let is_named = notify.iter().any(|address| address.eq_ignore_ascii_case(&was.email));
        let called = if is_named { Called::Still } else { Called::NoMore(self.author.login_id) };
        Ok(members::end_beyond(tx, was, Some(now), called).await?)
    }

    async fn write_notify(&mut self, tx: &mut TenantTx, addresses: &[String]) -> Result<(), ApplyError> {
        let known = &self.known.document.notify;
        for address in addresses.iter().filter(|address| !known.contains(address)) {
            self.report.created(format!("notify {address}"));
            seeding::insert_channel(tx, address).await?;
        }
        for address in known.iter().filter(|address| !addresses.contains(address)) {
            self.report.not_in_file(format!("notify {address}"));
        }
        Ok(())
    }

    async fn write_mail(&mut self, tx: &mut TenantTx, relay: Option<&Relay>) -> Result<(), ApplyError> {
        match (&self.known.document.mail, relay) {
            (None, None) => return Ok(()),
            (Some(_), None) => {
                self.report.not_in_file("mail");
                return Ok(());
            }
            (None, Some(_)) => self.report.created("mail"),
            (Some(old), Some(new)) => {
                if !self.report.changed("mail", &serde_json::to_value(old)?, &serde_json::to_value(new)?) {
                    return Ok(());
                }
            }
        }
        match relay {
            Some(relay) => Ok(mail_relays::set(tx, relay, &self.author.name).await?),
            None => Ok(()),
        }
    }

    /// Publishes a mapping's next version.
    async fn publish(
        tx: &mut TenantTx,
        mapping_id: Uuid,
        version: i32,
        mode: &str,
        definition: &Value,
    ) -> Result<i32, ApplyError> {
        Ok(mappings::publish(tx, mapping_id, version, mode, definition).await?)
    }
}
