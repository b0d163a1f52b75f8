//! Service groups: hosts that stand in for each other are fixed one after the other.

use engine::classify::Classify;
use engine::remediate::Remediate;
use wire::v1::Ended;

use domain::detect::reading::Verdict;

use super::world::{Setup, World, document};

/// What lets three hosts be fixed at once, if no group says otherwise.
const WIDE: &str =
    "  tenant: {runs_per_window: 50, window_secs: 600}\n  client: {runs_per_window: 50, window_secs: 600}\n";

fn setup() -> Setup {
    Setup { hosts: 3, limits: WIDE, ..Setup::default() }
}

/// The world's file, in which Alder's first hosts are a pool; the third one carries the tag of none.
pub fn with_pool(setup: &Setup, more: &str) -> String {
    let pool = format!("  - name: Alder\n    service_groups: [{{name: web pool, tags: {{pool: web}}{more}}}]\n");
    let tagged = |n: usize| format!("      - {{name: h{n}, tags: {{role: web, pool: web}}}}");
    let plain = |n: usize| format!("      - {{name: h{n}, tags: {{role: web}}}}");
    let of_one_client = document(setup).replace("  - name: Alder\n", &pool);
    of_one_client.replace(&plain(1), &tagged(1)).replace(&plain(2), &tagged(2))
}

/// The world, with its first two hosts in the pool.
async fn world(setup: Setup, more: &str) -> World {
    let mut w = World::of(setup, |setup| with_pool(setup, more)).await;
    let pooled = "UPDATE hosts SET tags = '{\"role\": \"web\", \"pool\": \"web\"}' WHERE name IN ('h1', 'h2')";
    w.change(pooled).await;
    w
}

async fn all_break(w: &mut World) {
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    w.work(&Remediate::default()).await;
}

const STATES: &str = "SELECT h.name || ' ' || r.state FROM runs r JOIN hosts h USING (host_id) ORDER BY h.name";

#[tokio::test]
async fn of_two_that_stand_in_for_each_other_one_is_fixed_and_the_other_waits_until_it_is_verified() {
    let mut w = world(setup(), "").await;
    all_break(&mut w).await;
    let states = w.list(STATES).await;
    let of_pool: Vec<&str> = states[..2].iter().filter_map(|state| state.split(' ').nth(1)).collect();
    assert!(of_pool == ["admitted", "held"] || of_pool == ["held", "admitted"], "{states:?}");
    assert_eq!(states[2], "h3 admitted", "it is in no pool");
    let why = w.list("SELECT hold_reason FROM runs WHERE state = 'held'").await;
    assert_eq!(
        why,
        [
            "held: 1 of 1 at once in its service group (“web pool”: rule for 2 hosts in the group, halved in the first week)"
        ]
    );

    let first = if of_pool[0] == "admitted" { w.hosts[0] } else { w.hosts[1] };
    let key = w.permit(first).await;
    w.ends(&key, Ended::Exited { code: 0 }).await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs WHERE state = 'held'").await, 1, "it is not verified yet");
    for _ in 0..2 {
        w.pass(4);
        w.settle().await;
        w.answers(first, Verdict::Ok).await;
        w.settle().await;
    }
    assert!(w.runs().await.contains(&"fixed".to_owned()));
    w.work(&Remediate::default()).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs WHERE state = 'held'").await, 0);
    let taken = "SELECT count(*)::text FROM guardrail_admissions WHERE scope_kind = 'service_group'";
    assert_eq!(w.list(taken).await, ["2"]);
}

#[tokio::test]
async fn a_group_of_one_service_leaves_fixes_of_others_alone() {
    let mut w = world(setup(), ", targets: [till]").await;
    all_break(&mut w).await;
    assert_eq!(w.list(STATES).await, ["h1 admitted", "h2 admitted", "h3 admitted"]);
}

#[tokio::test]
async fn two_workers_at_once_let_one_of_a_pool_through() {
    let mut w = world(Setup { connections: 8, ..setup() }, "").await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    let one_by_one = Remediate { batch: 1 };
    tokio::join!(w.work(&one_by_one), w.work(&one_by_one), w.work(&one_by_one));
    let open = "SELECT count(*) FROM guardrail_admissions WHERE scope_kind = 'service_group' AND released_at IS NULL";
    assert_eq!(w.one::<i64>(open).await, 1);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs WHERE state = 'admitted'").await, 2);
}
