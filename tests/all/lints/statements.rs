//! What no statement may do, read from the statements' offline data (`.sqlx`).

use std::path::Path;

use serde_json::Value;

/// Tables that tell of no tenant.
const OF_NO_TENANT: &[&str] = &[
    "logins",
    "sessions",
    "letters",
    "links",
    "sources",
    "recovery_codes",
    "passkeys",
    "ceremonies",
    "server_keys",
    "nodes",
    "platform_state",
    "plans",
    "operators",
    "operator_links",
    "platform_audit",
    "pg_roles",
    "pg_class",
    "pg_database",
];

/// How statements begin that `app_system` sends before a tenant is known.
const BEFORE_A_TENANT: &[&str] = &[
    r#"select count(tenant_id) as "n!" from tenants"#,
    "select tenant_id from tenants order by tenant_id",
    "select tenant_id, subject_id from credentials where kind = $1 and secret_hash = $2 ",
    "select m.tenant_id, m.role, m.client_ids, (t.requires_second_factor and ",
    r#"select exists (select 1 from memberships m join tenants t on t.tenant_id = m.tenant_id where m.login_id = $1 and t.requires_second_factor) "#,
    "select m.tenant_id from memberships m join tenants t on t.tenant_id = m.tenant_id where m.login_id = $1 ",
    "delete from credentials where kind = 'support' and secret_hash = $1 ",
    "update memberships set email = $2 where login_id = $1",
    "select t.tenant_id from tenants t join plans p on p.plan = t.plan where p.keep_days is not null order by t.tenant_id",
    "select case when bool_and(p.keep_days is not null) then max(p.keep_days) end from tenants t left join plans p on p.plan = t.plan",
    "select tenant_id from tenants where tenant_id > $1 order by tenant_id limit $2",
    r#"select split_part(queue, '@', 1) as "queue!", count(*) as "due!", "#,
    r#"select name as "name!", state as "state!", plan as "plan!", "#,
    r#"select (select count(*) from tenants where state = 'active') as "active!", count(distinct s.tenant_id) "#,
    "delete from platform_signs where at < $1",
    "select tenant_id, deletion_id from deletions where begun_at <= $1 ",
    "delete from logins g where g.login_id = any ($1) and not exists (select 1 from memberships m where m.login_id = g.login_id)",
    "select min(due_at) from tenant_wakeups where queue = $1",
    "insert into tenant_wakeups (tenant_id, queue, due_at) select t.tenant_id, q.queue, $1 from tenants t ",
    "with t as (select tenant_id from tenant_wakeups where queue = $1 and due_at <= $2 order by due_at limit 1 for update skip locked), ",
];

/// The one statement that asks for the time.
const CLOCK: &str = r#"select clock_timestamp() as "now!""#;

/// The one statement that notifies.
const NOTIFY: &str = "select pg_notify(channel, $2) from unnest($1::text[]) as channel";

const TIME: &str = "asks for the time";
const NOTIFIES: &str = "notifies outside store::wake";
const TENANT: &str = "does not name tenant_id = $1";
const ALIAS: &str = "reads a table without its tenant_id";
const FIRST: &str = "does not insert tenant_id = $1 first";

fn faults(sql: &str) -> Vec<&'static str> {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let tokens = tokens(&sql);
    let mut faults = Vec::new();
    let is_time = |t: &str| {
        t.starts_with("current_") && (t.contains("time") || t.contains("date"))
            || t.starts_with("localtime")
            || ["now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"].contains(&t)
    };
    if sql != CLOCK && tokens.iter().any(|t| is_time(t)) {
        faults.push(TIME);
    }
    if sql != NOTIFY && tokens.iter().any(|t| ["notify", "pg_notify", "listen"].contains(t)) {
        faults.push(NOTIFIES);
    }
    if BEFORE_A_TENANT.iter().any(|begins| sql.starts_with(begins)) {
        return faults;
    }
    let tables = tables(&tokens);
    let inserts = sql.starts_with("insert into ");
    if !tables.is_empty() && !inserts && !sql.contains("tenant_id = $1") {
        faults.push(TENANT);
    }
    if tables.iter().any(|(table, alias)| {
        let name = alias.unwrap_or(table);
        let named = tokens.windows(3).any(|w| w == [name, ".", "tenant_id"]);
        let plain = || tokens.windows(2).any(|w| w[0] != "." && w[1] == "tenant_id");
        !named && (alias.is_some() || !plain())
    }) {
        faults.push(ALIAS);
    }
    let of_tenant = tables.first().is_some_and(|(table, _)| inserts && tokens.get(2) == Some(table));
    // Rows that are copied from a table keep its tenant.
    let value = first_value(&tokens);
    let is_own = value == Some("$1") || value == Some("tenant_id") && sql.contains("tenant_id = $1");
    if of_tenant && !(tokens.get(3..5) == Some(&["(", "tenant_id"]) && is_own) {
        faults.push(FIRST);
    }
    faults
}

/// Words (also `$1`, quoted names and texts) and single marks.
fn tokens(sql: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), sql);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if token != " " {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

/// Tenants' tables with their aliases; names of WITH and functions are none.
fn tables<'a>(tokens: &[&'a str]) -> Vec<(&'a str, Option<&'a str>)> {
    const AFTER: &[&str] = &[
        "where",
        "set",
        "join",
        "left",
        "inner",
        "on",
        "order",
        "for",
        "values",
        "group",
        "limit",
        "using",
        "select",
        "returning",
        "union",
        "default",
    ];
    let mut tables = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let before = if i == 0 { "" } else { tokens[i - 1] };
        let begins = match *token {
            "from" => before != "distinct",
            "join" | "into" | "using" => true,
            "update" => !["for", "do", "key"].contains(&before),
            _ => false,
        };
        let Some(name) = tokens.get(i + 1).filter(|_| begins) else { continue };
        let is_name = name.starts_with(|c: char| c.is_alphabetic()) && !["lateral", "select", "only"].contains(name);
        let next = tokens.get(i + 2).copied().unwrap_or("");
        let is_function = next == "(" && *token != "into";
        let is_common =
            tokens.windows(3).any(|w| w[0] == *name && w[1] == "as" && ["(", "materialized"].contains(&w[2]));
        if !is_name || is_function || is_common || OF_NO_TENANT.contains(name) {
            continue;
        }
        let alias = if next == "as" { tokens.get(i + 3).copied() } else { Some(next) };
        let is_alias = |a: &&str| a.starts_with(|c: char| c.is_alphabetic()) && !AFTER.contains(a);
        tables.push((*name, alias.filter(is_alias)));
    }
    tables
}

/// The first value of an INSERT.
fn first_value<'a>(tokens: &[&'a str]) -> Option<&'a str> {
    let at = tokens.iter().position(|t| *t == "values" || *t == "select")?;
    tokens[at + 1..].iter().find(|t| **t != "(").copied()
}

#[test]
fn every_statement_names_its_tenant_and_asks_nobody_for_the_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let (mut seen, mut faulty) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).expect("the statements' offline data") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a file");
        let data: Value = serde_json::from_str(&text).expect("JSON");
        let sql = data["query"].as_str().expect("a statement");
        seen += 1;
        if !faults(sql).is_empty() {
            faulty.push((sql.to_owned(), faults(sql)));
        }
    }
    assert_eq!(faulty, []);
    assert!(seen > 100, "only {seen} statements were read");
}

#[test]
fn a_statement_that_breaks_a_rule_is_found() {
    for (sql, expected) in [
        ("SELECT name FROM hosts WHERE host_id = $1", &[TENANT, ALIAS][..]),
        ("SELECT tenant_id FROM hosts WHERE host_id = $1", &[TENANT]),
        ("UPDATE runs SET due_at = now() WHERE tenant_id = $1 AND run_id = $2", &[TIME]),
        ("UPDATE runs SET due_at = CURRENT_TIMESTAMP WHERE tenant_id = $1", &[TIME]),
        ("SELECT clock_timestamp() AS now FROM runs WHERE tenant_id = $1", &[TIME]),
        ("SELECT pg_notify('loops', '') FROM runs WHERE tenant_id = $1", &[NOTIFIES]),
        ("LISTEN loops", &[NOTIFIES]),
        ("INSERT INTO runs (run_id, tenant_id) VALUES ($2, $1)", &[FIRST]),
        ("INSERT INTO runs (tenant_id, run_id) VALUES ($2, $1)", &[FIRST]),
        ("INSERT INTO runs (tenant_id, run_id) SELECT x, $2 FROM hosts x WHERE x.tenant_id = $1", &[FIRST]),
        ("DELETE FROM sites WHERE site_id = $1 AND tenant_id = $2", &[TENANT]),
        // Its own table is named, a joined one is not.
        ("SELECT 1 FROM runs r JOIN hosts h ON h.host_id = r.host_id WHERE r.tenant_id = $1", &[ALIAS]),
        (
            "SELECT 1 FROM runs r WHERE r.tenant_id = $1 AND EXISTS (SELECT 1 FROM jobs j WHERE j.run_id = r.run_id)",
            &[ALIAS],
        ),
        // A table of no tenant beside it excuses nothing.
        ("SELECT 1 FROM nodes n JOIN host_links l ON l.node_id = n.node_id", &[TENANT, ALIAS]),
        ("SELECT uses_left FROM credentials WHERE secret_hash = $1", &[TENANT, ALIAS]),
        ("DELETE FROM tenant_wakeups WHERE queue = $1", &[TENANT, ALIAS]),
    ] {
        assert_eq!(faults(sql), expected, "{sql}");
    }
}

#[test]
fn a_statement_that_keeps_the_rules_is_let_pass() {
    for sql in [
        CLOCK,
        "SELECT frozen FROM platform_state",
        "SELECT maintenance.ensure_day($1, $2, $3)",
        "INSERT INTO runs (tenant_id, note) VALUES ($1, 'from hosts now()') ON CONFLICT (tenant_id) DO UPDATE SET note = 'x'",
        "SELECT 1 FROM runs r JOIN LATERAL (SELECT 1 FROM jobs j WHERE j.tenant_id = r.tenant_id) x ON true
         WHERE r.tenant_id = $1 AND r.state IS DISTINCT FROM 'held' FOR UPDATE OF r",
        "WITH k AS (SELECT run_id FROM runs WHERE tenant_id = $1) SELECT 1 FROM k",
        "WITH k AS MATERIALIZED (SELECT run_id FROM runs WHERE tenant_id = $1) SELECT 1 FROM k",
    ] {
        assert_eq!(faults(sql), Vec::<&str>::new(), "{sql}");
    }
}
