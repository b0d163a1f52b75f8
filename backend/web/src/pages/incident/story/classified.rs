//! Decisions of stage classify: which mappings were looked at, and the nearest miss.

use serde_json::Value;
use views::story::{Classified, Condition, Entry, Event, Evidence, LookResult, MappingLook, Met, Versioned};

use super::Facts;

/// One entry for each decision that laid the alert beside the mappings.
pub fn entries(facts: &Facts) -> Vec<Entry> {
    let of_classify = facts.decisions.iter().filter(|d| d.stage == "classify" && laid_beside(&d.outcome));
    of_classify.map(|d| Entry { at: d.decided_at, event: Event::Classified(classified(&d.record)) }).collect()
}

/// A signal that joined an open alert, or cleared one, laid nothing beside the mappings: what it did stands elsewhere.
fn laid_beside(outcome: &str) -> bool {
    !matches!(outcome, "deduplicated" | "recovered" | "left_to_verdict" | "older" | "nothing_open")
}

fn classified(record: &Value) -> Classified {
    let looked_at: Vec<MappingLook> = list(record, &["looked_at", "mappings", "candidates"]).iter().map(look).collect();
    let matched =
        record.get("matched").filter(|value| value.is_object()).map(versioned).or_else(|| {
            looked_at.iter().find(|look| look.result == LookResult::Matched).map(|look| look.mapping.clone())
        });
    let sentence =
        ["sentence", "reason", "why"].iter().find_map(|key| record.get(key).and_then(Value::as_str)).map(str::to_owned);
    let facts = list(record, &["facts"]).iter().filter_map(fact).collect();
    Classified { matched, sentence, looked_at, facts }
}

fn list<'a>(record: &'a Value, keys: &[&str]) -> &'a [Value] {
    keys.iter().find_map(|key| record.get(key).and_then(Value::as_array)).map(Vec::as_slice).unwrap_or_default()
}

fn versioned(value: &Value) -> Versioned {
    let title = ["name", "mapping", "title"]
        .iter()
        .find_map(|key| value.get(key).and_then(Value::as_str))
        .unwrap_or("a mapping");
    let version = value.get("version").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    Versioned { title: title.to_owned(), version }
}

fn look(value: &Value) -> MappingLook {
    let result = match value.get("result").and_then(Value::as_str) {
        Some("matched") => LookResult::Matched,
        Some("nearest_miss") => LookResult::NearestMiss,
        Some("outranked") => LookResult::Outranked,
        _ => LookResult::NoMatch,
    };
    MappingLook {
        mapping: versioned(value),
        conditions: list(value, &["conditions"]).iter().map(condition).collect(),
        result,
    }
}

fn condition(value: &Value) -> Condition {
    let words = ["words", "condition", "text"]
        .iter()
        .find_map(|key| value.get(key).and_then(Value::as_str))
        .unwrap_or_default();
    let met = match value.get("met").or_else(|| value.get("holds")) {
        Some(Value::Bool(true)) => Met::Yes,
        Some(Value::Bool(false)) => Met::No,
        Some(Value::String(word)) if word == "yes" => Met::Yes,
        Some(Value::String(word)) if word == "no" => Met::No,
        _ => Met::NotLooked,
    };
    Condition { words: words.to_owned(), met }
}

fn fact(value: &Value) -> Option<Evidence> {
    let name = value.get("name")?.as_str()?.to_owned();
    Some(Evidence {
        name,
        value: value.get("value").and_then(Value::as_str).map(str::to_owned),
        is_bad: false,
        at: None,
    })
}
