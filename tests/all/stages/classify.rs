//! Stage classify.

use engine::classify::Classify;

use super::world::{Setup, World};

#[tokio::test]
async fn a_raised_signal_becomes_one_alert_one_incident_and_one_planned_run() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.work(&Classify).await;
    assert_eq!(w.list("SELECT title FROM incidents").await, ["shop stopped on h1"]);
    assert_eq!(w.list("SELECT state FROM alerts").await, ["open"]);
    assert_eq!(w.runs().await, ["planned"]);
    let record = w.record("classify").await;
    assert_eq!((record["answer"].as_str(), record["matched"]["version"].as_i64()), (Some("mapped"), Some(1)));

    w.breaks(host).await;
    w.work(&Classify).await;
    assert_eq!(w.record("classify").await["answer"], "deduplicated");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM incidents").await, 1);
    assert_eq!(w.runs().await, ["planned"], "the same problem plans no second run");
}

#[tokio::test]
async fn what_nobody_mapped_calls_a_person_and_touches_nothing() {
    let mut w = World::new(Setup { mode: None, ..Setup::default() }).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    assert_eq!(w.record("classify").await["answer"], "unmapped");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs").await, 0);
    assert_eq!(w.list("SELECT kind FROM outbox").await, ["needs_you"]);
}

#[tokio::test]
async fn a_mapping_whose_playbook_is_missing_says_so_and_calls_a_person() {
    let mut w = World::new(Setup::default()).await;
    let other = "UPDATE mapping_versions SET definition = jsonb_set(definition, '{ladder,0,playbook}', '\"no-such\"') #- '{ladder,0,digest}'";
    w.change(other).await;
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    let record = w.record("classify").await;
    assert_eq!(record["answer"], "playbook_missing");
    assert_eq!(record["sentence"], "The mapping names the playbook no-such, which does not exist.");
    assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM runs").await, 0);
}

#[tokio::test]
async fn what_clears_before_anything_ran_has_recovered_by_itself() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.work(&Classify).await;
    w.recovers(host).await;
    w.work(&Classify).await;
    assert_eq!(w.runs().await, ["cancelled"]);
    assert_eq!(w.list("SELECT close_cause FROM alerts").await, ["recovered"]);
    assert_eq!(w.list("SELECT outcome FROM incidents").await, ["recovered"]);
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["cancelled"]);
}

#[tokio::test]
async fn what_clears_while_its_fix_runs_is_left_to_the_verdict() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    w.permit(host).await;
    w.recovers(host).await;
    w.work(&Classify).await;
    assert_eq!(w.record("classify").await["answer"], "left_to_verdict");
    assert_eq!(w.list("SELECT state FROM alerts").await, ["open"]);
    assert_eq!(w.runs().await, ["running"]);
}

#[tokio::test]
async fn a_signal_that_fails_three_times_is_parked_with_an_incident_and_stops_no_other() {
    let mut w = World::new(Setup { hosts: 2, ..Setup::default() }).await;
    let (bad, good) = (w.hosts[0], w.hosts[1]);
    w.breaks(bad).await;
    // Something that no try mends, and that concerns this host alone.
    w.change(&format!("ALTER TABLE alerts ADD CONSTRAINT broken CHECK (host_id <> '{}')", bad.host_id)).await;
    w.breaks(good).await;
    for _ in 0..4 {
        w.work(&Classify).await;
        w.pass(60);
    }
    assert_eq!(w.list("SELECT count(*)::text FROM alerts").await, ["1"], "the other host's alert is there");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM signals WHERE parked_reason IS NOT NULL").await, 1);
    let titles = w.list("SELECT title FROM incidents WHERE state = 'escalated'").await;
    assert_eq!(titles, ["A problem of shop could not be handled"]);
}

#[tokio::test]
async fn an_open_alert_gets_worse_and_never_milder() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.change("UPDATE signals SET severity = 'warning'").await;
    w.work(&Classify).await;
    assert_eq!(w.list("SELECT severity FROM incidents").await, ["warning"]);
    w.breaks(host).await;
    w.work(&Classify).await;
    assert_eq!(w.list("SELECT severity FROM incidents").await, ["critical"]);
    w.breaks(host).await;
    w.change("UPDATE signals SET severity = 'warning' WHERE done_at IS NULL").await;
    w.work(&Classify).await;
    assert_eq!(
        w.list("SELECT severity FROM alerts UNION ALL SELECT severity FROM incidents").await,
        ["critical", "critical"]
    );
}
