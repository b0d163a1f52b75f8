//! A host's facts as parts of pages.

use jiff::Timestamp;
use serde_json::Value;
use store::pages::hosts::{HandsOff, Row};
use views::{HostRef, Link, hosts::Trust, incident::HostAside};

/// Whether the agent is heard.
pub fn link(row: &Row) -> Link {
    match (row.linked_at, row.unlinked_at) {
        (Some(since_at), None) => Link::Linked { since_at },
        (Some(_), Some(since_at)) => Link::Silent { since_at },
        (None, _) => Link::NeverHeard,
    }
}

/// Whether it is trusted.
pub fn trust(row: &Row) -> Trust {
    match row.state.as_str() {
        "quarantined" if row.is_newcomer => Trust::Newcomer,
        "quarantined" => {
            Trust::NotYet { reason: sentence(row.quarantine_reason.as_deref().unwrap_or("it is in quarantine")) }
        }
        _ => Trust::Trusted,
    }
}

/// A reason as a sentence of its own.
fn sentence(reason: &str) -> String {
    let mut chars = reason.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

/// Its agent's version, and the profile of its own limits.
pub fn agent(row: &Row) -> Option<String> {
    let version = row.agent_version.as_deref()?;
    let profile = row.own_limits.as_ref().and_then(|limits| limits.get("profile")).and_then(Value::as_str);
    Some(profile.map_or_else(|| version.to_owned(), |profile| format!("{version}, {profile}")))
}

/// Its tags as `key=value`.
pub fn tags(row: &Row) -> Vec<String> {
    let one = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    row.tags.as_object().map(|map| map.iter().map(one).collect()).unwrap_or_default()
}

/// Whether a stretch of hands off is about this host or its client.
pub fn concerns(off: &HandsOff, row: &Row) -> bool {
    match off.scope_kind.as_str() {
        "host" => off.scope_key == row.host_id.to_string(),
        "client" => off.scope_key == row.client_id.to_string(),
        _ => false,
    }
}

/// The stretch that lasts now, the longest of them.
pub fn hands_off(all: &[HandsOff], row: &Row, now: Timestamp) -> Option<views::HandsOff> {
    let lasts =
        |off: &&HandsOff| concerns(off, row) && off.ended_at.is_none() && off.started_at <= now && off.ends_at > now;
    let off = all.iter().filter(lasts).max_by_key(|off| off.ends_at)?;
    Some(views::HandsOff {
        by: off.started_by.clone(),
        until_at: off.ends_at,
        reason: (!off.reason.is_empty()).then(|| off.reason.clone()),
    })
}

/// The host beside an incident's story.
pub fn aside(row: &Row, all: &[HandsOff], now: Timestamp) -> HostAside {
    HostAside {
        host: HostRef { id: row.host_id, name: row.name.clone() },
        client: row.client.clone(),
        tags: tags(row),
        agent: row.agent_version.clone(),
        link: link(row),
        hands_off: hands_off(all, row, now),
    }
}
