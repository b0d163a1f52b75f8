//! From a rung that was judged to the next one of its ladder.

use domain::classify::{Mapping, Mode, Rung};
use domain::verify::judge::Outcome;
use domain::verify::ladder::{Facts, Next, Why, next};
use store::classify::mappings;
use store::remediate::playbooks::{self, PlaybookVersion};
use store::remediate::runs::{self, NextRung, Run};
use store::{StoreError, TenantTx};

/// The version a rung names, never a later one; the newest where it names none.
pub(crate) async fn find_playbook(tx: &mut TenantTx, rung: &Rung) -> store::Result<Option<PlaybookVersion>> {
    match rung.digest.as_deref().map(str::parse::<keys::Digest>) {
        Some(Ok(digest)) => playbooks::find(tx, &digest.0).await,
        Some(Err(_)) => Ok(None),
        None => playbooks::find_by_name(tx, &rung.playbook).await,
    }
}

/// A judged rung, as the ladder needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged<'a> {
    /// How it turned out.
    pub outcome: Outcome,
    /// The check's target.
    pub target: &'a str,
    /// It was in doubt whether it ran.
    pub was_in_doubt: bool,
    /// Its alert is closed, or its check ok again.
    pub recovered: bool,
}

/// Plans the next rung, if there is one to be climbed; what else people must know is a sentence.
///
/// The remediation stays open then, and nobody is called: the ladder goes on.
pub(crate) async fn climb(tx: &mut TenantTx, run: &Run, judged: Judged<'_>) -> store::Result<Climbed> {
    let corrupt = |table, column| StoreError::Corrupt { table, column, id: run.run_id };
    let of_run = mappings::find_of_run(tx, run.run_id).await?.ok_or(corrupt("remediations", "mapping_id"))?;
    let mapping: Mapping =
        serde_json::from_value(of_run.definition).map_err(|_| corrupt("mapping_versions", "definition"))?;
    let facts = Facts {
        outcome: judged.outcome,
        rung: run.rung,
        ran_under: Mode::parse(&run.mode).ok_or(corrupt("runs", "mode"))?,
        was_in_doubt: judged.was_in_doubt,
        recovered: judged.recovered,
        mapping: &mapping,
        mode_today: of_run.mode_today.as_deref().and_then(Mode::parse),
    };
    match next(&facts) {
        Next::End(Why::Archived) => {
            Ok(Climbed::No(Some("Its mapping was archived meanwhile: no further fix is tried.")))
        }
        Next::End(_) => Ok(Climbed::No(None)),
        Next::Climb { rung, what, mode } => {
            let Some(playbook) = find_playbook(tx, &what).await? else {
                return Ok(Climbed::No(Some("The next rung names a playbook that does not exist.")));
            };
            let next = NextRung {
                rung,
                playbook_id: playbook.playbook_id,
                playbook_digest: playbook.digest,
                parameters: what.bind(judged.target),
                mode: mode.word().to_owned(),
            };
            runs::plan_rung(tx, run.run_id, &next, &format!("rung {} did not fix it", run.rung)).await?;
            Ok(Climbed::Yes)
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Climbed {
    /// The next rung is planned.
    Yes,
    /// A person is next; with what they should know of it.
    No(Option<&'static str>),
}
