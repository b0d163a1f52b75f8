//! Checks, playbooks and mappings.

use std::collections::BTreeMap;

use domain::change::{Direction, of_mode};
use domain::classify::mapping::{Mapping, Mode};
use domain::detect::Check;
use domain::quota::Counted;
use keys::seal::{Aad, open, seal};
use keys::sign::{Context, SigningKey};
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::changes::{self, NewChange, Subject, mode_value};
use store::remediate::runs::{self, Withdraw};
use store::seeding::{self, SignedVersion};
use store::tenant_keys::{self, TenantKey};
use store::{Store, StoreError, TenantTx, configuration, quotas, sealing};
use uuid::Uuid;
use wire::v1::Playbook;

use super::{ApplyError, Scope, Work};
use crate::random::{rng, seeded};
use crate::seed::document::MappingEntry;
use crate::seed::report::Line;

/// Where a tenant's sealed key stands.
fn aad(tenant_id: Uuid, row: &str, version: i32) -> Aad<'_> {
    Aad { tenant: Some(tenant_id), table: "tenant_keys.sealed", row, version: version.into() }
}

/// A sealing key that another master key sealed is told apart from a database that refuses.
fn sealed_otherwise(error: StoreError) -> ApplyError {
    match error {
        StoreError::DoesNotOpen { source, .. } => ApplyError::Sealed(source),
        error => error.into(),
    }
}

impl Work<'_> {
    /// Answers all checks as they are afterwards.
    pub(super) async fn write_checks(
        &mut self,
        tx: &mut TenantTx,
        checks: &[Check],
    ) -> Result<Vec<(Uuid, Check)>, ApplyError> {
        let mut after = self.known.checks.clone();
        for check in checks {
            let what = format!("check {:?}", check.name);
            let check = check.clone().complete().map_err(|e| ApplyError::Check(check.name.clone(), e))?;
            let definition = serde_json::to_value(&check)?;
            match after.iter_mut().find(|(_, known)| known.name == check.name) {
                Some((check_id, known)) => {
                    if self.report.changed(&what, &serde_json::to_value(&*known)?, &definition) {
                        configuration::update_check(tx, *check_id, check.kind.word(), &definition).await?;
                        *known = check;
                    }
                }
                None => {
                    self.report.created(what);
                    quotas::find_room(tx, Counted::Checks, 1).await?.map_err(ApplyError::Full)?;
                    let id = seeding::insert_check(tx, &check.name, check.kind.word(), definition).await?;
                    after.push((id, check));
                }
            }
        }
        for (_, other) in &self.known.checks {
            if !checks.iter().any(|check| check.name == other.name) {
                self.report.not_in_file(format!("check {:?}", other.name));
            }
        }
        Ok(after)
    }

    /// Publishes and signs what is new; answers which version each playbook's name means afterwards.
    pub(super) async fn write_playbooks(
        &mut self,
        tx: &mut TenantTx,
        playbooks: &[Playbook],
    ) -> Result<BTreeMap<String, String>, ApplyError> {
        let mut digests: BTreeMap<String, String> = BTreeMap::new();
        for name in self.known.versions.keys() {
            if let Some(current) = self.known.current(name) {
                digests.insert(name.clone(), current.digest.clone());
            }
            if !playbooks.iter().any(|playbook| playbook.name == *name) {
                self.report.not_in_file(format!("playbook {name:?}"));
            }
        }
        let mut key = None;
        for playbook in playbooks {
            let what = format!("playbook {:?}", playbook.name);
            let content = keys::to_canonical(playbook).map_err(|e| ApplyError::Canonical(playbook.name.clone(), e))?;
            let digest = keys::digest(content.as_bytes());
            match self.known.current(&playbook.name) {
                Some(current) if current.digest == digest.to_string() => continue,
                Some(current) => {
                    let (old, new) = (serde_json::to_value(&current.playbook)?, serde_json::to_value(playbook)?);
                    if !self.report.changed(&what, &old, &new) {
                        // The same in other words: a canonical text of an older form.
                        let (old, new) = (json!({"digest": current.digest}), json!({"digest": digest.to_string()}));
                        self.report.changed(&what, &old, &new);
                    }
                }
                None => self.report.created(what),
            }
            digests.insert(playbook.name.clone(), digest.to_string());
            if let Some(before) = self.known.version(&playbook.name, &digest.to_string()) {
                seeding::mark_current(tx, &playbook.name, before.number).await?;
                continue;
            }
            let (key_id, signing) = match &key {
                Some(key) => key,
                None => key.insert(self.signing_key(tx).await?),
            };
            let version = SignedVersion {
                name: &playbook.name,
                digest: digest.0,
                signature: &signing.sign(Context::Playbook, &content),
                content: &content,
                key_id: *key_id,
            };
            seeding::insert_playbook_version(tx, &version).await?;
        }
        if self.scope == Scope::Made && key.is_none() {
            self.signing_key(tx).await?; // agents pin it when they enrol
        }
        Ok(digests)
    }

    /// The tenant's newest key; its first one is made. One that is sealed with the master key alone is sealed anew.
    async fn signing_key(&self, tx: &mut TenantTx) -> Result<(Uuid, SigningKey), ApplyError> {
        let tenant_id = tx.tenant_id();
        if let Some(newest) = tenant_keys::list(tx).await?.into_iter().next() {
            let sealed = newest.sealed.ok_or(ApplyError::NoKey)?;
            let row = newest.key_id.to_string();
            let place = aad(tenant_id, &row, newest.version);
            let secret = match newest.sealing_version {
                Some(version) => {
                    let sealing = sealing::of(tx, self.master, version).await.map_err(sealed_otherwise)?;
                    open(&sealing.ok_or(ApplyError::NoKey)?.key, place, &sealed)?
                }
                None => {
                    let secret = open(self.master, place, &sealed)?;
                    let sealing = sealing::newest(tx, self.master, &mut seeded()).await.map_err(sealed_otherwise)?;
                    let anew = seal(&sealing.key, &mut rng(), place, &secret);
                    tenant_keys::update_sealed(tx, newest.key_id, &anew, sealing.version).await?;
                    secret
                }
            };
            let secret = <&[u8; 32]>::try_from(&secret[..]).map_err(|_| ApplyError::NoKey)?;
            return Ok((newest.key_id, SigningKey::from_bytes(secret)));
        }
        let (key, key_id) = (SigningKey::generate(&mut rng()), Store::new_id());
        let sealing = sealing::newest(tx, self.master, &mut seeded()).await.map_err(sealed_otherwise)?;
        let sealed = seal(&sealing.key, &mut rng(), aad(tenant_id, &key_id.to_string(), 1), &*key.to_bytes());
        let public_key = key.public().to_bytes().to_vec();
        let (sealed, sealing_version) = (Some(sealed), Some(sealing.version));
        tenant_keys::insert(tx, &TenantKey { key_id, version: 1, public_key, sealed, sealing_version }).await?;
        Ok((key_id, key))
    }

    /// Publishes the mappings that changed, each rung bound to the digest of one playbook version. A raised mode is
    /// proposed, also by a mapping that is new in a tenant that stands: it would be the way round.
    pub(super) async fn write_mappings(
        &mut self,
        tx: &mut TenantTx,
        mappings: &[MappingEntry],
        digests: &BTreeMap<String, String>,
    ) -> Result<(), ApplyError> {
        for mapping in mappings {
            let mut definition = mapping.definition();
            for rung in &mut definition.ladder {
                rung.digest = rung.digest.take().or_else(|| digests.get(&rung.playbook).cloned());
            }
            let at = self.known.mappings.iter().position(|known| known.definition.name == mapping.name);
            match at {
                Some(at) => self.change_mapping(tx, at, mapping.mode, &definition).await?,
                None => self.make_mapping(tx, mapping.mode, &definition).await?,
            }
        }
        for other in &self.known.mappings {
            if !mappings.iter().any(|mapping| mapping.name == other.definition.name) {
                self.report.not_in_file(format!("mapping {:?}", other.definition.name));
            }
        }
        Ok(())
    }

    async fn make_mapping(&mut self, tx: &mut TenantTx, mode: Mode, definition: &Mapping) -> Result<(), ApplyError> {
        let name = &definition.name;
        let of_new_client = definition.when.client.as_ref().is_some_and(|client| self.made_clients.contains(client));
        let as_said = self.scope == Scope::Made || of_new_client || mode != Mode::Auto;
        let begins = if as_said { mode } else { Mode::Approve };
        self.report.created(format!("mapping {name:?} ({})", begins.word()));
        let id = seeding::insert_mapping(tx, name, begins.word(), serde_json::to_value(definition)?).await?;
        let detail = json!({"mapping": name, "version": 1, "mode": begins.word(), "by": self.author.name});
        let (subject, mut made) = (("mapping", id), serde_json::to_value(definition)?);
        made["mode"] = begins.word().into();
        let entry = match begins {
            Mode::Auto => Entry::made("mapping_promoted", subject, made),
            _ => Entry::made("mapping_created", subject, made),
        };
        audit::insert(tx, None, entry.with(detail)).await?;
        if begins != mode {
            self.propose_mode(tx, id, 1, name, begins, mode).await?;
        }
        Ok(())
    }

    async fn change_mapping(
        &mut self,
        tx: &mut TenantTx,
        at: usize,
        mode: Mode,
        definition: &Mapping,
    ) -> Result<(), ApplyError> {
        let known = &self.known.mappings[at];
        let (id, before, old_mode) = (known.mapping_id, known.version, known.mode);
        let what = format!("mapping {:?}", definition.name);
        let form = |definition: &Mapping, mode: Mode| -> Result<Value, ApplyError> {
            let mut form = serde_json::to_value(definition)?;
            form["mode"] = mode.word().into();
            Ok(form)
        };
        let raised = of_mode(old_mode, mode) == Direction::Looser;
        let now = if raised { old_mode } else { mode };
        let mut version = before;
        let forms = (form(&known.definition, old_mode)?, form(definition, now)?);
        if self.report.changed(&what, &forms.0, &forms.1) {
            version = Self::publish(tx, id, before, now.word(), &serde_json::to_value(definition)?).await?;
            let detail =
                json!({"mapping": definition.name, "version": version, "mode": now.word(), "by": self.author.name});
            let (subject, (was, is)) = (("mapping", id), forms);
            let entry = if now == old_mode {
                Entry::changed("mapping_changed", subject, was, is)
            } else {
                Entry::changed("mapping_demoted", subject, was, is)
            };
            audit::insert(tx, None, entry.with(detail)).await?;
        }
        if now != old_mode {
            for host_id in runs::list_hosts_unpermitted(tx, Some(id)).await? {
                runs::withdraw_unpermitted(tx, &Withdraw::of_host(host_id), "its mapping was demoted").await?;
            }
            runs::demote_waiting(tx, id, now.word()).await?;
        }
        if raised {
            self.propose_mode(tx, id, version, &definition.name, old_mode, mode).await?;
        }
        Ok(())
    }

    async fn propose_mode(
        &mut self,
        tx: &mut TenantTx,
        mapping_id: Uuid,
        version: i32,
        name: &str,
        old: Mode,
        new: Mode,
    ) -> Result<(), ApplyError> {
        let what = format!("mapping {name:?}");
        let change = NewChange {
            subject: Subject::Mode(mapping_id),
            name,
            was: mode_value(version, old.word()),
            wanted: json!({ "mode": new.word() }),
            why: "",
            by: &self.author.name,
            login_id: self.author.login_id,
        };
        let waits_already = !changes::propose(tx, &change).await?;
        let (old, new) = (Some(old.word().into()), Some(new.word().into()));
        self.report.lines.push(Line::Proposed { what, field: "mode".to_owned(), old, new, waits_already });
        Ok(())
    }
}
