//! Stage classify: a due signal becomes an alert in an incident, or is found to belong to one.

use std::time::Duration;

use async_trait::async_trait;
use domain::classify::record::{Answer, Fact};
use domain::classify::recurrence::{FIXES, Recurrence, WITHIN, judge};
use domain::classify::{
    AlertFacts, ClassifyRecord, Mapping, MappingVersion, Mode, Outcome, classify, fingerprint_text, title,
};
use serde_json::json;
use store::audit::{self, Entry};
use store::classify::due_signals::{self, Signal};
use store::classify::{alerts, facts, incidents, mappings};
use store::decisions::{self, NewDecision};
use store::notify::{self, About};
use store::remediate::{guardrails, runs};
use store::{Queue, Store, StoreError, TenantScope, TenantTx};
use uuid::Uuid;

use crate::lease::{Batch, Stage};
use crate::{breaker, ladder};

/// Signals a batch takes.
const BATCH: i64 = 100;
/// How long a signal is leased.
const LEASE: Duration = Duration::from_secs(30);
/// A signal that failed this often is parked with an incident.
const TRIES: i32 = 3;
/// The pause after a failure, times the failures so far.
const AGAIN: Duration = Duration::from_secs(5);

/// The stage.
#[derive(Debug)]
pub struct Classify;

#[async_trait]
impl Stage for Classify {
    fn queue(&self) -> Queue {
        Queue::Classify
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        let signals = due_signals::claim_due(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        // A signal waits for older ones of its target, so what is due is drained in rounds.
        let more = if signals.is_empty() { Batch::Drained } else { Batch::More };
        for signal in signals {
            let mut tx = store.begin(scope).await?;
            let failed = match one(&mut tx, &signal).await {
                Ok(()) => tx.commit().await.err(),
                Err(e) => {
                    tx.rollback().await?;
                    Some(e)
                }
            };
            if let Some(error) = failed {
                put_aside(store, scope, &signal, &error).await?;
            }
        }
        Ok(more)
    }
}

/// A signal that failed: due again in a moment, and after the third time parked with an incident; the others go on.
async fn put_aside(store: &Store, scope: &TenantScope, s: &Signal, error: &StoreError) -> store::Result<()> {
    tracing::error!(signal = %s.signal_id, tries = s.lease_count, error = error as &dyn std::error::Error, "a signal failed");
    let mut tx = store.begin(scope).await?;
    if error.is_transient() || s.lease_count < TRIES {
        let again = tx.now().await? + AGAIN * s.lease_count.clamp(1, 12).cast_unsigned();
        due_signals::release(&mut tx, s, again).await?;
        return tx.commit().await;
    }
    due_signals::park(&mut tx, s, &error.to_string()).await?;
    let about = if s.raised { "A problem" } else { "A recovery" };
    let title = format!("{about} of {} could not be handled", s.target);
    let incident_id = incidents::insert(&mut tx, s.client_id, &title, &s.severity).await?;
    let why = format!("Mendwright itself failed three times on it and has put it aside: {error}.");
    notify::needs_you(&mut tx, About { client_id: s.client_id, incident_id, run_id: None }, &why).await?;
    tx.commit().await
}

async fn one(tx: &mut TenantTx, s: &Signal) -> store::Result<()> {
    let fingerprint = keys::digest(fingerprint_text(s.check_id, s.host_id, &s.target).as_bytes()).0;
    let open = alerts::find_open(tx, &fingerprint).await?;
    let older = match &open {
        Some(alert) => alert.newest_version >= s.state_version,
        None => due_signals::find_newest_done(tx, s).await?.is_some_and(|v| v >= s.state_version),
    };
    let brief = |answer, sentence: &str| ClassifyRecord::brief(s.signal_id, s.state_version, answer, sentence);
    match open {
        _ if older => {
            let record = brief(Answer::Older, "A newer signal of this target was seen already.");
            decide(tx, s, None, s.signal_id, &record).await?;
        }
        Some(alert) if s.raised => {
            alerts::mark_signal(tx, alert.alert_id, s.state_version, false, &s.severity).await?;
            incidents::raise_severity(tx, alert.incident_id, &s.severity).await?;
            let record =
                brief(Answer::Deduplicated, "An alert of this check on this target is open: the same problem.");
            decide(tx, s, Some(alert.incident_id), alert.alert_id, &record).await?;
        }
        Some(alert) => cleared(tx, s, &alert).await?,
        None if s.raised => raised(tx, s, &fingerprint).await?,
        None => {
            let record = brief(Answer::NothingOpen, "It cleared, and no alert of it is open.");
            decide(tx, s, None, s.signal_id, &record).await?;
        }
    }
    due_signals::mark_done(tx, s).await
}

/// A new problem: alert and incident, then the mappings are asked.
async fn raised(tx: &mut TenantTx, s: &Signal, fingerprint: &[u8; 32]) -> store::Result<()> {
    let corrupt = |column| StoreError::Corrupt { table: "signals", column, id: s.signal_id };
    let f = facts::find(tx, s.check_id, s.host_id).await?.ok_or(corrupt("host_id"))?;
    if f.is_over {
        return Ok(());
    }
    let facts = AlertFacts {
        check: f.check,
        kind: f.kind,
        target: s.target.clone(),
        client: f.client,
        host: f.host,
        tags: f.tags,
        severity: s.severity.clone(),
    };
    let (mut known, mut unreadable) = (Vec::new(), Vec::new());
    for m in mappings::list_active(tx).await? {
        // A mapping nobody can read must not cost an alert: it is left out, and the record says so.
        match (serde_json::from_value::<Mapping>(m.definition), Mode::parse(&m.mode)) {
            (Ok(definition), Some(mode)) => {
                known.push(MappingVersion { mapping_id: m.mapping_id, version: m.version, mode, definition });
            }
            _ => {
                tracing::error!(mapping = %m.mapping_id, version = m.version, "a mapping cannot be read");
                unreadable.push(Fact::absent(format!("mapping {}", m.name), "it cannot be read"));
            }
        }
    }
    let recurrence = recurs(tx, fingerprint).await?;
    let incident_id = incidents::insert(tx, s.client_id, &title(&facts), &s.severity).await?;
    let alert_id = alerts::insert(
        tx,
        &alerts::NewAlert {
            client_id: s.client_id,
            incident_id,
            host_id: s.host_id,
            check_id: s.check_id,
            target: &s.target,
            fingerprint,
            severity: &s.severity,
            newest_version: s.state_version,
        },
    )
    .await?;
    let classification = classify(&facts, &known);
    let mut record = ClassifyRecord::of(s.signal_id, s.state_version, &facts, &classification);
    record.facts.extend(unreadable);
    let mapped = match &classification.outcome {
        Outcome::Mapped { .. } if recurrence.symptom => {
            record.answer = Answer::Symptom;
            record.sentence = format!(
                "Fixed {FIXES} times in a day and bad again: a symptom. It is not fixed once more; look for its cause."
            );
            None
        }
        Outcome::Mapped { mapping_id, version, mode, rung, first, .. } => {
            let playbook = ladder::find_playbook(tx, first).await?;
            if playbook.is_none() {
                record.answer = Answer::PlaybookMissing;
                record.sentence = format!("The mapping names the playbook {}, which does not exist.", first.playbook);
            }
            playbook.map(|playbook| (mapping_id, version, mode, rung, first, playbook))
        }
        Outcome::Unmapped => None,
    };
    decide(tx, s, Some(incident_id), alert_id, &record).await?;
    let Some((mapping_id, version, mode, rung, first, playbook)) = mapped else {
        let about = About { client_id: s.client_id, incident_id, run_id: None };
        return notify::needs_you(tx, about, &record.sentence).await;
    };
    let new = runs::NewRun {
        client_id: s.client_id,
        alert_id,
        incident_id,
        host_id: s.host_id,
        check_id: s.check_id,
        target: s.target.clone(),
        mapping_id: *mapping_id,
        mapping_version: *version,
        mode: mode.word().to_owned(),
        rung: *rung,
        playbook_id: playbook.playbook_id,
        playbook_digest: playbook.digest,
        parameters: first.bind(&s.target),
    };
    runs::plan(tx, &new).await.map(drop)
}

/// What this alert says of the fixes before it. One that did not last is a bad one: the breakers over it are judged anew,
/// under its buckets' locks, which come before the alert's.
async fn recurs(tx: &mut TenantTx, fingerprint: &[u8; 32]) -> store::Result<Recurrence> {
    let now = tx.now().await?;
    let fixed = alerts::list_fixed(tx, fingerprint, now - WITHIN).await?;
    let recurrence = judge(now, &fixed.iter().map(|(_, fixed)| *fixed).collect::<Vec<_>>());
    let newest = fixed.first().filter(|_| recurrence.relapsed);
    let Some(run) = (match newest {
        Some((run_id, _)) => runs::find(tx, *run_id).await?,
        None => None,
    }) else {
        return Ok(recurrence);
    };
    guardrails::lock(tx, &guardrails::buckets_of(tx.tenant_id(), run.client_id, run.host_id, run.playbook_id)).await?;
    if runs::mark_relapsed(tx, run.run_id).await? {
        let (was, is) = (json!({ "relapsed": false }), json!({ "relapsed": true }));
        audit::insert(tx, Some(run.client_id), Entry::changed("run.relapsed", ("run", run.run_id), was, is)).await?;
        breaker::after(tx, &run, false, true).await?;
    }
    Ok(recurrence)
}

/// The check is ok again without us: waiting runs are cancelled; only with no other run unfinished does the alert close.
async fn cleared(tx: &mut TenantTx, s: &Signal, alert: &alerts::Alert) -> store::Result<()> {
    alerts::mark_signal(tx, alert.alert_id, s.state_version, true, &s.severity).await?;
    runs::cancel_waiting(tx, alert.alert_id, "recovered by itself").await?;
    let (answer, sentence) = if runs::has_unfinished(tx, alert.alert_id).await? {
        (Answer::LeftToVerdict, "It cleared while a run is on; that run's verdict closes the alert.")
    } else {
        alerts::mark_closed(tx, alert.alert_id, "recovered").await?;
        if !alerts::has_open(tx, alert.incident_id).await? {
            incidents::mark_closed(tx, alert.incident_id, "recovered").await?;
        }
        (Answer::Recovered, "The check is ok again without us: recovered by itself.")
    };
    let mut record = ClassifyRecord::brief(s.signal_id, s.state_version, answer, sentence);
    record.facts.push(Fact::known("signal", "cleared"));
    decide(tx, s, Some(alert.incident_id), alert.alert_id, &record).await
}

async fn decide(
    tx: &mut TenantTx,
    s: &Signal,
    incident_id: Option<Uuid>,
    subject_id: Uuid,
    record: &ClassifyRecord,
) -> store::Result<()> {
    let json = serde_json::to_value(record).map_err(|_| StoreError::Corrupt {
        table: "decisions",
        column: "record",
        id: s.signal_id,
    })?;
    let (client_id, outcome) = (s.client_id, record.answer.word());
    let stage = "classify";
    decisions::insert(tx, NewDecision { client_id, stage, incident_id, subject_id, outcome, record: json }).await?;
    Ok(())
}
