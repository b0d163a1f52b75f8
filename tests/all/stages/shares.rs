//! Fair shares inside an organization, and what a heavy fix takes.

use engine::classify::Classify;
use engine::remediate::Remediate;

use super::world::{Setup, World, document};

const FOUR: &str =
    "  tenant: {runs_per_window: 4, window_secs: 600}\n  client: {runs_per_window: 50, window_secs: 600}\n";

async fn admitted_by_client(w: &mut World) -> Vec<String> {
    w.list(
        "SELECT c.name || ' ' || count(*) FROM runs r JOIN clients c USING (client_id)
         WHERE r.state = 'admitted' GROUP BY c.name ORDER BY c.name",
    )
    .await
}

#[tokio::test]
async fn a_window_of_four_and_four_clients_with_three_broken_hosts_each_gives_each_one() {
    let mut w = World::new(Setup { hosts: 3, clients: 4, limits: FOUR, ..Setup::default() }).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    w.work(&Remediate::default()).await;
    assert_eq!(admitted_by_client(&mut w).await, ["Alder 1", "Client 2 1", "Client 3 1", "Client 4 1"]);
}

#[tokio::test]
async fn one_clients_bad_night_takes_half_of_the_window_and_the_decision_says_so() {
    let mut w = World::new(Setup { hosts: 3, clients: 2, limits: FOUR, ..Setup::default() }).await;
    for n in 0..3 {
        w.breaks(w.hosts[n]).await;
    }
    w.work(&Classify).await;
    w.work(&Remediate::default()).await;
    assert_eq!(admitted_by_client(&mut w).await, ["Alder 2"]);
    let held = w.list("SELECT hold_reason FROM runs WHERE state = 'held'").await;
    assert_eq!(held.len(), 1);
    assert!(held[0].starts_with("held: 2 of 2 of this client’s share are used"), "{held:?}");
    // The other one is not made to wait for it.
    w.breaks(w.hosts[3]).await;
    w.work(&Classify).await;
    w.work(&Remediate::default()).await;
    assert_eq!(admitted_by_client(&mut w).await, ["Alder 2", "Client 2 1"]);
}

#[tokio::test]
async fn alone_in_its_organization_a_client_takes_the_whole_window() {
    let mut w = World::new(Setup { hosts: 5, limits: FOUR, ..Setup::default() }).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    w.work(&Remediate::default()).await;
    assert_eq!(admitted_by_client(&mut w).await, ["Alder 4"]);
}

#[tokio::test]
async fn a_heavy_fix_takes_its_weight_in_slots_of_the_shared_windows_or_none() {
    let heavy = |setup: &Setup| document(setup).replace("effect: idempotent\n", "effect: idempotent\n    weight: 3\n");
    let mut w = World::of(Setup { hosts: 2, limits: FOUR, ..Setup::default() }, heavy).await;
    for host in w.hosts.clone() {
        w.breaks(host).await;
    }
    w.work(&Classify).await;
    w.work(&Remediate::default()).await;
    let taken =
        "SELECT scope_kind || ' ' || count(*) FROM guardrail_admissions GROUP BY scope_kind ORDER BY scope_kind";
    assert_eq!(w.list(taken).await, ["client 3", "host 1", "host_playbook 1", "host_playbook_day 1", "tenant 3"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs WHERE state = 'held'").await, 1, "one slot is left, not three");
}
