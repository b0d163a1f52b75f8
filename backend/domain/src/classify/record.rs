//! The decision record of stage classify. Golden files pin its form.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::mapping::{AlertFacts, Classification, Looked, Mode, Outcome};

/// The most mappings a record keeps; the most specific ones and the nearest miss come first.
pub const MAX_LOOKED: usize = 50;

/// What was decided on one signal, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifyRecord {
    /// The form's version: 1.
    pub form: u16,
    /// The signal; its own decision in stage detect has it as the subject.
    pub signal_id: Uuid,
    /// `check_states.version` of the signal.
    pub state_version: i64,
    /// The answer.
    pub answer: Answer,
    /// The answer, for people.
    pub sentence: String,
    /// The mapping that counts.
    pub matched: Option<Matched>,
    /// What was known, and what was looked for in vain.
    pub facts: Vec<Fact>,
    /// The mappings that were looked at.
    pub looked_at: Vec<Looked>,
    /// How many more were looked at and are not listed.
    pub not_listed: usize,
    /// The mapping that missed by least.
    pub nearest_miss: Option<String>,
}

/// The answers of stage classify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A new alert with a known fix.
    Mapped,
    /// A new alert without one.
    Unmapped,
    /// A mapping knows a playbook that does not exist.
    PlaybookMissing,
    /// It was fixed too often in a day: its cause has to be found.
    Symptom,
    /// An alert of this fingerprint is open.
    Deduplicated,
    /// The alert cleared by itself.
    Recovered,
    /// It cleared while a run is on; that run's verdict closes the alert.
    LeftToVerdict,
    /// A newer signal was seen already.
    Older,
    /// It cleared, and no alert is open.
    NothingOpen,
}

impl Answer {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Mapped => "mapped",
            Answer::Unmapped => "unmapped",
            Answer::PlaybookMissing => "playbook_missing",
            Answer::Symptom => "symptom",
            Answer::Deduplicated => "deduplicated",
            Answer::Recovered => "recovered",
            Answer::LeftToVerdict => "left_to_verdict",
            Answer::Older => "older",
            Answer::NothingOpen => "nothing_open",
        }
    }
}

/// The mapping that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    /// Its id.
    pub mapping_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// Its mode.
    pub mode: Mode,
    /// The rung's number, from 1.
    pub rung: i16,
    /// The rung's playbook.
    pub playbook: String,
}

/// One fact; absent ones have no value and say why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

impl Fact {
    /// A fact that is known.
    pub fn known(name: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { name: name.into(), value: Some(value.into()), absent: None }
    }

    /// A fact that was looked for in vain.
    pub fn absent(name: impl Into<String>, why: impl Into<String>) -> Fact {
        Fact { name: name.into(), value: None, absent: Some(why.into()) }
    }
}

impl ClassifyRecord {
    /// The record of a signal that opens no alert.
    pub fn brief(signal_id: Uuid, state_version: i64, answer: Answer, sentence: impl Into<String>) -> ClassifyRecord {
        ClassifyRecord {
            form: 1,
            signal_id,
            state_version,
            answer,
            sentence: sentence.into(),
            matched: None,
            facts: Vec::new(),
            looked_at: Vec::new(),
            not_listed: 0,
            nearest_miss: None,
        }
    }

    /// The record of a new alert.
    pub fn of(signal_id: Uuid, state_version: i64, facts: &AlertFacts, c: &Classification) -> ClassifyRecord {
        let (answer, sentence, matched) = match &c.outcome {
            Outcome::Mapped { mapping_id, name, version, mode, rung, first, .. } => {
                let playbook = first.playbook.clone();
                let sentence = format!("Mapping {name} version {version} says: {playbook}.");
                let (mapping_id, name, version, mode, rung) = (*mapping_id, name.clone(), *version, *mode, *rung);
                (Answer::Mapped, sentence, Some(Matched { mapping_id, name, version, mode, rung, playbook }))
            }
            Outcome::Unmapped => (Answer::Unmapped, unmapped(c), None),
        };
        let mut looked_at = c.looked_at.clone();
        if let Some(near) = c.nearest_miss.as_ref().and_then(|n| looked_at.iter().position(|l| l == n)) {
            looked_at[..=near].rotate_right(1);
        }
        let not_listed = looked_at.len().saturating_sub(MAX_LOOKED);
        looked_at.truncate(MAX_LOOKED);
        ClassifyRecord {
            matched,
            facts: list(facts),
            looked_at,
            not_listed,
            nearest_miss: c.nearest_miss.as_ref().map(|n| n.mapping.clone()),
            ..ClassifyRecord::brief(signal_id, state_version, answer, sentence)
        }
    }
}

fn unmapped(c: &Classification) -> String {
    match &c.nearest_miss {
        None if c.looked_at.is_empty() => "No known fix: there is no mapping.".to_owned(),
        None => "No known fix: no mapping comes near.".to_owned(),
        Some(near) => {
            let misses: Vec<&str> = near.conditions.iter().filter(|c| !c.met).map(|c| c.words.as_str()).collect();
            format!("No known fix. The nearest is {}, which asks that {}.", near.mapping, misses.join(" and that "))
        }
    }
}

fn list(facts: &AlertFacts) -> Vec<Fact> {
    let mut list = vec![
        Fact::known("check", &facts.check),
        Fact::known("kind", &facts.kind),
        Fact::known("target", &facts.target),
        Fact::known("client", &facts.client),
        Fact::known("host", &facts.host),
        Fact::known("severity", &facts.severity),
    ];
    list.extend(facts.tags.iter().map(|(key, value)| Fact::known(format!("tag {key}"), value)));
    // No stage looks at these yet, and no data is not good data.
    list.extend(
        ["quiet", "maintenance", "dependencies"].map(|name| Fact::absent(name, "not looked at: not built yet")),
    );
    list
}
