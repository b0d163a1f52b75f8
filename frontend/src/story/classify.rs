//! Stage classify: the alert beside the mappings.

use super::Evidence;

/// Classify: what the alert was laid beside.
#[derive(Clone, Debug)]
pub struct Classified {
    /// The mapping that matched, or none: no known fix.
    pub matched: Option<Versioned>,
    /// One sentence more, if there is one.
    pub sentence: Option<String>,
    /// Every mapping looked at, in order.
    pub looked_at: Vec<MappingLook>,
    /// Facts that were asked for.
    pub facts: Vec<Evidence>,
}

/// A thing with a version.
#[derive(Clone, Debug)]
pub struct Versioned {
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: u32,
}

/// One mapping beside the alert.
#[derive(Clone, Debug)]
pub struct MappingLook {
    /// The mapping.
    pub mapping: Versioned,
    /// Its conditions, in order.
    pub conditions: Vec<Condition>,
    /// What came out.
    pub result: LookResult,
}

/// One condition of a mapping.
#[derive(Clone, Debug)]
pub struct Condition {
    /// In words: "service = nginx".
    pub words: String,
    /// Whether it held; a miss is underlined.
    pub met: Met,
}

/// Whether a condition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// It held.
    Yes,
    /// It did not.
    No,
    /// Nobody looked, because one before it did not hold.
    NotLooked,
}

/// What came of one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookResult {
    /// It is the one.
    Matched,
    /// It failed by the least.
    NearestMiss,
    /// It did not match.
    NoMatch,
    /// It matched too, but another comes first.
    Outranked,
}

impl LookResult {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            LookResult::Matched => "matched",
            LookResult::NearestMiss => "nearest miss",
            LookResult::NoMatch => "no match",
            LookResult::Outranked => "another first",
        }
    }
}
