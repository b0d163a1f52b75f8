//! What a check saw, in words. Readings are names and values; nothing is assumed of which there are.

use serde_json::Value;

/// A reading's value.
pub fn plain(value: &Value) -> String {
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

/// A reading's name.
pub fn name(key: &str) -> String {
    key.replace('_', " ")
}

/// The named readings, without their envelope.
pub fn data(seen: &Value) -> &Value {
    seen.get("data").or_else(|| seen.get("Data")).unwrap_or(seen)
}

/// Why there is no data, if there is none.
pub fn no_data(seen: &Value) -> Option<String> {
    seen.get("no_data").map(|inner| plain(inner.get("why").unwrap_or(inner)))
}

/// Whether a sentence holds the number that a reading is, rounded as the sentence rounds it.
fn says(sentence: &str, reading: &Value) -> bool {
    let Some(value) = reading.as_f64() else { return false };
    let numbers = sentence.split(|c: char| !c.is_ascii_digit() && c != '.').map(|token| token.trim_matches('.'));
    numbers.filter(|token| !token.is_empty()).any(|token| {
        let decimals = token.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        format!("{value:.decimals$}") == token
    })
}

/// One line: the state first, what is known of it, then the other readings with their names. What the detail says already is not
/// said again.
pub fn words(seen: &Value) -> String {
    if let Some(why) = no_data(seen) {
        return why;
    }
    let Some(map) = data(seen).as_object() else { return plain(data(seen)) };
    let state = map.get("state").map(plain);
    let detail = map.get("detail").map(plain);
    let told = detail.clone().unwrap_or_default();
    let first = match (state, detail) {
        (Some(state), Some(detail)) => Some(format!("{state} — {detail}")),
        (state, detail) => state.or(detail),
    };
    let others = map
        .iter()
        .filter(|(key, value)| !matches!(key.as_str(), "state" | "detail") && !says(&told, value))
        .map(|(key, value)| format!("{} {}", name(key), plain(value)));
    let all: Vec<String> = first.into_iter().chain(others).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
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
        assert_eq!(
            words(&json!({"data": {"detail": "process 7 ended", "state": "failed", "pid": 7, "exit_code": 137}})),
            "failed — process 7 ended, exit code 137"
        );
        assert_eq!(words(&json!({"no_data": {"why": "timed out after 2 s"}})), "timed out after 2 s");
        assert_eq!(words(&json!({"state": "running"})), "running");
    }

    #[test]
    fn a_number_that_the_detail_says_is_not_said_again_however_it_was_rounded() {
        let seen = json!({"data": {"state": "mounted", "detail": "0.0 of 0.1 GB free", "free_gb": 0.02, "free_percent": 23.5, "inodes_free_percent": 97}});
        assert_eq!(words(&seen), "mounted — 0.0 of 0.1 GB free, free percent 23.5, inodes free percent 97");
        let seen = json!({"data": {"detail": "12% free", "free_percent": 12.4, "pid": 2}});
        assert_eq!(words(&seen), "12% free, pid 2");
    }
}
