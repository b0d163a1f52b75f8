//! Relapses, and what was fixed too often.

use domain::detect::reading::Verdict;

use super::world::{Setup, World};

const ROOM: &str = "  client: {runs_per_window: 100, window_secs: 600}\n  host: {runs_per_hour: 100}\n  \
                    host_playbook: {cooldown_secs: 1, per_day: 100}\n";

async fn fixed_after(w: &mut World, secs: i64) {
    let host = w.hosts[0];
    w.pass(secs);
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Ok).await;
}

async fn world() -> World {
    World::new(Setup { limits: ROOM, ..Setup::default() }).await
}

#[tokio::test]
async fn what_breaks_again_soon_after_its_fix_has_relapsed_and_counts_as_bad() {
    let mut w = world().await;
    fixed_after(&mut w, 0).await;
    fixed_after(&mut w, 60).await;
    let relapsed = "SELECT count(*) FROM remediations WHERE relapsed_at IS NOT NULL";
    assert_eq!(w.one::<i64>(relapsed).await, 0);
    fixed_after(&mut w, 20).await;
    assert_eq!(w.one::<i64>(relapsed).await, 1);
    let breakers = "SELECT scope_kind || ' ' || state FROM breakers ORDER BY scope_kind";
    assert!(w.list(breakers).await.is_empty(), "one of two");
    w.pass(20);
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.one::<i64>(relapsed).await, 2);
    assert_eq!(w.list(breakers).await, ["client_playbook_version open", "host open"], "two of three");
}

#[tokio::test]
async fn the_first_fix_of_a_version_that_does_not_last_opens_its_breaker() {
    let mut w = world().await;
    fixed_after(&mut w, 0).await;
    w.pass(20);
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["fixed", "held"]);
    let why = w.one::<String>("SELECT hold_reason FROM runs WHERE state = 'held'").await;
    assert!(why.starts_with("held by breaker: this fix at this client went badly"), "{why}");
}

#[tokio::test]
async fn what_breaks_again_much_later_has_not_relapsed() {
    let mut w = world().await;
    fixed_after(&mut w, 0).await;
    fixed_after(&mut w, 31).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM remediations WHERE relapsed_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn the_fourth_time_in_a_day_is_a_symptom_a_person_is_called_and_nothing_runs() {
    let mut w = world().await;
    for _ in 0..3 {
        fixed_after(&mut w, 3600).await;
    }
    w.pass(3600);
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["fixed", "fixed", "fixed"]);
    let why = w.one::<String>("SELECT escalation_reason FROM incidents WHERE state = 'escalated'").await;
    assert!(why.starts_with("Fixed 3 times in a day and bad again: a symptom."), "{why}");
    assert_eq!(w.record("classify").await["answer"], "symptom");
}
