//! What row-level security costs: every statement that the pages send, with the parameters they sent, by the server's own
//! role and planned as its connections have them planned; and beside it, by turns, by a role of the same rights that no policy
//! binds.

use std::collections::BTreeMap;

use serde_json::json;
use server::up::Installation;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _};
use store::scope::PLANNING;

/// Pairs of connections, and times that a statement runs on each side of one.
const PAIRS: usize = 5;
const TIMES: usize = 36;
/// A role with the rights of the server's that no policy binds.
const UNBOUND: &str = "bench_unbound";
/// Runs a statement and throws its rows away; ms.
const TIMER: &str = "CREATE FUNCTION bench_ms(said text) RETURNS float8 LANGUAGE plpgsql AS
  $$ DECLARE began timestamptz := clock_timestamp(); BEGIN EXECUTE said; RETURN extract(epoch FROM clock_timestamp() - began) * 1000; END $$;
  GRANT EXECUTE ON FUNCTION bench_ms TO PUBLIC";
/// Statements below so many ms are too short for a ratio of their own.
const SHORT: f64 = 0.1;

/// A statement and its parameters as literals.
struct Statement {
    text: String,
    literals: String,
}

/// The literals in `$1 = '…', $2 = NULL, …`.
fn literals(said: &str) -> String {
    let mut literals = Vec::new();
    let mut rest = said;
    while let Some((_, after)) = rest.split_once(" = ") {
        let end = match after.strip_prefix('\'') {
            None => after.find(',').unwrap_or(after.len()),
            Some(quoted) => {
                // A quote inside stands twice.
                let mut chars = quoted.char_indices().peekable();
                let mut end = quoted.len();
                while let Some((at, c)) = chars.next() {
                    if c == '\'' && chars.next_if(|(_, next)| *next == '\'').is_none() {
                        end = at + 1;
                        break;
                    }
                }
                end + 1
            }
        };
        literals.push(&after[..end]);
        rest = &after[end..];
    }
    literals.join(", ")
}

/// The reading statements of the server's role in the cluster's log, each once.
fn statements(log: &str) -> Vec<Statement> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut text = None;
    // What goes on in the next line begins with a tab.
    for line in log.replace("\n\t", " ").lines() {
        let Some(said) = line.strip_prefix("app_login|") else { continue };
        if let Some((_, statement)) = said.split_once("execute sqlx_s_").and_then(|(_, rest)| rest.split_once(": ")) {
            text = (statement.starts_with("SELECT") || statement.starts_with("WITH")).then(|| statement.to_owned());
        } else if let Some(parameters) = said.split_once("DETAIL:").map(|(_, rest)| rest.trim())
            && let Some(text) = text.take()
        {
            found.entry(text).or_insert_with(|| literals(parameters.trim_start_matches("parameters: ")));
        }
    }
    let locks = |text: &str| text.contains("FOR UPDATE") || text.contains("FOR SHARE");
    let reads = found.into_iter().filter(|(text, _)| !locks(text));
    reads.map(|(text, literals)| Statement { text, literals }).collect()
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.map(|_| ())
}

/// A connection of one role with every statement prepared.
struct Replay(PgConnection);

impl Replay {
    async fn new(rows: &PgPool, role: &str, tenant: &str) -> Replay {
        let mut connection = PgConnection::connect_with(&rows.connect_options()).await.unwrap();
        for (name, value) in PLANNING {
            run(&mut connection, format!("SET {name} = {value}")).await.unwrap();
        }
        run(&mut connection, format!("SET ROLE {role}; SET \"app.tenant_id\" = '{tenant}'")).await.unwrap();
        Replay(connection)
    }

    /// Prepares a statement and runs it once, which plans it; whether that went well.
    async fn knows(&mut self, n: usize, statement: &Statement) -> bool {
        run(&mut self.0, format!("PREPARE s{n} AS {}", statement.text)).await.is_ok()
            && self.time(n, statement).await.is_ok()
    }

    /// Execution of a prepared statement by the server alone, in ms: EXPLAIN would count rows at each node, and there are more
    /// nodes with policies.
    async fn time(&mut self, n: usize, statement: &Statement) -> sqlx::Result<f64> {
        let literals = &statement.literals;
        let values = if literals.is_empty() { String::new() } else { format!("({literals})") };
        sqlx::query_scalar("SELECT bench_ms($1)").bind(format!("EXECUTE s{n}{values}")).fetch_one(&mut self.0).await
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Listens to what `visit` makes the server send, then runs it with and without the policies. Prints a JSON object.
pub async fn cost(rows: &PgPool, installation: &Installation, visit: impl AsyncFnOnce()) {
    let mut connection = rows.acquire().await.unwrap().detach();
    let log = installation.folder.cluster().join("log");
    for set in ["log_line_prefix = '%u|'", "log_parameter_max_length = -1", "log_statement = 'all'"] {
        run(&mut connection, format!("ALTER SYSTEM SET {set}")).await.unwrap();
    }
    run(&mut connection, "SELECT pg_reload_conf()".to_owned()).await.unwrap();
    visit().await;
    run(&mut connection, "ALTER SYSTEM RESET ALL".to_owned()).await.unwrap();
    run(&mut connection, "SELECT pg_reload_conf()".to_owned()).await.unwrap();
    let log = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    let all = statements(&log);

    let tenant: String = sqlx::query_scalar("SELECT tenant_id::text FROM hosts WHERE name = 'h1'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    run(&mut connection, format!("CREATE ROLE {UNBOUND} BYPASSRLS; GRANT app_all_clients TO {UNBOUND}; {TIMER}"))
        .await
        .unwrap();
    let mut known = Vec::new();
    // Statement → times with the policies on, and off.
    let mut times: BTreeMap<usize, [Vec<f64>; 2]> = BTreeMap::new();
    for pair in 0..PAIRS {
        let mut sides =
            [Replay::new(rows, "app_all_clients", &tenant).await, Replay::new(rows, UNBOUND, &tenant).await];
        for (n, statement) in all.iter().enumerate() {
            let mut are_known = true;
            for side in &mut sides {
                are_known &= side.knows(n, statement).await;
            }
            if are_known && pair == 0 {
                known.push((n, statement));
            }
        }
        for turn in 0..TIMES {
            for (n, statement) in &known {
                // Who is first takes turns, so that neither finds the buffers warmer.
                for side in [turn % 2, (turn + 1) % 2] {
                    let ms = sides[side].time(*n, statement).await.unwrap();
                    times.entry(*n).or_default()[side].push(ms);
                }
            }
        }
    }
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let of_least = times.values().fold((0.0, 0.0), |(a, b), [on, off]| (a + least(on), b + least(off)));
    let mut costs: Vec<(f64, f64, &str)> = known
        .iter()
        .map(|(n, statement)| {
            let [on, off] = times.remove(n).unwrap();
            (median(on), median(off), &*statement.text)
        })
        .collect();
    let (on, off) = costs.iter().fold((0.0, 0.0), |(a, b), (on, off, _)| (a + on, b + off));
    costs.sort_by(|a, b| (b.0 - b.1).total_cmp(&(a.0 - a.1)));
    println!("row-level security, statements that it costs most (ms with, ms without):");
    for (on, off, text) in costs.iter().take(8) {
        println!("  {on:>7.3} {off:>7.3}  {}", text.chars().take(150).collect::<String>());
    }
    let percent = |on: f64, off: f64| ((on / off - 1.0) * 1_000.0).round() / 10.0;
    let worst = costs
        .iter()
        .filter(|(_, off, _)| *off >= SHORT)
        .max_by(|a, b| percent(a.0, a.1).total_cmp(&percent(b.0, b.1)))
        .map(|(on, off, text)| json!({ "percent": percent(*on, *off), "ms": on, "statement": text.chars().take(150).collect::<String>() }));
    println!(
        "{}",
        json!({ "row_level_security_percent": percent(on, off), "of_the_least_percent": percent(of_least.0, of_least.1), "statements": known.len(), "not_replayed": all.len() - known.len(), "worst": worst })
    );
}

#[test]
fn a_statement_of_the_log_is_read_with_its_parameters() {
    let log = "app_login|LOG:  execute sqlx_s_1: SELECT a\n\tFROM b WHERE c = $1\napp_login|DETAIL:  parameters: $1 = 'it''s, so', $2 = NULL, $3 = '{1,2}'\n\
               app_system|LOG:  execute sqlx_s_1: SELECT x\napp_login|LOG:  execute sqlx_s_2: UPDATE b\napp_login|DETAIL:  parameters: $1 = '1'\n";
    let found = statements(log);
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].text, &*found[0].literals), ("SELECT a FROM b WHERE c = $1", "'it''s, so', NULL, '{1,2}'"));
}
