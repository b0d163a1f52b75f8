//! What no source file may say, outside the one place where it is said.

use super::rust_files;

/// A lint: what it is about, the texts that it looks for, and where they may stand.
struct Lint {
    says: &'static str,
    /// A line of code that holds one of these breaks it.
    texts: &'static [&'static str],
    /// Files, and folders with a slash at their end, that may.
    may: &'static [&'static str],
}

const UNCHECKED: &str = "a statement that .sqlx does not see";
const SQL: &str = "SQL outside the crate store";
const NOTIFY: &str = "NOTIFY or LISTEN outside store::wake";
const SCOPE: &str = "a scope that is not minted in store::auth";
const ROLE: &str = "a role or a tenant set outside store::scope";
const CLOCK: &str = "the time or chance is asked for, where it is an argument";

const LINTS: &[Lint] = &[
    Lint {
        says: UNCHECKED,
        texts: &[
            "sqlx::query(",
            "sqlx::query_as(",
            "sqlx::query_scalar(",
            "sqlx::query_with(",
            "sqlx::query_as_with(",
            "sqlx::query_scalar_with(",
            "sqlx::query::<",
            "sqlx::query_as::<",
            "sqlx::query_scalar::<",
            "_unchecked!(",
            "raw_sql(",
            "AssertSqlSafe(",
            "QueryBuilder",
            "begin_with(",
            ".execute(\"",
            ".execute(r",
            ".fetch(\"",
            ".fetch_all(\"",
            ".fetch_one(\"",
            ".fetch_optional(\"",
            ".prepare(\"",
            "{query",
            ", query",
            "copy_in_raw",
        ],
        // `SET LOCAL …`, which cannot be prepared.
        may: &["backend/store/src/scope.rs", "backend/store/src/migrate.rs"],
    },
    Lint {
        says: SQL,
        texts: &["sqlx::", "use sqlx", "jiff_sqlx"],
        // An embedded cluster is made ready with it, and the server names its log messages.
        may: &["backend/store/", "backend/embedded/", "backend/server/src/lib.rs"],
    },
    Lint {
        says: NOTIFY,
        texts: &["pg_notify", "\"NOTIFY", "\"LISTEN", "PgListener"],
        may: &["backend/store/src/wake.rs"],
    },
    Lint { says: SCOPE, texts: &["TenantScope {"], may: &["backend/store/src/auth.rs"] },
    Lint {
        says: ROLE,
        texts: &["SET LOCAL ROLE", "SET ROLE", "set_config(", "app.tenant_id", "app_all_clients", "app.client_ids"],
        may: &["backend/store/src/scope.rs"],
    },
    Lint {
        says: CLOCK,
        texts: &[
            "Timestamp::now(",
            "Zoned::now(",
            "Instant::now(",
            "SystemTime::now(",
            "now_utc(",
            "now_v7(",
            "new_v4(",
            "rand::rng(",
            "rand::random",
            "thread_rng(",
            "clippy::disallowed_methods",
        ],
        may: &[
            "backend/server/src/clock.rs",
            "backend/server/src/random.rs",
            "backend/agent/src/main.rs",
            "backend/store/src/scope.rs",
        ],
    },
];

fn faults(path: &str, text: &str) -> Vec<&'static str> {
    let code = |line: &&str| !line.trim_start().starts_with("//");
    // The type itself, its methods, and a function that returns one.
    let declares = |line: &str| {
        ["struct TenantScope {", "impl TenantScope {", "-> TenantScope {"].iter().any(|d| line.contains(d))
    };
    let breaks = |lint: &Lint, line: &str| {
        lint.texts.iter().any(|t| line.contains(t)) && !(lint.says == SCOPE && declares(line))
    };
    let may = |lint: &&Lint| lint.may.iter().any(|m| path == *m || m.ends_with('/') && path.starts_with(m));
    LINTS
        .iter()
        .filter(|lint| !may(lint) && text.lines().filter(code).any(|line| breaks(lint, line)))
        .map(|lint| lint.says)
        .collect()
}

/// The sources of the programs; tests may look at rows as they please.
fn sources() -> Vec<(String, String)> {
    let mut files = rust_files("backend");
    files.extend(rust_files("frontend"));
    files.retain(|(path, _)| path.contains("/src/") && !path.ends_with("tests.rs"));
    files
}

#[test]
fn no_source_says_what_stands_in_one_place_only() {
    let sources = sources();
    assert!(sources.len() > 100, "only {} files were read", sources.len());
    let faulty: Vec<_> =
        sources.iter().map(|(path, text)| (path, faults(path, text))).filter(|(_, f)| !f.is_empty()).collect();
    assert_eq!(faulty, []);
}

#[test]
fn each_lint_of_the_sources_finds_what_it_forbids_and_its_own_place_is_let_pass() {
    for (says, line) in [
        (UNCHECKED, r#"sqlx::query("SELECT 1").fetch_all(tx.conn()).await?;"#),
        (UNCHECKED, "sqlx::query_as::<_, Row>(sql)"),
        (UNCHECKED, "sqlx::query_unchecked!(sql)"),
        (UNCHECKED, "use sqlx::{Row, query};"),
        (UNCHECKED, r#"tx.conn().execute("DELETE FROM hosts").await?;"#),
        (UNCHECKED, "sqlx::raw_sql(text)"),
        (NOTIFY, r#"sqlx::query!("SELECT pg_notify('loops', '')")"#),
        (SCOPE, "let scope = TenantScope { tenant_id, client_ids: None, actor };"),
        (ROLE, r#"let text = "SET LOCAL ROLE app_tenant";"#),
        (CLOCK, "let now = jiff::Timestamp::now();"),
        (CLOCK, "#[allow(clippy::disallowed_methods)]"),
    ] {
        assert_eq!(faults("backend/store/src/hosts.rs", line), [says], "{line}");
        let lint = LINTS.iter().find(|l| l.says == says).expect("a lint");
        for may in lint.may.iter().filter(|m| !m.ends_with('/')) {
            assert!(!faults(may, line).contains(&says), "{line} in {may}");
        }
    }
    assert_eq!(faults("backend/web/src/lib.rs", "use sqlx::PgPool;"), [SQL]);
    assert_eq!(faults("backend/web/src/lib.rs", "// TenantScope { } is made in store::auth"), Vec::<&str>::new());
    let checked = r#"sqlx::query!("SELECT 1 FROM hosts WHERE tenant_id = $1", tenant_id)"#;
    assert_eq!(faults("backend/store/src/hosts.rs", checked), Vec::<&str>::new());
}

/// clippy finds these by their meaning, under whatever name they are imported; the list must not shrink.
#[test]
fn clippy_is_told_every_way_to_ask_for_the_time_or_chance() {
    let told = std::fs::read_to_string(crate::support::workspace().join("clippy.toml")).expect("clippy.toml");
    let told: toml::Table = told.parse().expect("TOML");
    let paths: Vec<&str> =
        told["disallowed-methods"].as_array().expect("a list").iter().filter_map(|m| m["path"].as_str()).collect();
    for path in [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "tokio::time::Instant::now",
        "jiff::Timestamp::now",
        "jiff::Zoned::now",
        "rand::rng",
        "rand::random",
        "uuid::Uuid::now_v7",
        "uuid::Uuid::new_v4",
    ] {
        assert!(paths.contains(&path), "{path}");
    }
}
