//! Who may import whom, and what no statement may do: read from `cargo metadata` and from the statements' offline data.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Our crates and what of ours each may import (ARCHITECTURE.md).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("keys", &[]),
    ("domain", &[]),
    ("store", &["domain", "keys"]),
    ("embedded", &[]),
    ("runner", &[]),
    ("views", &["domain"]),
    ("mail", &["views"]),
    ("engine", &["domain", "store", "keys", "mail", "views", "runner"]),
    ("gateway", &["domain", "store", "wire", "keys"]),
    ("web", &["domain", "store", "keys", "views"]),
    ("server", &["domain", "store", "keys", "wire", "embedded", "runner", "views", "mail", "engine", "gateway", "web"]),
    ("agent", &["wire", "keys", "runner"]),
];

/// What a crate must never import from outside.
const NEVER: &[(&str, &[&str])] = &[
    ("wire", &["sqlx", "axum", "tokio"]),
    ("keys", &["sqlx", "axum", "tokio"]),
    ("domain", &["sqlx", "axum", "tokio", "rand"]),
    ("store", &["axum", "askama"]),
    ("engine", &["axum", "sqlx"]),
    ("gateway", &["sqlx"]),
    ("web", &["sqlx"]),
    ("agent", &["sqlx", "axum"]),
];

fn faults(imports: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, used) in imports {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(n, _)| n == name) else {
            faults.push(format!("{name} is not in the table"));
            continue;
        };
        let never = NEVER.iter().find(|(n, _)| n == name).map_or(&[][..], |(_, never)| never);
        for import in used {
            let ours = MAY_IMPORT.iter().any(|(n, _)| n == import);
            if (ours && !allowed.contains(&import.as_str())) || never.contains(&import.as_str()) {
                faults.push(format!("{name} imports {import}"));
            }
        }
    }
    faults
}

fn imports() -> BTreeMap<String, Vec<String>> {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let normal = |d: &&cargo_metadata::Dependency| d.kind == cargo_metadata::DependencyKind::Normal;
    let packages = metadata.packages.iter().filter(|p| p.name.as_str() != "tests");
    packages
        .map(|p| (p.name.to_string(), p.dependencies.iter().filter(normal).map(|d| d.name.clone()).collect()))
        .collect()
}

#[test]
fn no_crate_imports_what_its_layer_forbids() {
    assert_eq!(faults(&imports()), Vec::<String>::new());
}

#[test]
fn a_forbidden_import_is_found() {
    let mut broken = imports();
    broken.entry("web".into()).or_default().push("engine".into());
    broken.entry("domain".into()).or_default().push("tokio".into());
    assert_eq!(faults(&broken), ["domain imports tokio", "web imports engine"]);
}

/// Tables that are reached before a tenant is known, or that tell of none.
const WITHOUT_TENANT: &[&str] = &[
    "logins",
    "sessions",
    "credentials",
    "memberships",
    "tenants",
    "platform_state",
    "nodes",
    "server_keys",
    "tenant_wakeups",
    "pg_roles",
    "pg_class",
    "pg_database",
];

/// What is wrong with one statement; `file` excuses the one that asks for the time.
fn statement_faults(sql: &str) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let low = sql.to_lowercase();
    if (low.contains("now()") || low.contains("current_timestamp") || low.contains("clock_timestamp()"))
        && low != r#"select clock_timestamp() as "now!""#
    {
        faults.push("asks for the time");
    }
    if low.contains("pg_notify") || low.starts_with("notify") {
        faults.push("notifies outside store::wake");
    }
    let words: Vec<&str> = low.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    let asks = low == r#"select clock_timestamp() as "now!""#;
    let free = asks || words.iter().any(|w| WITHOUT_TENANT.contains(w)) || low.starts_with("select maintenance.");
    let names_tenant = low.contains("tenant_id = $1") || low.contains("(tenant_id, ");
    if !free && !names_tenant {
        faults.push("does not name tenant_id = $1");
    }
    let columns = low.strip_prefix("insert into ").and_then(|rest| rest.split_once('(')).map(|(_, columns)| columns);
    if !free && columns.is_some_and(|columns| !columns.trim_start().starts_with("tenant_id")) {
        faults.push("does not insert tenant_id first");
    }
    faults
}

#[test]
fn every_statement_names_its_tenant_and_asks_nobody_for_the_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the statements' offline data") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a file");
        let data: Value = serde_json::from_str(&text).expect("JSON");
        let sql = data["query"].as_str().expect("a statement");
        assert_eq!(statement_faults(sql), Vec::<&str>::new(), "{sql}");
        seen += 1;
    }
    assert!(seen > 100, "only {seen} statements were read");
}

#[test]
fn a_statement_that_breaks_a_rule_is_found() {
    assert_eq!(statement_faults("SELECT name FROM hosts WHERE host_id = $1"), ["does not name tenant_id = $1"]);
    assert_eq!(
        statement_faults("UPDATE runs SET due_at = now() WHERE tenant_id = $1 AND run_id = $2"),
        ["asks for the time"]
    );
    assert_eq!(statement_faults("INSERT INTO runs (run_id, tenant_id) VALUES ($2, $1)").len(), 2);
    assert_eq!(statement_faults("SELECT pg_notify('loops', '') FROM runs WHERE tenant_id = $1").len(), 1);
}
