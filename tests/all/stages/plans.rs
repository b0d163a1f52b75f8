//! A plan that has room for nothing holds back nothing of a repair, and no call for a person.

use domain::detect::reading::Verdict;
use engine::sweep::Sweep;

use super::world::{Setup, World};

#[tokio::test]
async fn an_organization_far_over_its_plan_is_healed_and_its_people_are_called_as_ever() {
    for (verdict, ends, called) in [(Verdict::Ok, "fixed", 0), (Verdict::Critical, "not_fixed", 1)] {
        let mut w = World::new(Setup::default()).await;
        w.change(
            "INSERT INTO plans (plan, max_hosts, max_checks, max_members, keep_days) VALUES ('nothing', 0, 0, 1, 30)",
        )
        .await;
        w.change("UPDATE tenants SET plan = 'nothing'").await;
        let host = w.hosts[0];
        w.breaks(host).await;
        w.work(&Sweep).await;
        w.settle().await;
        let key = w.permit(host).await;
        w.plays_out(host, &key, verdict).await;
        assert_eq!(w.runs().await, [ends]);
        assert_eq!(w.one::<i64>("SELECT count(*) FROM incidents WHERE escalated_at IS NOT NULL").await, called);
        assert!(w.one::<i64>("SELECT count(*) FROM outbox").await > 0, "a person is told");
    }
}
