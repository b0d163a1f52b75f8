//! The limits that concern a host, as its page shows them.

use jiff::Timestamp;
use store::pages::limits::Bucket;
use views::{Limit, LimitResult, Used};

use crate::pages::limit::label;

/// A row for each number of each bucket, and one for each that is stopped.
pub fn limits(buckets: &[Bucket]) -> Vec<Limit> {
    buckets.iter().flat_map(rows).collect()
}

fn rows(bucket: &Bucket) -> Vec<Limit> {
    let facts = &bucket.facts;
    let scope = facts.kind.word();
    let label = |limit: &str, window_secs| {
        let words = label(limit, scope, window_secs);
        match &bucket.playbook {
            Some(name) => words.replace("This fix here", &format!("“{name}” here")),
            None => words,
        }
    };
    let mut rows = Vec::new();
    if facts.frozen {
        rows.push(Limit {
            label: label("frozen", None),
            used: None,
            state: Some("yes".to_owned()),
            because: "stopped by a person".to_owned(),
            frees_at: None,
            result: LimitResult::Held,
        });
    }
    let counted = |label: String, used: usize, of: u32, frees_at: Option<Timestamp>| {
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        Limit {
            label,
            used: Some(Used { used, of, unit: String::new() }),
            state: None,
            because: facts.limits.why.clone(),
            frees_at,
            result: if used >= of { LimitResult::Held } else { LimitResult::Allowed },
        }
    };
    let window = label("window", Some(facts.limits.window_secs));
    // With more in use than the number allows, the first ends free nothing yet.
    let over = facts.occupied.len().saturating_sub(usize::try_from(facts.limits.max_per_window).unwrap_or(usize::MAX));
    let frees_at = facts.occupied.get(over).map(|(at, _)| *at);
    rows.push(counted(window, facts.occupied.len(), facts.limits.max_per_window, frees_at));
    if let Some(of) = facts.limits.max_in_flight {
        rows.push(counted(label("in_flight", None), facts.flights.len(), of, None));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::remediate::guardrails::{BucketFacts, BucketKind, Numbers, Size, limits as numbers};

    fn bucket(kind: BucketKind, occupied: &[(i64, u32)]) -> Bucket {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        Bucket {
            playbook: matches!(kind, BucketKind::HostPlaybook).then(|| "restart".to_owned()),
            facts: BucketFacts {
                kind,
                key: String::new(),
                frozen: kind == BucketKind::Tenant,
                clock_high: at(0),
                limits: numbers(kind, Numbers::default(), Size { hosts: 1, first_week: false }),
                occupied: occupied.iter().map(|(secs, slot)| (at(*secs), *slot)).collect(),
                flights: vec![1],
                own_flight: false,
            },
        }
    }

    #[test]
    fn each_number_stands_beside_its_limit_and_says_when_it_frees() {
        let shown = limits(&[
            bucket(BucketKind::Tenant, &[]),
            bucket(BucketKind::Host, &[(100, 1), (200, 2)]),
            bucket(BucketKind::HostPlaybook, &[(300, 1)]),
        ]);
        let said: Vec<String> = shown
            .iter()
            .map(|limit| {
                let used = limit.used.as_ref().map(|used| format!("{} of {}", used.used, used.of));
                let frees = limit.frees_at.map(|at| format!(", frees {}", at.as_second())).unwrap_or_default();
                format!("{}: {}{frees}", limit.label, used.or(limit.state.clone()).unwrap_or_default())
            })
            .collect();
        assert_eq!(
            said.iter().map(|line| line.replace('\u{a0}', " ")).collect::<Vec<_>>(),
            [
                "Organization stopped: yes",
                "Organization, 10 min: 0 of 10",
                "Host, 1 h: 2 of 3, frees 100",
                "Host, at once: 1 of 1",
                "“restart” here, 10 min: 1 of 1, frees 300",
            ]
        );
        assert_eq!(shown.iter().filter(|limit| limit.result == LimitResult::Held).count(), 3);
    }
}
