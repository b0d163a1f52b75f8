//! Stage remediate: a due run is decided under its locks; what ended gives its slots back; what is overdue is in doubt.

mod facts;
mod maintenance;
mod pending;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use domain::remediate::breaker::{self, Breaker};
use domain::remediate::decide::{Answer, Decided, decide};
use domain::remediate::guardrails::BucketKind;
use domain::remediate::platform_storm::Sign;
use domain::remediate::storm::Reach;
use domain::run::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::audit::{self, Entry};
use store::classify::{alerts, incidents};
use store::notify;
use store::remediate::approvals;
use store::remediate::guardrails::{self, Executed, Taken, buckets_of};
use store::remediate::jobs::{self, JobKey};
use store::remediate::runs::{self, Claimed, Run};
use store::remediate::{breakers, groups, signs, undo};
use store::{Queue, Store, StoreError, TenantScope, TenantTx};
use uuid::Uuid;

use crate::lease::{Batch, Stage};
use facts::BatchFacts;
use pending::{Pending, job, queue, record};

/// How long a run is leased for its decision.
const LEASE: Duration = Duration::from_secs(30);
/// A run that could not be decided this often is denied.
const TRIES: i32 = 3;
/// A job that no host asked for in this time expires.
const JOB_LIVES: SignedDuration = SignedDuration::from_mins(15);

/// The stage.
#[derive(Debug)]
pub struct Remediate {
    /// Runs that a batch leases.
    pub batch: i64,
}

impl Default for Remediate {
    fn default() -> Self {
        Remediate { batch: 20 }
    }
}

#[async_trait]
impl Stage for Remediate {
    fn queue(&self) -> Queue {
        Queue::Remediate
    }

    /// Tenants wait for their own locks, not for each other's.
    fn workers(&self) -> usize {
        4
    }

    async fn work(&self, store: &Store, scope: &TenantScope) -> store::Result<Batch> {
        let mut tx = store.begin(scope).await?;
        jobs::release_ended_leases(&mut tx).await?;
        let unreleased = runs::list_unreleased(&mut tx).await?;
        let overdue = jobs::list_overdue(&mut tx).await?;
        let expired = jobs::list_expired(&mut tx).await?;
        let lapsed = approvals::list_lapsed(&mut tx).await?;
        let to_undo = undo::list_wanted(&mut tx).await?;
        let turning = store::remediate::maintenance::list_turning(&mut tx).await?;
        tx.commit().await?;
        // First: what maintenance holds from now on is not decided as if it did not.
        for window_id in turning {
            let mut tx = store.begin(scope).await?;
            maintenance::turn(&mut tx, window_id).await?;
            tx.commit().await?;
        }
        for run_id in unreleased {
            let mut tx = store.begin(scope).await?;
            release(&mut tx, run_id).await?;
            tx.commit().await?;
        }
        for run_id in to_undo {
            let mut tx = store.begin(scope).await?;
            take_back(&mut tx, run_id).await?;
            tx.commit().await?;
        }
        for key in overdue {
            let mut tx = store.begin(scope).await?;
            in_doubt(&mut tx, &key).await?;
            tx.commit().await?;
        }
        for key in expired {
            let mut tx = store.begin(scope).await?;
            expire(&mut tx, &key).await?;
            tx.commit().await?;
        }
        for run_id in lapsed {
            let mut tx = store.begin(scope).await?;
            lapse(&mut tx, run_id).await?;
            tx.commit().await?;
        }
        let mut tx = store.begin(scope).await?;
        let due = runs::claim_due(&mut tx, self.batch, LEASE).await?;
        tx.commit().await?;
        let more = if due.len() as i64 == self.batch { Batch::More } else { Batch::Drained };
        if due.is_empty() {
            return Ok(more);
        }
        let all: Vec<Uuid> = due.iter().map(|claimed| claimed.run_id).collect();
        match decide_all(store, scope, &all).await {
            Ok(()) => return Ok(more),
            Err(error) => tracing::warn!(runs = all.len(), error = &error as &dyn std::error::Error, "one by one now"),
        }
        // What one of them ran into is no reason for the others to wait: each by itself.
        for claimed in due {
            if let Err(error) = decide_all(store, scope, &[claimed.run_id]).await {
                put_aside(store, scope, claimed, &error).await?;
            }
        }
        Ok(more)
    }
}

/// Decides runs in one transaction, one after the other, each on what the ones before it took.
async fn decide_all(store: &Store, scope: &TenantScope, run_ids: &[Uuid]) -> store::Result<()> {
    let mut tx = store.begin(scope).await?;
    match admit_all(&mut tx, run_ids).await {
        Ok(()) => tx.commit().await,
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

/// A run that could not be decided: decided again, and denied with an incident when that does not help. A limit's own
/// constraint gets one more decision (the lock gives order, the constraint gives the guarantee); the others go on.
async fn put_aside(store: &Store, scope: &TenantScope, claimed: Claimed, first: &StoreError) -> store::Result<()> {
    let run_id = claimed.run_id;
    tracing::error!(%run_id, tries = claimed.tries, error = first as &dyn std::error::Error, "a run was not decided");
    if first.is_transient() || (first.conflict().is_none() && claimed.tries < TRIES) {
        return Ok(()); // due again when its lease ends
    }
    let why = match decide_all(store, scope, &[run_id]).await {
        Ok(()) => return Ok(()),
        Err(error) if error.is_transient() => return Ok(()),
        Err(error) => match error.conflict() {
            Some(constraint) => format!("A limit of the database refused it ({constraint}); nothing ran."),
            None => format!("Mendwright itself failed three times to decide on it: {error}. Nothing ran."),
        },
    };
    let mut tx = store.begin(scope).await?;
    deny(&mut tx, run_id, &why).await?;
    tx.commit().await
}

/// A run's state as the audit says it.
fn state(state: State) -> Value {
    json!({ "state": state.word() })
}

/// Ends a waiting run that cannot be decided, and calls a person.
async fn deny(tx: &mut TenantTx, run_id: Uuid, why: &str) -> store::Result<()> {
    let Some(run) = runs::find(tx, run_id).await? else { return Ok(()) };
    let Some(from) = State::parse(&run.state) else { return Ok(()) };
    if !matches!(from, State::Planned | State::Held) {
        return Ok(());
    }
    if runs::advance(tx, run_id, from, State::Cancelled, why, json!({}), None).await? {
        runs::close_remediation(tx, run_id, "cancelled").await?;
        let entry = Entry::changed("run.denied", ("run", run_id), state(from), state(State::Cancelled));
        audit::insert(tx, Some(run.client_id), entry.with(json!({ "why": why }))).await?;
        notify::needs_you(tx, (&run).into(), why).await?;
    }
    Ok(())
}

/// The run with its buckets, locked in their order; read anew under the locks, for whoever forbids or cancels held
/// them before us.
async fn find_locked(tx: &mut TenantTx, run_id: Uuid) -> store::Result<Option<(Run, [(BucketKind, String); 5])>> {
    let Some(run) = runs::find(tx, run_id).await? else { return Ok(None) };
    let keys = buckets_of(tx.tenant_id(), run.client_id, run.host_id, run.playbook_id);
    guardrails::lock(tx, &keys).await?;
    Ok(runs::find(tx, run_id).await?.map(|run| (run, keys)))
}

/// The locks of all buckets, then the clock, then one run after the other.
async fn admit_all(tx: &mut TenantTx, run_ids: &[Uuid]) -> store::Result<()> {
    let tenant_id = tx.tenant_id();
    // Service groups are declared under this lock, so what they are stands from here on.
    guardrails::lock_tenant(tx).await?;
    let groups = groups::of_runs(tx, run_ids).await?;
    let keys = |run: &Run| {
        let of_run = buckets_of(tenant_id, run.client_id, run.host_id, run.playbook_id);
        let of_groups = groups.get(&run.run_id).into_iter().flatten().map(|id| guardrails::group_bucket(*id));
        let mut keys: Vec<_> = of_run.into_iter().chain(of_groups).collect();
        keys.sort();
        keys
    };
    let all: Vec<_> = runs::list(tx, run_ids).await?.iter().flat_map(keys).collect();
    guardrails::lock(tx, &all).await?;
    guardrails::move_finished(tx, &all).await?;
    // Read anew: whoever forbids or cancels held the locks before us.
    let distinct: BTreeSet<_> = all.into_iter().collect();
    let due = runs::list(tx, run_ids).await?;
    let (mut taken, mut batch) = (Vec::new(), BatchFacts::read(tx, &due, &distinct).await?);
    let mut pending = Pending::default();
    for run in due {
        let of_run = keys(&run);
        if admit(tx, &run, &of_run, &mut batch, &mut pending).await? {
            taken.extend(of_run);
        }
    }
    pending.write(tx).await?;
    if taken.is_empty() {
        return Ok(());
    }
    signs::note(tx, Sign::Began).await?;
    guardrails::mark_clock(tx, &taken).await
}

/// One run whose buckets are locked: facts, decision, and what follows from it. Answers whether it is admitted; that is
/// written with `pending`.
async fn admit(
    tx: &mut TenantTx,
    run: &Run,
    keys: &[(BucketKind, String)],
    batch: &mut BatchFacts,
    pending: &mut Pending,
) -> store::Result<bool> {
    let run_id = run.run_id;
    match run.state.as_str() {
        "planned" => {}
        "held" => {
            runs::advance(tx, run_id, State::Held, State::Planned, "the hold is over", json!({}), None).await?;
        }
        _ => return Ok(false),
    }
    if run.attempt > 0 {
        // Slots of an admission that came to nothing: a waiting run holds none when it is decided.
        guardrails::release(tx, run_id, "not_run", Executed::No).await?;
        pending.write(tx).await?;
        batch.read_buckets(tx, keys).await?;
    }
    let facts = batch.load(tx, run, keys, pending).await?;
    let decided = decide(&facts);
    if let Answer::Run { slots } = &decided.answer {
        let (slots, at) = (slots.clone(), decided.at);
        batch.note_admitted(run, &slots);
        pending.note_admitted(run, decided, slots);
        mark_canary(tx, run, &facts.breakers, at).await?;
        return Ok(true);
    }
    pending.write(tx).await?;
    record(tx, std::iter::once((run, &decided))).await?;
    turn_away(tx, run, &decided).await?;
    Ok(false)
}

/// What follows for a run that is not admitted.
async fn turn_away(tx: &mut TenantTx, run: &Run, decided: &Decided) -> store::Result<()> {
    let id = run.run_id;
    let planned = State::Planned;
    match &decided.answer {
        Answer::Run { .. } => Ok(()),
        Answer::Hold { headline, until, tell_now } => {
            let storm = decided.storm();
            // One cause, one call: whoever is held by the same storm after the first is told of by it.
            let told = match storm {
                Some(Reach::Platform | Reach::Organization) => runs::is_held_by_storm(tx, None).await?,
                Some(Reach::Client) => runs::is_held_by_storm(tx, Some(run.client_id)).await?,
                None => false,
            };
            // What only follows from a storm of the platform is no sign of another one.
            if matches!(storm, Some(Reach::Organization | Reach::Client)) {
                signs::note(tx, Sign::Storm).await?;
            }
            let detail = storm.map_or_else(|| json!({}), |scope| json!({ "storm": scope.word() }));
            runs::advance(tx, id, planned, State::Held, headline, detail, Some(*until)).await?;
            if told || decided.is_planned() {
                return Ok(());
            }
            notify::held(tx, run.into(), headline, *tell_now).await
        }
        Answer::WouldRun => {
            runs::advance(tx, id, planned, State::Observed, "its mapping only watches", json!({}), None).await?;
            runs::close_remediation(tx, id, "observed").await?;
            notify::needs_you(tx, run.into(), "Watch only: the fix would have run.").await
        }
        Answer::NeedsApproval => {
            let asks = "its mapping asks first";
            runs::advance(tx, id, planned, State::AwaitingApproval, asks, json!({}), None).await?;
            let plan = approvals::find_plan(tx, id).await?;
            if let Some(at) = plan.and_then(|plan| plan.lapses_at) {
                tx.due(Queue::Remediate, at);
            }
            notify::needs_you(tx, run.into(), "The fix waits for your yes. No answer is a no.").await
        }
        Answer::Refuse { reason } => {
            runs::advance(tx, id, planned, State::Cancelled, reason, json!({}), None).await?;
            runs::close_remediation(tx, id, "cancelled").await?;
            notify::needs_you(tx, run.into(), reason).await
        }
    }
}

/// Gives back the admissions of a run that ended or waits again; the evidence is its state.
async fn release(tx: &mut TenantTx, run_id: Uuid) -> store::Result<()> {
    let Some((run, _)) = find_locked(tx, run_id).await? else { return Ok(()) };
    let (outcome, executed) = match run.state.as_str() {
        "fixed" | "not_fixed" | "cannot_tell" | "made_worse" => (run.state.as_str(), Executed::Yes),
        "undone" | "undo_failed" => match undo::find_verdict(tx, run_id).await?.as_deref() {
            Some("made_worse") => ("made_worse", Executed::Yes),
            _ => ("not_fixed", Executed::Yes),
        },
        "cancelled" | "refused" | "expired" | "not_run" | "planned" | "held" => ("not_run", Executed::No),
        _ => return Ok(()),
    };
    give_back(tx, run_id, outcome, executed).await
}

/// The slots of a run whose buckets are locked are free, and whoever waits for one is due.
async fn give_back(tx: &mut TenantTx, run_id: Uuid, outcome: &str, executed: Executed) -> store::Result<()> {
    guardrails::release(tx, run_id, outcome, executed).await?;
    runs::make_held_due(tx, None).await?;
    Ok(())
}

/// A job that its host has not asked for in its time: nothing ran. If the check is ok again meanwhile, nobody is called.
async fn expire(tx: &mut TenantTx, key: &JobKey) -> store::Result<()> {
    let Some((run, _)) = find_locked(tx, key.run_id).await? else { return Ok(()) };
    let alert = alerts::find(tx, run.alert_id).await?;
    if !jobs::mark_withdrawn(tx, key, run.host_id).await? {
        return Ok(()); // it was leased after all
    }
    if key.purpose == "undo" {
        return undo::mark_failed(tx, key.run_id, "the host never asked for it").await;
    }
    let cause = "the host never asked for it";
    if !runs::advance(tx, key.run_id, State::Admitted, State::Expired, cause, json!({}), None).await? {
        return Ok(());
    }
    runs::close_remediation(tx, key.run_id, "expired").await?;
    give_back(tx, key.run_id, "not_run", Executed::No).await?;
    if alert.is_some_and(|alert| alert.newest_ok) {
        alerts::mark_closed(tx, run.alert_id, "recovered").await?;
        return incidents::mark_closed(tx, run.incident_id, "recovered").await;
    }
    let minutes = JOB_LIVES.as_mins();
    let why = format!("The host has not asked for its fix in {minutes} min; nothing ran. Is it online?");
    notify::needs_you(tx, (&run).into(), &why).await
}

/// The undo of one run, one transaction: decided at once under its own limits, or left to a person. It is never tried twice.
async fn take_back(tx: &mut TenantTx, run_id: Uuid) -> store::Result<()> {
    let Some(run) = runs::find(tx, run_id).await? else { return Ok(()) };
    let mut keys = buckets_of(tx.tenant_id(), run.client_id, run.host_id, run.playbook_id).to_vec();
    let own = guardrails::undo_bucket(run.client_id);
    keys.push(own.clone());
    guardrails::lock(tx, &keys).await?;
    if !undo::is_wanted(tx, run_id).await? {
        return Ok(());
    }
    let facts = facts::of_undo(tx, &run, &keys).await?;
    let decided = decide(&facts);
    record(tx, std::iter::once((&run, &decided))).await?;
    match &decided.answer {
        Answer::Run { slots } => {
            guardrails::admit(tx, &[Taken { run_id, attempt: run.attempt, slots }]).await?;
            guardrails::mark_clock(tx, &[own]).await?;
            queue(tx, &[job(&run, "undo", run.attempt)], decided.at).await
        }
        Answer::Hold { headline, .. } => undo::mark_failed(tx, run_id, headline).await,
        Answer::Refuse { reason } => undo::mark_failed(tx, run_id, reason).await,
        Answer::WouldRun | Answer::NeedsApproval => undo::mark_failed(tx, run_id, "it was not allowed").await,
    }
}

/// An admitted run is the canary of each breaker over it that let it through to see.
async fn mark_canary(tx: &mut TenantTx, run: &Run, over: &[Breaker], at: Timestamp) -> store::Result<()> {
    for (scope, key) in breakers::keys_of(run) {
        let mut of_scope = over.iter().filter(|breaker| breaker.scope == scope);
        if let Some(breaker) = of_scope.find(|breaker| breaker.lets(at) == breaker::Lets::Canary) {
            let state = breaker::State::HalfOpen;
            breakers::save(tx, scope, &key, state, breaker.reopened, Some(run.run_id)).await?;
        }
    }
    Ok(())
}

/// Nobody answered in time: that is a no.
async fn lapse(tx: &mut TenantTx, run_id: Uuid) -> store::Result<()> {
    let Some(run) = runs::find(tx, run_id).await? else { return Ok(()) };
    let cause = "nobody answered";
    if runs::advance(tx, run_id, State::AwaitingApproval, State::Expired, cause, json!({}), None).await? {
        runs::close_remediation(tx, run_id, "expired").await?;
        let (was, is) = (state(State::AwaitingApproval), state(State::Expired));
        audit::insert(tx, Some(run.client_id), Entry::changed("run.lapsed", ("run", run_id), was, is)).await?;
        let why = "Nobody said yes to the fix in time, and no answer is a no. Nothing was touched.";
        notify::needs_you(tx, (&run).into(), why).await?;
    }
    Ok(())
}

/// A permit whose time is over without a result: in doubt, never run again, a person is called.
async fn in_doubt(tx: &mut TenantTx, key: &JobKey) -> store::Result<()> {
    // A run in doubt is a bad one: whoever opens a breaker holds the buckets first.
    let Some((run, _)) = find_locked(tx, key.run_id).await? else { return Ok(()) };
    // The job before the run, as whoever stores a result locks them.
    if !jobs::mark_unknown(tx, key).await? {
        return Ok(());
    }
    let cause = "it is in doubt whether it ran";
    if key.purpose == "undo" {
        return undo::mark_failed(tx, key.run_id, cause).await;
    }
    if runs::advance(tx, key.run_id, State::Running, State::Unknown, cause, json!({}), None).await? {
        crate::breaker::after(tx, &run, false, false).await?;
        let why = "In doubt: the fix was permitted, and the host has not said how it ended.";
        notify::needs_you(tx, (&run).into(), why).await?;
    }
    Ok(())
}
