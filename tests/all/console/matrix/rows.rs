//! A digest of every table of the database: a request that is refused has changed none of them.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::console::Console;

/// Columns that say when something was used last: being used changes them, whatever was asked and answered. Everything
/// else of their tables is looked at.
const BY_USE: [(&str, &str); 2] = [("sessions", "seen_at,expires_at"), ("api_tokens", "used_at,used_from")];

/// The rows as they were at the last look: of each table how many there are, and the sum of their hashes.
pub(super) struct Rows {
    sql: String,
    last: BTreeMap<String, String>,
}

impl Rows {
    /// Looks at every table that the catalog knows. A partition's rows are its parent's.
    pub(super) async fn look(conn: &mut PgConnection) -> Rows {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class
             WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY 1",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        for (table, _) in BY_USE {
            assert!(tables.iter().any(|name| name == table), "{table} is no table any more");
        }
        let of_table = |table: &String| {
            let row = BY_USE.iter().find(|(name, _)| name == table).map_or_else(
                || "t::text".to_owned(),
                |(_, columns)| format!("(to_jsonb(t) - '{{{columns}}}'::text[])::text"),
            );
            format!(
                "SELECT '{table}', count(*)::text || ' ' || coalesce(sum(hashtextextended({row}, 0)), 0)::text FROM public.{table} t"
            )
        };
        let sql = tables.iter().map(of_table).collect::<Vec<_>>().join(" UNION ALL ");
        let mut rows = Rows { sql, last: BTreeMap::new() };
        rows.changed(conn).await;
        rows
    }

    /// The tables whose rows are others than at the last look.
    pub(super) async fn changed(&mut self, conn: &mut PgConnection) -> Vec<String> {
        let digests: Vec<(String, String)> =
            sqlx::query_as(AssertSqlSafe(self.sql.clone())).fetch_all(conn).await.unwrap();
        let now: BTreeMap<_, _> = digests.into_iter().collect();
        let changed = now.iter().filter(|(table, digest)| self.last.get(*table) != Some(*digest));
        let changed = changed.map(|(table, _)| table.clone()).collect();
        self.last = now;
        changed
    }
}

#[tokio::test]
async fn a_row_that_is_changed_and_not_counted_is_noticed() {
    let mut console = Console::new().await;
    console.proposed().await;
    console.member("sam@ours.example").await;
    let mut rows = Rows::look(&mut console.rows).await;
    assert!(rows.last.len() > 60, "only {} tables are looked at", rows.last.len());
    assert_eq!(rows.changed(&mut console.rows).await, [""; 0]);
    for (table, change) in [
        ("memberships", "role = 'viewer' WHERE role = 'technician'"),
        ("hosts", r#"tags = '{"role": "db"}'"#),
        ("api_tokens", "name = 'another'"),
        ("sessions", "data = '{}'"),
        ("logins", "failed_count = failed_count + 1"),
    ] {
        console.execute(format!("UPDATE {table} SET {change}")).await;
        assert_eq!(rows.changed(&mut console.rows).await, [table], "{change}");
    }
    console.execute("UPDATE sessions SET seen_at = clock_timestamp()".to_owned()).await;
    console.execute("UPDATE api_tokens SET used_at = clock_timestamp()".to_owned()).await;
    assert_eq!(rows.changed(&mut console.rows).await, [""; 0], "a use is no change");
}
