//! The storm of the whole platform: what organizations leave as signs, and what it holds while it is on.

use domain::detect::reading::Verdict;
use domain::remediate::platform_storm::Change;
use engine::remediate::Remediate;
use engine::sweep::Sweep;
use jiff::SignedDuration;
use store::platform::{Did, storm};
use store::{Origin, StoreError};

use super::world::{Setup, World};

const HELD: &str = "SELECT count(*) FROM runs WHERE state = 'held'";
const REASONS: &str = "SELECT DISTINCT hold_reason FROM runs WHERE state = 'held'";
const SIGNS: &str = "SELECT sign FROM platform_signs ORDER BY sign, at";
const WIDE: &str = "  tenant: {runs_per_window: 50, window_secs: 600}\n  client: {runs_per_window: 50, window_secs: 600, in_flight: 50, unproven: 50, bad_per_day: 50, wave: 50}\n";

/// Two hosts of a client, with room in every limit.
async fn world() -> World {
    World::new(Setup { hosts: 2, limits: WIDE, ..Setup::default() }).await
}

fn operator() -> Did {
    Did { actor: "operator ops@mend.example".to_owned(), origin: Origin::default() }
}

impl World {
    /// So many other organizations have had this sign just now.
    async fn others_have(&mut self, sign: &str, n: u32) {
        let now = self.tx().await.now().await.unwrap();
        for id in 1..=n {
            let id = uuid::Uuid::from_u128(id.into());
            let made = format!(
                "INSERT INTO tenants (tenant_id, name, state, created_at) VALUES ('{id}', 'Other', 'active', '{now}') ON CONFLICT DO NOTHING"
            );
            self.change(&made).await;
            self.change(&format!("INSERT INTO platform_signs VALUES ('{id}', '{sign}', '{now}')")).await;
        }
    }

    async fn look(&self) -> Change {
        engine::platform::look(&self.store).await.unwrap()
    }
}

#[tokio::test]
async fn a_fix_that_begins_and_one_that_goes_badly_leave_a_sign_each_and_no_more_in_a_while() {
    let mut w = world().await;
    let hosts = w.hosts.clone();
    w.breaks(hosts[0]).await;
    w.breaks(hosts[1]).await;
    w.settle().await;
    assert_eq!(w.list(SIGNS).await, ["began"], "two of one organization within half a minute are one");
    let fix = w.permit(hosts[0]).await;
    w.plays_out(hosts[0], &fix, Verdict::Critical).await;
    assert_eq!(w.list(SIGNS).await, ["bad", "began"]);
    w.others_have("bad", 1).await;
    assert_eq!(w.look().await, Change::Stays, "two organizations are no storm");
    w.pass(31);
    w.others_have("bad", 1).await;
    assert_eq!(w.list(SIGNS).await, ["bad", "bad", "bad", "began"]);
    assert_eq!(w.look().await, Change::Stays, "an organization counts once");
}

#[tokio::test]
async fn fixes_that_go_badly_at_three_organizations_hold_those_of_all_until_it_was_quiet_and_one_person_is_told() {
    let mut w = world().await;
    let hosts = w.hosts.clone();
    w.others_have("bad", 3).await;
    assert!(matches!(w.look().await, Change::Begins { .. }));
    assert_eq!(w.look().await, Change::Stays, "once");
    let audit =
        "SELECT detail ->> 'reason' FROM platform_audit WHERE action = 'platform.storm_began' AND actor = 'the rule'";
    assert_eq!(w.list(audit).await, ["fixes went badly in 3 of 4 organizations within 5 min (limit 3)"]);

    w.breaks(hosts[0]).await;
    w.breaks(hosts[1]).await;
    w.settle().await;
    assert_eq!(w.one::<i64>(HELD).await, 2);
    let reasons = w.list(REASONS).await;
    assert!(reasons[0].starts_with("held: storm on the whole platform, "), "{reasons:?}");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM outbox WHERE kind = 'held'").await, 1, "one cause, one call");
    let own = "SELECT count(*) FROM platform_signs WHERE sign <> 'bad'";
    assert_eq!(w.one::<i64>(own).await, 0, "what follows from it is no sign of another");

    // It ends by the clock, whether or not a loop was there.
    w.pass(590);
    w.settle().await;
    assert_eq!(w.one::<i64>(HELD).await, 2);
    w.pass(11);
    w.settle().await;
    assert_eq!(w.one::<i64>(HELD).await, 0, "{:?}", w.list(REASONS).await);
    assert_eq!(w.look().await, Change::Ends);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM platform_state WHERE storm").await, 0);
}

#[tokio::test]
async fn an_operator_holds_what_has_no_permit_and_lets_it_go_on_at_once() {
    let mut w = world().await;
    let hosts = w.hosts.clone();
    w.breaks(hosts[0]).await;
    w.breaks(hosts[1]).await;
    w.settle().await;
    let running = w.permit(hosts[0]).await;
    storm::set_storm(&w.store, SignedDuration::from_hours(4), "a bad release", &operator()).await.unwrap();
    w.work(&Sweep).await;
    assert_eq!(w.runs().await, ["running", "held"], "what has no permit is taken back, what runs goes on");
    w.work(&Remediate::default()).await;
    assert!(
        w.list(REASONS).await[0].starts_with("held: storm on the whole platform, 240:"),
        "{:?}",
        w.list(REASONS).await
    );
    w.plays_out(hosts[0], &running, Verdict::Ok).await;
    assert_eq!(w.runs().await, ["fixed", "held"], "a result is never held back");

    w.pass(60);
    assert!(storm::end_storm(&w.store, "it is back", &operator()).await.unwrap());
    w.work(&Sweep).await;
    w.work(&Remediate::default()).await;
    assert_eq!(w.runs().await, ["fixed", "admitted"], "three hours before its time");
    assert!(!storm::end_storm(&w.store, "again", &operator()).await.unwrap());
}

#[tokio::test]
async fn what_an_operator_has_looked_at_makes_no_storm_again_and_an_old_sign_goes() {
    let mut w = World::new(Setup::default()).await;
    w.others_have("storm", 3).await;
    assert!(matches!(w.look().await, Change::Begins { .. }));
    w.pass(30);
    assert!(storm::end_storm(&w.store, "a router of ours", &operator()).await.unwrap());
    assert_eq!(w.look().await, Change::Stays);
    w.pass(30);
    w.others_have("storm", 3).await;
    assert!(matches!(w.look().await, Change::Begins { .. }), "what comes after counts");
    w.pass(16 * 60);
    assert_eq!(w.look().await, Change::Ends);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM platform_signs").await, 0);
}

#[tokio::test]
async fn two_nodes_that_see_a_storm_write_one_and_what_an_operator_set_is_not_shortened() {
    let mut w = World::new(Setup::default()).await;
    w.others_have("bad", 3).await;
    let (first, second) = (storm::look(&w.store).await.unwrap(), storm::look(&w.node()).await.unwrap());
    let begins = Change::Begins { ends_at: first.now + SignedDuration::from_mins(10), why: "x".to_owned() };
    assert!(storm::save(&w.store, &first, &begins).await.unwrap());
    assert!(!storm::save(&w.node(), &second, &begins).await.unwrap());
    assert_eq!(w.one::<i64>("SELECT count(*) FROM platform_audit").await, 1);
    storm::set_storm(&w.store, SignedDuration::from_hours(12), "looking", &operator()).await.unwrap();
    assert_eq!(w.look().await, Change::Stays);
    let left =
        "SELECT extract(hour FROM storm_ends_at - storm_since)::bigint FROM platform_state WHERE storm_kind = 'set'";
    assert!(w.one::<i64>(left).await >= 11);
}

#[tokio::test]
async fn a_storm_of_the_platform_stops_no_undo() -> Result<(), StoreError> {
    let mut w = World::new(Setup { undo: true, neighbour: true, ..Setup::default() }).await;
    let host = w.hosts[0];
    w.till(host, Verdict::Ok).await;
    w.breaks(host).await;
    w.settle().await;
    let fix = w.permit(host).await;
    storm::set_storm(&w.store, SignedDuration::from_hours(1), "looking", &operator()).await?;
    w.plays_out(host, &fix, Verdict::Critical).await;
    w.work(&Sweep).await;
    assert_eq!(w.runs().await, ["undoing"]);
    assert_eq!(w.list("SELECT purpose FROM jobs WHERE state = 'queued'").await, ["undo"]);
    Ok(())
}
