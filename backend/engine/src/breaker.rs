//! From a verdict on a run to the breakers over it. The run's buckets are locked by the caller, before everything else.

use domain::remediate::breaker::{Change, Judged, Scope, State, Turned, judge};
use domain::remediate::platform_storm::Sign;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::TenantTx;
use store::audit::{self, Entry};
use store::remediate::breakers::{self, Row};
use store::remediate::runs::{self, Run, Withdraw};
use store::remediate::signs;

/// Judges the breakers over a run by how it turned out; the host's only once its remediation is `closed`. Answers
/// what opened, for people.
pub(crate) async fn after(tx: &mut TenantTx, run: &Run, good: bool, closed: bool) -> store::Result<Vec<&'static str>> {
    if !good {
        signs::note(tx, Sign::Bad).await?;
    }
    let rows = breakers::list_over(tx, run).await?;
    let turned = if good { Turned::Good } else { Turned::Bad };
    let mut opened = Vec::new();
    for (scope, key) in breakers::keys_of(run) {
        if scope == Scope::Host && !closed {
            continue;
        }
        let row = rows.iter().find(|row| row.breaker.scope == scope);
        if row.is_none() && good {
            continue; // nothing to open, nothing to close
        }
        if judge_one(tx, run, scope, &key, row, turned).await? {
            opened.push(scope.label());
        }
    }
    Ok(opened)
}

/// The host's breaker alone, when a remediation closes after its run was judged: an undo came between.
pub(crate) async fn after_closed(tx: &mut TenantTx, run: &Run) -> store::Result<()> {
    let rows = breakers::list_over(tx, run).await?;
    let row = rows.iter().find(|row| row.breaker.scope == Scope::Host);
    judge_one(tx, run, Scope::Host, &run.host_id.to_string(), row, Turned::Bad).await.map(drop)
}

/// Judges one breaker and writes what it becomes; whether it opened.
async fn judge_one(
    tx: &mut TenantTx,
    run: &Run,
    scope: Scope,
    key: &str,
    row: Option<&Row>,
    turned: Turned,
) -> store::Result<bool> {
    let (subject, was) = (("run", run.run_id), told(row.map_or(State::Closed, |row| row.breaker.state)));
    match change(tx, run, scope, row, turned).await? {
        Change::Stays => Ok(false),
        Change::Closes => {
            breakers::save(tx, scope, key, State::Closed, 0, None).await?;
            runs::make_held_due(tx, None).await?;
            note(tx, run, Entry::changed("breaker.closed", subject, was, told(State::Closed)), scope).await?;
            Ok(false)
        }
        Change::Opens { reopened } => {
            breakers::save(tx, scope, key, State::Open, reopened, None).await?;
            runs::withdraw_unpermitted(tx, &stopped(run, scope), "a breaker opened").await?;
            note(tx, run, Entry::changed("breaker.opened", subject, was, told(State::Open)), scope).await?;
            Ok(true)
        }
    }
}

async fn change(
    tx: &mut TenantTx,
    run: &Run,
    scope: Scope,
    row: Option<&Row>,
    turned: Turned,
) -> store::Result<Change> {
    // What was judged before it closed counts no more.
    let closed = row.filter(|row| row.breaker.state == State::Closed);
    let since = closed.map_or(Timestamp::UNIX_EPOCH, |row| row.breaker.changed_at);
    let (newest, in_a_day) = match scope {
        Scope::ClientPlaybookVersion => (breakers::list_turned_of_version(tx, run, since).await?, (0, 0)),
        Scope::Host => (breakers::list_turned_on_host(tx, run.host_id, since).await?, (0, 0)),
        Scope::PlaybookVersion => (Vec::new(), breakers::count_bad_in_a_day(tx, run, since).await?),
    };
    let is_canary = row.is_some_and(|row| row.canary_run_id == Some(run.run_id));
    let breaker = row.map(|row| &row.breaker);
    Ok(judge(scope, &Judged { breaker, is_canary, turned, newest: &newest, in_a_day }))
}

fn stopped(run: &Run, scope: Scope) -> Withdraw {
    let digest = Some(run.playbook_digest.clone());
    match scope {
        Scope::ClientPlaybookVersion => Withdraw { client_id: Some(run.client_id), digest, ..Withdraw::default() },
        Scope::Host => Withdraw::of_host(run.host_id),
        Scope::PlaybookVersion => Withdraw { digest, ..Withdraw::default() },
    }
}

/// Writes down what a breaker over a run became; `entry` is about the run.
async fn note(tx: &mut TenantTx, run: &Run, entry: Entry<'_>, scope: Scope) -> store::Result<()> {
    audit::insert(tx, Some(run.client_id), entry.with(json!({ "stops": scope.label() }))).await
}

/// How a breaker was or is, as the audit says it.
fn told(state: State) -> Value {
    json!({ "state": state.word() })
}
