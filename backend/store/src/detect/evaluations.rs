//! What an evaluation changes: observation, state, signal and decision, in one place for every evaluator.

use domain::detect::Evaluation;
use jiff::Timestamp;
use uuid::Uuid;

use super::check_states::{self, Subject};
use super::observations::{self, NewObservation};
use super::signals;
use crate::decisions::{self, NewDecision};
use crate::{Result, TenantTx};

/// Where the observation behind an evaluation comes from.
#[derive(Debug, Clone, Copy)]
pub enum Behind {
    /// A look at this time, which answers a question if there is one.
    Look {
        /// When it was seen.
        observed_at: Timestamp,
        /// The question it answers.
        request_id: Option<Uuid>,
    },
    /// No new look: a timer judged this stored one anew.
    Stored(Uuid),
}

/// Stores an evaluation of `subject`; answers the observation that stands behind it. `evaluation.state.version` follows
/// the stored one where anything changed: a wrong row count says that someone else was first.
pub async fn save(tx: &mut TenantTx, subject: &Subject, evaluation: &Evaluation, behind: Behind) -> Result<Uuid> {
    let observation_id = match behind {
        Behind::Stored(observation_id) => observation_id,
        Behind::Look { observed_at, request_id } => {
            let (seen, verdict) = (&evaluation.state.seen, evaluation.look);
            observations::insert(tx, &NewObservation { subject, observed_at, seen, verdict, request_id }).await?
        }
    };
    if evaluation.changed {
        check_states::save(tx, subject, &evaluation.state).await?;
    }
    if let Some((signal, record)) = &evaluation.signal {
        let id = signals::insert(tx, subject, *signal, evaluation.state.version, observation_id).await?;
        let decision = NewDecision {
            client_id: subject.client_id,
            stage: "detect",
            incident_id: None,
            subject_id: id,
            outcome: signal.word(),
            record: serde_json::to_value(record).unwrap_or_default(),
        };
        decisions::insert(tx, decision).await?;
        tracing::info!(host_id = %subject.host_id, signal = signal.word(), reason = record.reason, "signal");
    }
    Ok(observation_id)
}
