//! An organization as the platform's operators see it: counts, never content.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::quota::Plan;

/// An organization in numbers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "what is counted says what it is")]
pub struct Standing {
    pub tenant_id: Uuid,
    pub name: String,
    /// `active`, `suspended`, `archived` or `deleting`.
    pub state: String,
    pub plan: String,
    pub clients: i64,
    pub hosts: i64,
    /// Hosts whose link is open.
    pub linked: i64,
    pub checks: i64,
    pub members: i64,
    pub open_incidents: i64,
    /// Runs that are under way.
    pub running: i64,
    /// Whether all its actions are stopped.
    pub is_stopped: bool,
    /// When it is to be deleted.
    pub deletes_at: Option<Timestamp>,
    /// Hosts by their agent's version.
    pub versions: BTreeMap<String, i64>,
}

impl Standing {
    /// Whether it has more than its plan has room for: the plan was made smaller.
    pub fn is_over(&self, plans: &[Plan]) -> bool {
        let over = |limit: Option<u32>, used: i64| limit.is_some_and(|limit| used > i64::from(limit));
        plans.iter().find(|plan| plan.name == self.plan).is_some_and(|plan| {
            over(plan.max_hosts, self.hosts)
                || over(plan.max_checks, self.checks)
                || over(plan.max_members, self.members)
        })
    }
}
