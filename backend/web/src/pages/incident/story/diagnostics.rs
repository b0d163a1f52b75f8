//! How the host looked when a person was called.

use serde_json::Value;
use store::diagnostics::Asked;
use views::story::{Diagnostics, Entry, Event, LookedAt};

/// Where the host answered, or where it was asked.
pub fn entry(asked: &Asked) -> Entry {
    let told = asked.sections.as_ref().and_then(Value::as_array);
    let section = |value: &Value| {
        let lines = value["lines"].as_array().into_iter().flatten();
        LookedAt {
            title: value["title"].as_str().unwrap_or_default().to_owned(),
            lines: lines.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    };
    let diagnostics = Diagnostics {
        id: asked.diagnostics_id,
        host: asked.host.clone(),
        asked_at: asked.asked_at,
        until_at: asked.expires_at,
        found: told.map(|sections| sections.iter().map(section).collect()),
    };
    Entry { at: asked.answered_at.unwrap_or(asked.asked_at), event: Event::Diagnostics(diagnostics) }
}
