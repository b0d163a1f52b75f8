//! Admissions of a batch that are decided and not written yet: all of them are written together, in one statement a table.

use domain::remediate::decide::{Decided, Slot};
use jiff::Timestamp;
use serde_json::json;
use store::audit::{self, Entry};
use store::decisions::{self, NewDecision};
use store::remediate::guardrails::{self, Taken};
use store::remediate::jobs::{self, JobKey, NewJob};
use store::remediate::runs::{self, Run};
use store::{StoreError, TenantTx};
use uuid::Uuid;

use super::JOB_LIVES;

/// A run that was admitted.
#[derive(Debug)]
struct Admission {
    run: Run,
    decided: Decided,
    slots: Vec<Slot>,
}

impl Admission {
    fn attempt(&self) -> i16 {
        self.run.attempt + 1
    }
}

/// What [`Pending::write`] writes next.
#[derive(Debug, Default)]
pub(super) struct Pending(Vec<Admission>);

impl Pending {
    /// `run` is admitted with these slots.
    pub(super) fn note_admitted(&mut self, run: &Run, decided: Decided, slots: Vec<Slot>) {
        self.0.push(Admission { run: run.clone(), decided, slots });
    }

    /// Writes decisions, slots, states and jobs. Whoever asks the rows what the batch has changed calls this before.
    pub(super) async fn write(&mut self, tx: &mut TenantTx) -> store::Result<()> {
        let admissions = std::mem::take(&mut self.0);
        let Some(first) = admissions.first() else { return Ok(()) };
        let at = first.decided.at;
        record(tx, admissions.iter().map(|admission| (&admission.run, &admission.decided))).await?;
        let taken: Vec<Taken<'_>> =
            admissions.iter().map(|a| Taken { run_id: a.run.run_id, attempt: a.attempt(), slots: &a.slots }).collect();
        guardrails::admit(tx, &taken).await?;
        let run_ids: Vec<Uuid> = admissions.iter().map(|admission| admission.run.run_id).collect();
        runs::admit(tx, &run_ids, "all guardrails allow it").await?;
        let jobs: Vec<NewJob> = admissions.iter().map(|a| job(&a.run, "fix", a.attempt())).collect();
        queue(tx, &jobs, at).await
    }
}

/// A job of a run.
pub(super) fn job(run: &Run, purpose: &str, attempt: i16) -> NewJob {
    let key = JobKey { run_id: run.run_id, purpose: purpose.to_owned(), leg: 1, attempt };
    NewJob { key, client_id: run.client_id, host_id: run.host_id }
}

/// Queues jobs that were decided on at `at`.
pub(super) async fn queue(tx: &mut TenantTx, new: &[NewJob], at: Timestamp) -> store::Result<()> {
    jobs::insert(tx, new, at + JOB_LIVES).await
}

/// Stores what was decided on runs, with an audit entry for each; all have the same answer.
pub(super) async fn record<'a>(
    tx: &mut TenantTx,
    decided: impl Iterator<Item = (&'a Run, &'a Decided)>,
) -> store::Result<()> {
    let (mut new, mut subjects, mut answer) = (Vec::new(), Vec::new(), "");
    for (run, decided) in decided {
        let corrupt = |_| StoreError::Corrupt { table: "decisions", column: "record", id: run.run_id };
        let record = serde_json::to_value(decided).map_err(corrupt)?;
        answer = decided.answer.word();
        new.push(NewDecision {
            client_id: run.client_id,
            stage: "remediate",
            incident_id: Some(run.incident_id),
            subject_id: run.run_id,
            outcome: answer,
            record,
        });
        subjects.push((run.client_id, run.run_id));
    }
    decisions::insert_all(tx, new).await?;
    // The states that runs go through are in their own story; what the audit keeps is that it was decided, and how.
    let entry = Entry::done("run.decided", ("run", Uuid::nil())).with(json!({ "answer": answer }));
    audit::insert_each(tx, &subjects, entry).await
}
