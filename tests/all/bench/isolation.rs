//! What row-level security costs: every statement that the pages send, with the parameters they sent, by the server's own
//! role and planned as its connections have them planned, with the policies on and off by turns.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use server::up::Installation;
use sqlx::Executor as _;
use sqlx::postgres::{PgConnection, PgPool};
use store::scope::PLANNING;

/// Times that a statement runs in a turn, and turns with the policies on and with them off.
const TIMES: usize = 15;
const TURNS: usize = 12;
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

/// Planning and execution of a prepared statement, in ms.
async fn time(connection: &mut PgConnection, n: usize, literals: &str) -> sqlx::Result<f64> {
    let values = if literals.is_empty() { String::new() } else { format!("({literals})") };
    let sql = format!("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON, FORMAT JSON) EXECUTE s{n}{values}");
    let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await?;
    let of = |name: &str| plan[0][name].as_f64().unwrap_or_default();
    Ok(of("Planning Time") + of("Execution Time"))
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
    for (name, value) in PLANNING {
        run(&mut connection, format!("SET {name} = {value}")).await.unwrap();
    }
    let as_server = format!("SET ROLE app_all_clients; SET \"app.tenant_id\" = '{tenant}'");
    run(&mut connection, as_server).await.unwrap();
    let mut known = Vec::new();
    for (n, statement) in all.iter().enumerate() {
        if run(&mut connection, format!("PREPARE s{n} AS {}", statement.text)).await.is_ok()
            && time(&mut connection, n, &statement.literals).await.is_ok()
        {
            known.push((n, statement));
        }
    }
    // Statement → times with the policies on, and off.
    let mut times: BTreeMap<usize, [Vec<f64>; 2]> = BTreeMap::new();
    for turn in 0..TURNS * 2 {
        let verb = if turn % 2 == 0 { "ENABLE" } else { "DISABLE" };
        run(
            &mut connection,
            format!(
                "RESET ROLE; DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relforcerowsecurity LOOP
                   EXECUTE format('ALTER TABLE %s {verb} ROW LEVEL SECURITY', t); END LOOP; END $$; SET ROLE app_all_clients"
            ),
        )
        .await
        .unwrap();
        for (n, statement) in &known {
            // The first after a change is planned anew.
            time(&mut connection, *n, &statement.literals).await.unwrap();
            for _ in 0..TIMES {
                let ms = time(&mut connection, *n, &statement.literals).await.unwrap();
                times.entry(*n).or_default()[turn % 2].push(ms);
            }
        }
    }
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
        json!({ "row_level_security_percent": percent(on, off), "statements": known.len(), "not_replayed": all.len() - known.len(), "worst": worst })
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
