//! Changes that loosen: confirmed by a second person, they take effect when their time has come; unanswered, they lapse.

use async_trait::async_trait;
use domain::change::{State, loosest_mode, of_mode};
use domain::classify::{Mapping, Mode};
use domain::remediate::damage;
use domain::remediate::guardrails::Numbers;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::changes::{self, Change, Subject, limit_key};
use store::classify::mappings;
use store::people::{members, sign_on};
use store::remediate::{groups, guardrails, runs};
use store::{Queue, Store, TenantScope, TenantTx, archiving, configuration, hosts};
use uuid::Uuid;

use crate::ladder;
use crate::lease::{Batch, Stage};

/// Changes of a batch.
const BATCH: i64 = 50;
/// What a fix at work holds up is looked at again after this long.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The loop's work.
#[derive(Debug)]
pub struct Changes;

#[async_trait]
impl Stage for Changes {
    fn queue(&self) -> Queue {
        Queue::Changes
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let due = changes::list_due(&mut tx, BATCH).await?;
        tx.commit().await?;
        let more = if due.len() as i64 == BATCH { Batch::More } else { Batch::Drained };
        for change_id in due {
            let mut tx = store.begin(scope).await?;
            one(&mut tx, change_id).await?;
            tx.commit().await?;
        }
        Ok(more)
    }
}

/// One change, under the lock that each admission of the tenant takes first.
async fn one(tx: &mut TenantTx, change_id: Uuid) -> store::Result<()> {
    guardrails::lock_tenant(tx).await?;
    // Whoever proposed it or said yes stays what they are until it has taken effect. Seats are locked before changes.
    let seats = members::list_locked(tx).await?;
    let Some(change) = changes::find_locked(tx, change_id).await? else { return Ok(()) };
    let now = tx.now().await?;
    match change.state {
        State::Proposed if change.lapses_at <= now => {
            changes::mark_ended(tx, change_id, State::Lapsed, "nobody answered, and no answer is a no").await
        }
        State::Confirmed if change.due_at.is_some_and(|at| at <= now) => {
            if let Some(why) = changes::find_lost(tx, &change, &seats).await? {
                return changes::mark_ended(tx, change_id, State::Stale, why).await;
            }
            if waits_for_fix(tx, &change).await? {
                return changes::postpone(tx, change_id, now + AGAIN).await;
            }
            match take_effect(tx, &change).await? {
                Ok(()) => changes::mark_ended(tx, change_id, State::Applied, "it has taken effect").await,
                Err(why) => changes::mark_ended(tx, change_id, State::Stale, &why).await,
            }
        }
        _ => Ok(()),
    }
}

/// Whether a change would take away a check that a fix at work is verified by: that has to end before.
async fn waits_for_fix(tx: &mut TenantTx, change: &Change) -> store::Result<bool> {
    match change.subject {
        Some(Subject::Check(check_id)) => archiving::is_at_work(tx, check_id).await,
        _ => Ok(false),
    }
}

/// Why a change does not take effect.
type Stale = String;

/// Changes what was proposed, if that still is what it was.
async fn take_effect(tx: &mut TenantTx, change: &Change) -> store::Result<Result<(), Stale>> {
    let Some(subject) = change.subject else { return Ok(Err("it cannot be read".to_owned())) };
    if changes::find_current(tx, subject).await?.as_ref() != Some(&change.was) {
        return Ok(Err("what it changes was changed meanwhile".to_owned()));
    }
    match subject {
        Subject::Mode(mapping_id) => raise(tx, change, mapping_id).await,
        Subject::ServiceGroup(group_id) => match serde_json::from_value(change.wanted.clone()) {
            Ok(group) => {
                let client_id = groups::list(tx).await?.into_iter().find(|row| row.group_id == group_id);
                let client_id = client_id.map(|row| row.client_id);
                groups::update(tx, group_id, &group).await?;
                let (subject, was, is) = (("service_group", group_id), change.was.clone(), change.wanted.clone());
                note(tx, change, client_id, Entry::changed("service_group.loosened", subject, was, is)).await?;
                Ok(Ok(()))
            }
            Err(_) => Ok(Err("the group cannot be read".to_owned())),
        },
        Subject::HostTags(host_id) => retag(tx, change, host_id).await,
        Subject::SignOn => sign_on_by(tx, change).await,
        Subject::Check(check_id) => archive(tx, change, check_id).await,
        Subject::Limit(kind, part) => {
            let key = limit_key(tx.tenant_id(), kind);
            let old = guardrails::find(tx, kind, &key).await?.set;
            guardrails::set_numbers(tx, kind, &key, part.moved(old, numbers(&change.wanted))).await?;
            runs::make_held_due(tx, None).await?; // there may be room now
            let (subject, was, is) = (("tenant", tx.tenant_id()), change.was.clone(), change.wanted.clone());
            note(tx, change, None, Entry::changed("limit.loosened", subject, was, is)).await?;
            Ok(Ok(()))
        }
    }
}

/// Writes down what a change came to, with who proposed and who confirmed it.
async fn note(tx: &mut TenantTx, change: &Change, client_id: Option<Uuid>, entry: Entry<'_>) -> store::Result<()> {
    let detail = json!({ "what": change.name, "by": change.answered_by, "proposed_by": change.proposed_by });
    audit::insert(tx, client_id, entry.with(detail)).await
}

/// Archives a check: nothing looks at it any more.
async fn archive(tx: &mut TenantTx, change: &Change, check_id: Uuid) -> store::Result<Result<(), Stale>> {
    let Some(check) = archiving::find_locked(tx, check_id).await? else {
        return Ok(Err("the check is in use no more".to_owned()));
    };
    let is_done = archiving::archive(tx, &check, &change.proposed_by).await?;
    Ok(if is_done { Ok(()) } else { Err("a fix for it is at work".to_owned()) })
}

/// Gives a host its tags, by which it leaves a service group. Links are locked before hosts.
async fn retag(tx: &mut TenantTx, change: &Change, host_id: Uuid) -> store::Result<Result<(), Stale>> {
    let Some(host) = hosts::find(tx, host_id).await? else { return Ok(Err("the host is no more".to_owned())) };
    configuration::wake_hosts(tx, &[host_id]).await?;
    configuration::set_tags(tx, host_id, &change.wanted["tags"]).await?;
    runs::make_held_due(tx, None).await?; // it may wait for a group it has left
    let detail = json!({ "host": host.name, "by": change.answered_by, "proposed_by": change.proposed_by });
    let (was, is) = (change.was.clone(), change.wanted.clone());
    let entry = Entry::changed("host.retagged", ("host", host_id), was, is);
    audit::insert(tx, Some(host.client_id), entry.with(detail)).await?;
    Ok(Ok(()))
}

/// Sets the provider of sign-on with the secret that waits, or removes it. How members sign on is locked, and is what it was.
async fn sign_on_by(tx: &mut TenantTx, change: &Change) -> store::Result<Result<(), Stale>> {
    let (wanted, was) = (&change.wanted, &change.was);
    let by = json!({ "by": change.answered_by, "proposed_by": change.proposed_by });
    if wanted["provider"].is_null() {
        let ended = sign_on::end(tx, by).await?;
        return Ok(if ended { Ok(()) } else { Err("there is no provider".to_owned()) });
    }
    let Some((sealed, version)) = changes::find_sealed(tx, Subject::SignOn).await? else {
        return Ok(Err("its secret is no more".to_owned()));
    };
    let text = |name: &str| wanted["provider"][name].as_str();
    let domains = serde_json::from_value::<Vec<String>>(wanted["provider"]["domains"].clone());
    let (Some(issuer), Some(application_id), Ok(domains)) = (text("issuer"), text("client_id"), domains) else {
        return Ok(Err("the provider cannot be read".to_owned()));
    };
    if was["version"].as_i64() != Some(i64::from(version) - 1) || sign_on::next_version(tx).await? != version {
        return Ok(Err("its secret is for another version".to_owned()));
    }
    let required = wanted["required"].as_bool().unwrap_or(false);
    let mut detail = by;
    detail["new_secret"] = json!(true);
    let new = sign_on::New {
        issuer,
        application_id,
        secret_sealed: &sealed.secret,
        sealing_version: sealed.sealing_version,
        version,
        domains: &domains,
        by: &change.proposed_by,
    };
    sign_on::put(tx, &new, required, detail).await?;
    Ok(Ok(()))
}

fn numbers(value: &Value) -> Numbers {
    let number = |name: &str| value[name].as_u64().and_then(|n| u32::try_from(n).ok());
    Numbers {
        max_in_flight: number("max_in_flight"),
        max_per_window: number("max_per_window"),
        window_secs: number("window_secs"),
        max_storm: number("max_storm"),
        damage: damage::Numbers {
            max_unproven: number("max_unproven"),
            max_bad: number("max_bad"),
            max_wave: number("max_wave"),
        },
    }
}

/// Raises a mapping's mode, never above what its playbooks' risk allows. Runs that wait keep the mode they were planned in.
async fn raise(tx: &mut TenantTx, change: &Change, mapping_id: Uuid) -> store::Result<Result<(), Stale>> {
    let Some(mapping) = mappings::find(tx, mapping_id).await? else {
        return Ok(Err("the mapping is no more".to_owned()));
    };
    let Some(mode) = change.wanted["mode"].as_str().and_then(Mode::parse) else {
        return Ok(Err("the mode cannot be read".to_owned()));
    };
    let Ok(definition) = serde_json::from_value::<Mapping>(mapping.definition.clone()) else {
        return Ok(Err("the mapping cannot be read".to_owned()));
    };
    let mut risks = Vec::new();
    for rung in &definition.ladder {
        let content = ladder::find_playbook(tx, rung)
            .await?
            .and_then(|version| serde_json::from_str::<Value>(&version.content).ok());
        risks.push(content.and_then(|c| c["risk"].as_str().map(str::to_owned)).unwrap_or_default());
    }
    let loosest = loosest_mode(risks.iter().map(String::as_str));
    if of_mode(loosest, mode) == domain::change::Direction::Looser {
        return Ok(Err(format!("one of its playbooks asks a person always: it cannot be {}", mode.word())));
    }
    let version = mappings::publish(tx, mapping_id, mapping.version, mode.word(), &mapping.definition).await?;
    let detail = json!({ "mapping": mapping.name, "version": version, "mode": mode.word(), "by": change.answered_by, "proposed_by": change.proposed_by });
    let (was, is) = (change.was.clone(), change.wanted.clone());
    let entry = Entry::changed("mapping_promoted", ("mapping", mapping_id), was, is);
    audit::insert(tx, None, entry.with(detail)).await?;
    Ok(Ok(()))
}
