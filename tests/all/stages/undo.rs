//! Declared undos: once, under a budget of their own, verified; and never on a guess.

use domain::detect::reading::Verdict;
use engine::lease::Stage as _;
use engine::remediate::Remediate;
use engine::verify::Verify;
use sqlx::Executor as _;
use store::remediate::hands_off;
use store::remediate::jobs::JobKey;
use wire::v1::Ended;

use super::world::{Host, Setup, World};

const ROOM: &str = "  client: {runs_per_window: 10, window_secs: 600}\n  host: {runs_per_hour: 10}\n";
const JOBS: &str = "SELECT purpose || ' ' || state FROM jobs ORDER BY purpose";
const WHY: &str = "SELECT escalation_reason FROM incidents";

async fn broken(setup: Setup) -> (World, Host, JobKey) {
    let mut w = World::new(Setup { undo: true, neighbour: true, limits: ROOM, ..setup }).await;
    let host = w.hosts[0];
    w.till(host, Verdict::Ok).await;
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    (w, host, key)
}

#[tokio::test]
async fn not_fixed_is_undone_once_verified_and_then_a_person_is_called() {
    let (mut w, host, fix) = broken(Setup::default()).await;
    w.plays_out(host, &fix, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["undoing"]);
    assert_eq!(w.list(JOBS).await, ["fix finished", "undo queued"]);
    assert_eq!(w.list("SELECT state FROM incidents").await, ["open"], "nobody is called before it is known");
    let undo = w.permit(host).await;
    assert_eq!((undo.purpose.as_str(), undo.run_id), ("undo", fix.run_id));
    w.plays_out(host, &undo, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["undone"]);
    assert_eq!(
        w.one::<String>(WHY).await,
        "The fix ran and did not help; it was undone, and what was ok before it is ok."
    );
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["not_fixed"]);
    assert_eq!(w.list(JOBS).await, ["fix finished", "undo finished"], "one undo a run");
    let slots = "SELECT scope_kind FROM guardrail_admissions ORDER BY scope_kind";
    assert!(w.list(slots).await.contains(&"undo".to_owned()));
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);
    let record = w.record("verify").await;
    assert_eq!((&record["undone"], &record["neighbours"][0]["after"]), (&true.into(), &"ok".into()));
}

#[tokio::test]
async fn the_next_rung_waits_for_the_undo_of_the_one_before() {
    let (mut w, host, fix) = broken(Setup { rungs: 2, ..Setup::default() }).await;
    w.plays_out(host, &fix, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["undoing"]);
    let undo = w.permit(host).await;
    w.plays_out(host, &undo, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["undone", "admitted"]);
    let second = w.permit(host).await;
    w.plays_out(host, &second, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["undone", "fixed"]);
}

#[tokio::test]
async fn made_worse_is_undone_and_the_ladder_ends() {
    let (mut w, host, fix) = broken(Setup { rungs: 2, ..Setup::default() }).await;
    w.plays_out_beside(host, &fix, Verdict::Ok, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["undoing"]);
    let undo = w.permit(host).await;
    w.plays_out(host, &undo, Verdict::Critical).await;
    assert_eq!(w.runs().await, ["undone"]);
    let why = w.one::<String>(WHY).await;
    assert!(why.starts_with("The fix made another check critical; it was undone"), "{why}");
    assert_eq!(w.list("SELECT outcome FROM remediations").await, ["made_worse"]);
}

#[tokio::test]
async fn what_cannot_be_told_is_not_undone() {
    let (mut w, host, fix) = broken(Setup::default()).await;
    w.plays_out(host, &fix, Verdict::NoData).await;
    assert_eq!(w.runs().await, ["cannot_tell"]);
    assert_eq!(w.list(JOBS).await, ["fix finished"]);
}

#[tokio::test]
async fn an_undo_that_does_not_bring_back_what_was_ok_or_fails_itself_has_failed() {
    for (beside, code) in [(Verdict::Critical, 0), (Verdict::NoData, 0), (Verdict::Ok, 1)] {
        let (mut w, host, fix) = broken(Setup { rungs: 2, ..Setup::default() }).await;
        w.plays_out_beside(host, &fix, Verdict::Ok, Verdict::Critical).await;
        let undo = w.permit(host).await;
        w.ends_and_looks(host, &undo, Ended::Exited { code }, Verdict::Critical, beside).await;
        assert_eq!(w.runs().await, ["undo_failed"], "{beside:?} {code}");
        let why = w.one::<String>(WHY).await;
        assert_eq!(
            why,
            "The fix made something worse, and its undo failed: not all that was ok before the fix is ok again."
        );
        assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);
    }
}

#[tokio::test]
async fn what_stops_fixes_stops_an_undo_and_a_person_takes_over() {
    let (mut w, host, fix) = broken(Setup::default()).await;
    w.ends(&fix, Ended::Exited { code: 0 }).await;
    w.change("UPDATE guardrail_buckets SET frozen = true WHERE scope_kind = 'tenant' AND scope_key <> '*'").await;
    for _ in 0..2 {
        w.pass(4);
        w.settle().await;
        w.answers(host, Verdict::Critical).await;
        w.settle().await;
    }
    assert_eq!(w.runs().await, ["undo_failed"]);
    assert_eq!(w.list(JOBS).await, ["fix finished"]);
}

#[tokio::test]
async fn an_undo_nobody_knows_of_or_nobody_asked_for_has_failed_and_is_not_tried_again() {
    for doubt in [true, false] {
        let (mut w, host, fix) = broken(Setup::default()).await;
        w.plays_out(host, &fix, Verdict::Critical).await;
        if doubt {
            let undo = w.permit(host).await;
            w.ends(&undo, Ended::InDoubt { step: 1, runner_gone: true }).await;
        } else {
            w.pass(16 * 60);
        }
        w.settle().await;
        w.pass(60);
        w.settle().await;
        assert_eq!(w.runs().await, ["undo_failed"]);
        assert_eq!(w.one::<i64>("SELECT count(*) FROM jobs WHERE purpose = 'undo'").await, 1);
        assert_eq!(w.list("SELECT state FROM incidents").await, ["escalated"]);
    }
}

#[tokio::test]
async fn hands_off_before_its_permit_ends_an_undo() {
    let (mut w, host, fix) = broken(Setup::default()).await;
    w.plays_out(host, &fix, Verdict::Critical).await;
    let mut tx = w.tx().await;
    hands_off::insert(&mut tx, host.whose(), 1, "moving it", "Owner").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.runs().await, ["undo_failed"]);
    assert_eq!(w.list(JOBS).await, ["fix finished", "undo withdrawn"]);
    assert_eq!(w.one::<String>(WHY).await, "The fix did not help, and its undo failed: hands off.");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_want_the_same_undo_decide_on_it_once() {
    let (mut w, host, fix) = broken(Setup::default()).await;
    // The fix is judged not fixed, and nobody has decided on its undo yet.
    w.ends(&fix, Ended::Exited { code: 0 }).await;
    w.pass(4);
    w.work(&Verify).await;
    // Its own check is bad, so the others are asked too.
    for _ in 0..2 {
        w.answers_of(host, |target| if target == "shop" { Verdict::Critical } else { Verdict::Ok }).await;
        w.work(&Verify).await;
    }
    assert_eq!((w.runs().await, w.list(JOBS).await), (vec!["undoing".into()], vec!["fix finished".into()]));

    let mut first = w.db.admin().await;
    first.execute("BEGIN").await.unwrap();
    first
        .execute("SELECT 1 FROM guardrail_buckets WHERE scope_kind = 'tenant' AND scope_key <> '*' FOR UPDATE")
        .await
        .unwrap();
    let workers = [w.node(), w.node()].map(|store| {
        let login_id = w.login_id;
        tokio::spawn(async move {
            let scope = store::auth::by_login(&store, login_id).await.unwrap().unwrap().scope;
            Remediate::default().work(&store, &scope).await.unwrap();
        })
    });
    w.until_waiting(2).await;
    first.execute("COMMIT").await.unwrap();
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(w.runs().await, ["undoing"]);
    assert_eq!(w.list(JOBS).await, ["fix finished", "undo queued"]);
}
