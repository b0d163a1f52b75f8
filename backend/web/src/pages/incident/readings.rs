//! What a check saw, as a page shows it.

use domain::detect::words::{data, name, no_data, plain};
use serde_json::Value;
use views::{Verdict, story::Evidence};

/// The verdict of a stored word.
pub fn verdict(word: &str) -> Verdict {
    match word {
        "ok" => Verdict::Ok,
        "warning" => Verdict::Warning,
        "critical" => Verdict::Critical,
        _ => Verdict::NoData,
    }
}

/// The single readings, the state marked as what was bad.
pub fn evidence(seen: &Value) -> Vec<Evidence> {
    if let Some(why) = no_data(seen) {
        return vec![Evidence { name: "No data".to_owned(), value: Some(why), is_bad: false, at: None }];
    }
    let row = |(key, value): (&String, &Value)| Evidence {
        name: name(key),
        value: (!value.is_null()).then(|| plain(value)),
        is_bad: key == "state",
        at: None,
    };
    data(seen).as_object().map(|map| map.iter().map(row).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_state_is_what_was_bad() {
        assert!(evidence(&json!({"data": {"state": "stopped"}}))[0].is_bad);
    }
}
