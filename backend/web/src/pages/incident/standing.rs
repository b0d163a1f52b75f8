//! How an incident stands, from its state and its newest run's.

use store::pages::incidents::Row;
use views::{
    HostRef,
    incidents::{IncidentRow, Standing},
};

/// How it stands.
pub fn standing(state: &str, outcome: Option<&str>, run_state: Option<&str>) -> Standing {
    match (state, outcome, run_state) {
        ("closed", Some("fixed"), _) => Standing::Fixed,
        ("closed", Some("recovered"), _) => Standing::RecoveredByItself,
        ("closed", ..) => Standing::Closed,
        ("escalated", _, Some("held")) => Standing::Held,
        ("escalated", ..) | (_, _, Some("awaiting_approval" | "unknown")) => Standing::NeedsYou,
        (_, _, Some("held")) => Standing::Held,
        (_, _, Some("observed")) => Standing::WatchingOnly,
        _ => Standing::Healing,
    }
}

/// The incident in a list, with one line of why.
pub fn row(row: Row) -> IncidentRow {
    let standing = standing(&row.state, row.outcome.as_deref(), row.run_state.as_deref());
    let why = why(&row, standing);
    IncidentRow {
        id: row.incident_id,
        standing,
        title: row.title,
        client: row.client,
        host: row.host.map(|(id, name)| HostRef { id, name }),
        opened_at: row.opened_at,
        closed_at: row.closed_at,
        why,
        owner: row.owner,
    }
}

fn why(row: &Row, standing: Standing) -> String {
    let fix = row.playbook.as_deref().map(|name| format!("“{name}”"));
    let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
    match standing {
        Standing::NeedsYou if row.run_state.as_deref() == Some("verifying") => {
            format!("{} ran, being verified", or(&fix, "a fix"))
        }
        Standing::NeedsYou => or(&row.escalation_reason, "a person has to look"),
        Standing::Held => or(&row.hold_reason, "something holds its fix"),
        Standing::Fixed => format!("{}, verified by the same check", or(&fix, "a fix")),
        Standing::RecoveredByItself => "ok again before anything ran".to_owned(),
        Standing::Closed => "closed by a person".to_owned(),
        Standing::WatchingOnly => format!("on watch only; would have run {}", or(&fix, "a fix")),
        Standing::Healing => match row.run_state.as_deref() {
            Some("running") => format!("running {}", or(&fix, "a fix")),
            Some("verifying") => format!("{} ran, being verified", or(&fix, "a fix")),
            Some(_) => format!("about to run {}", or(&fix, "a fix")),
            None => "being classified".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_doubt_needs_a_person_and_a_held_one_says_held_even_when_somebody_was_told() {
        assert_eq!(standing("open", None, Some("unknown")), Standing::NeedsYou);
        assert_eq!(standing("escalated", None, Some("held")), Standing::Held);
        assert_eq!(standing("escalated", None, Some("not_fixed")), Standing::NeedsYou);
        assert_eq!(standing("open", None, Some("observed")), Standing::WatchingOnly);
        assert_eq!(standing("open", None, None), Standing::Healing);
        assert_eq!(standing("closed", Some("fixed"), Some("fixed")), Standing::Fixed);
    }
}
