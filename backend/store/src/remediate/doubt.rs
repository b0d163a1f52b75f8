//! A person's word on a run in doubt: it ran, or it did not.

use domain::run::State;
use serde_json::json;
use uuid::Uuid;

use super::jobs::{self, JobKey};
use super::runs::{self, Run};
use crate::audit::{self, Entry};
use crate::classify::{alerts, incidents};
use crate::verify::verifications;
use crate::{Queue, Result, TenantTx};

/// What the person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It ran: the same check says whether it helped.
    Ran,
    /// It did not run: the attempt is over, and the person stays in charge.
    DidNotRun,
}

impl Answer {
    /// Both with their words in forms and records.
    pub const ALL: [(Answer, &'static str); 2] = [(Answer::Ran, "ran"), (Answer::DidNotRun, "did_not_run")];

    /// The word.
    pub fn word(self) -> &'static str {
        Answer::ALL.iter().find(|(answer, _)| *answer == self).map_or("ran", |(_, word)| word)
    }

    /// The answer of a word.
    pub fn parse(word: &str) -> Option<Answer> {
        Answer::ALL.iter().find(|(_, w)| *w == word).map(|(answer, _)| *answer)
    }
}

/// Ends the doubt by the word of `by`; false when it is over already, by a late result or by somebody else: roll back
/// then. The slots stay stage remediate's, which is made due. Locks: alert, job, run, as whoever stores a result does.
pub async fn answer(tx: &mut TenantTx, run: &Run, answer: Answer, by: &str) -> Result<bool> {
    let alert = match answer {
        Answer::Ran => None,
        Answer::DidNotRun => alerts::find(tx, run.alert_id).await?,
    };
    let key = JobKey { run_id: run.run_id, purpose: "fix".into(), leg: 1, attempt: run.attempt };
    let job = jobs::find_locked(tx, &key).await?;
    let (to, cause) = match answer {
        Answer::Ran => (State::Verifying, format!("{by} said that it ran")),
        Answer::DidNotRun => (State::NotRun, format!("{by} said that it did not run")),
    };
    let detail = json!({ "answer": answer.word(), "by": by });
    if !runs::advance(tx, run.run_id, State::Unknown, to, &cause, detail.clone(), None).await? {
        return Ok(false);
    }
    if job.is_some_and(|job| job.state == "unknown") {
        jobs::mark_answered(tx, &key).await?;
    }
    match answer {
        Answer::Ran => verifications::insert(tx, run.run_id, "fix", true).await?,
        Answer::DidNotRun => {
            runs::close_remediation(tx, run.run_id, "not_run").await?;
            if alert.is_some_and(|alert| alert.newest_ok) {
                alerts::mark_closed(tx, run.alert_id, "recovered").await?;
            }
            let reason = format!("{cause}; nothing tries it again by itself.");
            incidents::mark_escalated(tx, run.incident_id, &reason).await?;
        }
    }
    let (was, is) = (json!({ "state": State::Unknown.word() }), json!({ "state": to.word() }));
    let entry = Entry::changed("run.doubt_answered", ("run", run.run_id), was, is);
    audit::insert(tx, Some(run.client_id), entry.with(detail)).await?;
    let now = tx.now().await?;
    tx.due(Queue::Remediate, now);
    Ok(true)
}

/// The run, if it belongs to the incident.
pub async fn find_run(tx: &mut TenantTx, incident_id: Uuid, run_id: Uuid) -> Result<Option<Run>> {
    Ok(runs::find(tx, run_id).await?.filter(|run| run.incident_id == incident_id))
}
