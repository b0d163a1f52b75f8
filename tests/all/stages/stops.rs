//! Interlocks, hands off and the kill switch: whoever forbids is wholly before an admission, or wholly after it.

use engine::remediate::Remediate;
use jiff::SignedDuration;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::remediate::hands_off::{self, Whose};
use store::remediate::stops::{self, Place};
use store::remediate::{freezes, interlocks};
use uuid::Uuid;

use super::world::{Host, Setup, World};
use crate::support::program;

const WIDE: &str = "  client: {runs_per_window: 9, window_secs: 600, in_flight: 9}\n";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn place(host: Host) -> Place {
    Place::Host { client_id: host.client_id, host_id: host.host_id }
}

/// A world whose first host broke: its run is planned.
async fn broken(hosts: usize) -> World {
    let mut w = World::new(Setup { hosts, limits: WIDE, ..Setup::default() }).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w
}

async fn set(w: &World, place: Place) -> interlocks::Set {
    let mut tx = w.tx().await;
    let set = interlocks::insert(&mut tx, place, HOUR, "nightly backup", "backup").await.unwrap();
    tx.commit().await.unwrap();
    set
}

#[tokio::test]
async fn an_interlock_takes_back_what_has_no_permit_and_its_release_lets_it_run() {
    for of in [place, |host: Host| Place::Client(host.client_id), |_| Place::Tenant] {
        let mut w = broken(1).await;
        w.settle().await;
        assert_eq!(w.runs().await, ["admitted"]);
        let set = set(&w, of(w.hosts[0])).await;
        assert!(set.running.is_empty());
        assert_eq!(w.list("SELECT state FROM jobs").await, ["withdrawn"]);
        w.settle().await;
        assert_eq!(w.runs().await, ["held"]);
        let record = w.record("remediate").await;
        assert_eq!(record["headline"], "interlock by backup: nightly backup");
        assert_eq!(record["tell_now"], true, "a person is told");
        let mut tx = w.tx().await;
        assert!(interlocks::release(&mut tx, set.interlock_id, "backup").await.unwrap());
        tx.commit().await.unwrap();
        w.settle().await;
        assert_eq!(w.runs().await, ["admitted"], "an act that was taken back costs no cooldown");
        let mut tx = w.tx().await;
        assert!(!interlocks::release(&mut tx, set.interlock_id, "backup").await.unwrap(), "it has ended");
    }
}

#[tokio::test]
async fn an_interlock_nobody_releases_ends_by_itself() {
    let mut w = broken(1).await;
    set(&w, Place::Tenant).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["held"]);
    w.pass(3_601);
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    let mut tx = w.tx().await;
    assert!(stops::list(&mut tx, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_forbids_is_told_what_was_permitted_before_and_still_runs() {
    let mut w = broken(2).await;
    w.settle().await;
    w.permit(w.hosts[0]).await;
    let set = set(&w, Place::Tenant).await;
    let names: Vec<_> = set.running.iter().map(|run| (run.host.as_str(), run.playbook.as_str())).collect();
    assert_eq!(names, [("h1", "restart-service")]);
    w.settle().await;
    let mut states = w.runs().await;
    states.sort();
    assert_eq!(states, ["held", "running"]);
}

#[tokio::test]
async fn the_kill_switch_stops_a_client_until_a_person_lets_it_go() {
    let mut w = broken(1).await;
    w.settle().await;
    let client = Place::Client(w.hosts[0].client_id);
    let mut tx = w.tx().await;
    let running = freezes::insert(&mut tx, client, "the playbook is wrong", "Owner").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(running.map(|all| all.len()), Some(0));
    w.settle().await;
    assert_eq!(w.runs().await, ["held"]);
    w.pass(86_400);
    w.settle().await;
    assert_eq!(w.runs().await, ["held"], "it has no end of its own");
    let mut tx = w.tx().await;
    assert!(freezes::insert(&mut tx, client, "again", "Owner").await.unwrap().is_none(), "it is stopped already");
    let frozen = freezes::list(&mut tx).await.unwrap();
    let told = (frozen.len(), frozen[0].client_id, frozen[0].why.as_deref());
    assert_eq!(told, (1, Some(w.hosts[0].client_id), Some("the playbook is wrong")));
    assert!(freezes::release(&mut tx, client).await.unwrap());
    assert!(!freezes::release(&mut tx, client).await.unwrap());
    tx.commit().await.unwrap();
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    let audit = w.list("SELECT action FROM audit WHERE action LIKE 'freeze%' ORDER BY at").await;
    assert_eq!(audit, ["freeze.set", "freeze.released"]);
}

#[tokio::test]
async fn hands_off_on_a_client_holds_its_hosts() {
    let mut w = broken(2).await;
    let whose = Whose::Client(w.hosts[0].client_id);
    let mut tx = w.tx().await;
    hands_off::insert(&mut tx, whose, 4, "we move the racks", "Owner").await.unwrap();
    let listed = stops::list(&mut tx, 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].client.as_deref(), listed[0].host.as_deref()), (1, Some("Alder"), None));
    tx.commit().await.unwrap();
    w.settle().await;
    assert_eq!(w.runs().await, ["held", "held"]);
    let mut tx = w.tx().await;
    assert_eq!(hands_off::release(&mut tx, whose, "Owner").await.unwrap(), 1);
    tx.commit().await.unwrap();
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted", "admitted"]);
}

/// `mendwright interlock hold` on the world's database; its exit code and what it said.
async fn hold(w: &World, wanted: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(program("mendwright"));
    command.args(["interlock", "hold", "--database-owner-url", &w.db.owner_url()]).args(wanted);
    let out = command.output().await.unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[tokio::test]
async fn a_program_holds_a_host_while_it_runs_and_its_exit_code_is_told() {
    let mut w = broken(1).await;
    w.settle().await;
    let held = "SELECT count(*) FROM interlocks WHERE ended_at IS NULL";
    let sleeps = ["--client", "Alder", "--host", "h1", "--for", "1h", "--reason", "backup", "--", "sh", "-c", "exit 3"];
    let (code, said) = hold(&w, &sleeps).await;
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(w.one::<i64>(held).await, 0, "released when the command ended");
    assert_eq!(w.one::<String>("SELECT reason || ' by ' || set_by FROM interlocks").await, "backup by sh");
    assert_eq!(w.list("SELECT state FROM jobs").await, ["withdrawn"]);
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"], "decided anew after it");
}

#[tokio::test]
async fn a_program_is_not_started_while_a_repair_that_was_permitted_before_still_runs() {
    let mut w = broken(1).await;
    w.settle().await;
    w.permit(w.hosts[0]).await;
    let (code, said) =
        hold(&w, &["--for", "1h", "--wait", "0s", "--reason", "backup", "--", "sh", "-c", "exit 3"]).await;
    assert_eq!(code, Some(75), "{said}");
    assert!(said.contains("still running: restart-service on h1"), "{said}");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM interlocks WHERE ended_at IS NULL").await, 0);
}

#[tokio::test]
async fn what_cannot_be_held_is_named_and_nothing_is_set() {
    let mut w = broken(1).await;
    for (wanted, why) in [
        (&["--client", "Oak", "--for", "1h", "--reason", "x"][..], "--client: there is no client \"Oak\""),
        (
            &["--client", "Alder", "--host", "h9", "--for", "1h", "--reason", "x"],
            "--host: Alder has no enrolled host \"h9\"",
        ),
        (&["--for", "25h", "--reason", "x"], "--for is 25h"),
        (&["--for", "1h", "--reason", " "], "--reason is empty"),
    ] {
        let (code, said) = hold(&w, &[wanted, &["--", "true"]].concat()).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(w.one::<i64>("SELECT count(*) FROM interlocks").await, 0);
}

/// How the interlock of a test is set.
#[derive(Clone, Copy)]
enum By {
    /// As the product does it.
    Product,
    /// As a program would that writes the row without the lock of its bucket, then takes back what it sees.
    Unlocked,
}

async fn interlock(w: &World, host: Host, by: By) {
    let mut tx = w.tx().await;
    match by {
        By::Product => drop(interlocks::insert(&mut tx, place(host), HOUR, "backup", "backup").await.unwrap()),
        By::Unlocked => {
            let tenant_id = tx.tenant_id();
            let mut rows = w.db.admin().await;
            sqlx::query(
                "INSERT INTO interlocks (tenant_id, interlock_id, scope_kind, scope_key, reason, ends_at, set_by, set_at)
                 VALUES ($1, $2, 'host', $3, 'backup', clock_timestamp() + interval '1 hour', 'backup', clock_timestamp())",
            )
            .bind(tenant_id)
            .bind(Uuid::from_u128(7))
            .bind(host.host_id.to_string())
            .execute(&mut rows)
            .await
            .unwrap();
            store::remediate::runs::withdraw_unpermitted(&mut tx, &place(host).jobs(), "an interlock").await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

/// Waits until `n` other connections to the database wait for a lock.
async fn waiting(rows: &mut PgConnection, n: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let now: i64 = sqlx::query_scalar(sql).fetch_one(&mut *rows).await.unwrap();
        if now >= n {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// An admission is stopped where it first touches `table`; meanwhile an interlock is set. Answers the jobs that could
/// still begin afterwards.
async fn between(table: &str, by: By) -> i64 {
    let mut w = broken(1).await;
    w.work(&engine::classify::Classify).await;
    let host = w.hosts[0];
    let mut stopper = w.db.admin().await;
    let mut seen = w.db.admin().await;
    let mut stop = stopper.begin().await.unwrap();
    stop.execute(AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))).await.unwrap();
    let meanwhile = async {
        waiting(&mut seen, 1).await;
        let forbids = interlock(&w, host, by);
        tokio::pin!(forbids);
        // It waits for the admission, or is through before it.
        let through = tokio::select! {
            () = &mut forbids => true,
            () = waiting(&mut seen, 2) => false,
        };
        stop.commit().await.unwrap();
        if !through {
            forbids.await;
        }
    };
    let remediate = Remediate::default();
    tokio::join!(w.work(&remediate), meanwhile);
    w.one("SELECT count(*) FROM jobs WHERE state IN ('queued', 'leased', 'permitted')").await
}

#[tokio::test]
async fn an_interlock_between_the_check_and_the_commit_of_an_admission_leaves_nothing_that_could_begin() {
    for table in ["guardrail_admissions", "interlocks", "breakers", "decisions", "jobs", "run_events"] {
        assert_eq!(between(table, By::Product).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_interlock_without_its_buckets_lock_is_caught() {
    assert_eq!(between("decisions", By::Unlocked).await, 1, "the admission has read before, and commits after it");
}
