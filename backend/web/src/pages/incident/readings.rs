//! What a check saw, in words. Readings are names and values; nothing is assumed of which there are.

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

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

fn name(key: &str) -> String {
    key.replace('_', " ")
}

/// The named readings, without their envelope.
fn data(seen: &Value) -> &Value {
    seen.get("data").or_else(|| seen.get("Data")).unwrap_or(seen)
}

/// Why there is no data, if there is none.
fn no_data(seen: &Value) -> Option<String> {
    seen.get("no_data").map(|inner| plain(inner.get("why").unwrap_or(inner)))
}

/// One line: the state first, then the other readings with their names.
pub fn words(seen: &Value) -> String {
    if let Some(why) = no_data(seen) {
        return why;
    }
    let Some(map) = data(seen).as_object() else { return plain(data(seen)) };
    let state = map.get("state").map(plain);
    let others =
        map.iter().filter(|(key, _)| *key != "state").map(|(key, value)| format!("{} {}", name(key), plain(value)));
    let all: Vec<String> = state.into_iter().chain(others).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
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
    fn the_state_comes_first_and_no_data_says_why() {
        assert_eq!(
            words(&json!({"data": {"pid": 812.0, "state": "stopped", "exit_code": 137}})),
            "stopped, exit code 137, pid 812"
        );
        assert_eq!(words(&json!({"no_data": {"why": "timed out after 2 s"}})), "timed out after 2 s");
        assert_eq!(words(&json!({"state": "running"})), "running");
        assert!(evidence(&json!({"data": {"state": "stopped"}}))[0].is_bad);
    }
}
