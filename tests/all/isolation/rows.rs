//! Rows for every table with `tenant_id`, made from the catalog: whatever table is added is walked too.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::Tenant;

/// A table with its rows.
pub struct Table {
    pub name: String,
    pub of_client: bool,
    /// A partition's rows are its parent's; it must show none itself.
    pub is_partition: bool,
    pub rows: Vec<Row>,
}

/// Whom a row belongs to.
#[derive(Clone, Copy)]
pub struct Whose {
    /// Our tenant.
    pub ours: bool,
    /// Our tenant and its first client.
    pub first: bool,
}

#[derive(Clone)]
pub struct Row {
    pub whose: Whose,
    /// As PostgreSQL writes it.
    pub row: String,
    /// What writes another row like it.
    pub insert: String,
    /// What makes another's row like it.
    pub hand_over: String,
}

/// Every table and partition with `tenant_id`, without rows.
pub async fn tables(admin: &mut PgConnection) -> Vec<Table> {
    let rows = sqlx::query(
        "SELECT c.oid::regclass::text, c.relispartition,
           EXISTS (SELECT 1 FROM pg_attribute k WHERE k.attrelid = c.oid AND k.attname = 'client_id')
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .fetch_all(admin)
    .await
    .expect("the catalog is read");
    rows.iter()
        .map(|r| Table { name: r.get(0), is_partition: r.get(1), of_client: r.get(2), rows: Vec::new() })
        .collect()
}

/// Fills every table with rows of both tenants and of both clients of each, and grants tenants everything. Rows are
/// made of the columns' types alone, so constraints on their meaning are dropped: policies do not look at them.
pub async fn fill(admin: &mut PgConnection, ours: &Tenant, theirs: &Tenant) -> Vec<Table> {
    let loosen = "DO $$ DECLARE k record; BEGIN
        FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('c', 'f') AND conparentid = 0
          AND connamespace = 'public'::regnamespace LOOP
          EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.t, k.conname);
        END LOOP; END $$;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO app_tenant, app_all_clients";
    sqlx::raw_sql(loosen).execute(&mut *admin).await.expect("constraints are dropped");
    let mut tables = tables(admin).await;
    let mut number = 0;
    for table in tables.iter_mut().filter(|t| !t.is_partition) {
        for tenant in [ours, theirs] {
            let clients = if table.of_client { &tenant.clients[..] } else { &tenant.clients[..1] };
            for client in clients {
                let whose = Whose { ours: tenant.id == ours.id, first: *client == ours.clients[0] };
                number += 2;
                let row = make(admin, table, tenant.id, *client, number).await;
                table.rows.push(Row { whose, ..row });
            }
        }
        table.rows.sort_by(|a, b| a.row.cmp(&b.row));
    }
    for i in 0..tables.len() {
        if tables[i].is_partition {
            let parent = tables[i].name.rsplit_once('_').expect("a partition's name ends with its day").0;
            let parent = tables.iter().find(|t| t.name == parent).expect("a parent");
            let (from, to) = (parent.name.clone(), tables[i].name.clone());
            tables[i].rows =
                parent.rows.iter().map(|r| Row { insert: r.insert.replace(&from, &to), ..r.clone() }).collect();
        }
    }
    tables
}

/// Writes one row, or takes the one that is there.
async fn make(admin: &mut PgConnection, table: &Table, tenant: Uuid, client: Uuid, number: i64) -> Row {
    let name = &table.name;
    let mine = match (table.of_client, name.as_str()) {
        (true, _) => format!("tenant_id = '{tenant}', client_id = '{client}'"),
        (false, _) => format!("tenant_id = '{tenant}'"),
    };
    let find = format!("SELECT t::text FROM {name} t WHERE {}", mine.replace(", ", " AND "));
    let insert = format!("INSERT INTO {name} {}", values(admin, table, tenant, client, number).await);
    let mut rows: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(find.clone())).fetch_all(&mut *admin).await.expect(&find);
    if rows.is_empty() {
        sqlx::query(AssertSqlSafe(insert.clone()))
            .execute(&mut *admin)
            .await
            .unwrap_or_else(|e| panic!("{insert}: {e}"));
        rows = sqlx::query_scalar(AssertSqlSafe(find.clone())).fetch_all(&mut *admin).await.expect(&find);
    }
    let [row] = <[String; 1]>::try_from(rows).unwrap_or_else(|rows| panic!("{name} has {} rows", rows.len()));
    let insert = format!("INSERT INTO {name} {}", values(admin, table, tenant, client, number + 1).await);
    Row { whose: Whose { ours: false, first: false }, row, insert, hand_over: mine }
}

/// `(columns) VALUES (…)`: a value of each column's type; numbers and texts differ from row to row.
async fn values(admin: &mut PgConnection, table: &Table, tenant: Uuid, client: Uuid, number: i64) -> String {
    sqlx::query_scalar(
        "SELECT '(' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ') VALUES (' || string_agg(CASE
             WHEN attname = 'tenant_id' THEN quote_literal($2::text) WHEN attname = 'client_id' THEN quote_literal($3::text)
             ELSE CASE format_type(atttypid, NULL)
               WHEN 'uuid' THEN quote_literal(md5(attname || $4::bigint)::uuid)
               WHEN 'text' THEN quote_literal(attname || ' ' || $4::bigint)
               WHEN 'bytea' THEN quote_literal(convert_to(($4::bigint)::text, 'UTF8'))
               WHEN 'jsonb' THEN quote_literal('{}')
               WHEN 'date' THEN quote_literal(date '2026-01-01' + ($4::bigint)::int)
               WHEN 'boolean' THEN 'true'
               WHEN 'timestamp with time zone' THEN quote_literal(clock_timestamp())
               WHEN 'smallint' THEN ($4::bigint)::text WHEN 'integer' THEN ($4::bigint)::text WHEN 'bigint' THEN ($4::bigint)::text
               WHEN 'text[]' THEN quote_literal('{}') WHEN 'uuid[]' THEN quote_literal('{}') WHEN 'real[]' THEN quote_literal('{}')
             END END, ', ' ORDER BY attnum) || ')'
         FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''",
    )
    .bind(&table.name)
    .bind(tenant.to_string())
    .bind(client.to_string())
    .bind(number)
    .fetch_one(admin)
    .await
    .unwrap_or_else(|e| panic!("{}: {e}", table.name))
}
