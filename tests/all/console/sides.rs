//! The rows of the audit, held against the list of its actions: what functions of the database write, too.

use super::Console;
use crate::lints::entries::listed;
use crate::support::workspace;

impl Console {
    /// Every entry that was written has an action of the list, and the sides that stand there.
    pub(super) async fn sides_are_as_listed(&mut self) {
        let list = listed(&std::fs::read_to_string(workspace().join("docs/audit-actions.md")).unwrap());
        let rows: Vec<(String, bool, bool)> = sqlx::query_as(
            "SELECT DISTINCT e.action, e.before IS NOT NULL, e.after IS NOT NULL
             FROM (SELECT a.action, a.before, a.after FROM audit a UNION ALL SELECT t.action, t.before, t.after FROM tenant_audit t) e
             ORDER BY 1, 2, 3",
        )
        .fetch_all(&mut self.rows)
        .await
        .unwrap();
        assert!(!rows.is_empty(), "nothing was written");
        for (action, has_before, has_after) in rows {
            let kind = match (has_before, has_after) {
                (false, true) => "made",
                (true, true) => "changed",
                (true, false) => "removed",
                (false, false) => "done",
            };
            assert!(list.contains(&(action.clone(), kind.to_owned())), "{action} is written as what was {kind}");
        }
    }
}
