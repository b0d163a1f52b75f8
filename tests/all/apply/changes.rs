//! What loosens waits for a second person and for its time; what tightens takes effect at once.

use engine::changes::Changes;
use engine::lease::Stage as _;

use super::{Desk, lines};
use crate::stages::groups::with_pool;
use crate::stages::world::{Setup, World, document};

const LIMITS: &str = "  client: {runs_per_window: 2, window_secs: 600, in_flight: 2}\n  host_playbook: {cooldown_secs: 600, per_day: 3}\n";

fn setup(mode: &'static str) -> Setup {
    Setup { mode: Some(mode), limits: LIMITS, bounded: true, ..Setup::default() }
}

/// A yes, as the console stores it; the world has one owner, who stands in for the second person.
async fn confirm(w: &World, after_secs: i64) {
    let mut tx = w.tx().await;
    let now = tx.now().await.unwrap();
    for change in store::changes::list(&mut tx, 10).await.unwrap() {
        if change.state == domain::change::State::Proposed {
            let due = now + jiff::SignedDuration::from_secs(after_secs);
            store::changes::mark_confirmed(&mut tx, change.change_id, ("Second", w.login_id), "", due).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

impl World {
    async fn modes(&mut self) -> Vec<String> {
        let sql = "SELECT v.mode FROM mappings m JOIN mapping_versions v USING (tenant_id, mapping_id, version) ORDER BY m.name";
        self.list(sql).await
    }

    async fn changes(&mut self) -> Vec<String> {
        self.list("SELECT state || ' ' || subject_key FROM proposed_changes ORDER BY proposed_at, change_id").await
    }
}

#[tokio::test]
async fn a_raised_mode_is_named_and_takes_effect_only_confirmed_and_in_its_time() {
    let mut w = World::new(setup("approve")).await;
    let desk = Desk::in_world(&w);
    let file = document(&setup("auto"));
    let raised = desk.apply_by(&file, "OWNER@harbour.example").await;
    let proposed =
        "? mapping \"Shop is started again\": mode: \"approve\" → \"auto\" (proposed; a second person decides)";
    assert_eq!(lines(&raised), [proposed]);
    assert_eq!(w.modes().await, ["approve"]);
    let login = w.login_id;
    assert_eq!(w.one::<uuid::Uuid>("SELECT proposed_login_id FROM proposed_changes").await, login);
    // The same again proposes nothing more, and is said.
    let again = desk.apply(&file).await;
    assert_eq!(lines(&again), [proposed.replace("(proposed", "(waits already")]);
    assert_eq!(w.changes().await.len(), 1);

    w.pass(3600);
    w.work(&Changes).await;
    assert_eq!(w.modes().await, ["approve"], "nobody has confirmed it");
    confirm(&w, 1800).await;
    w.pass(1799);
    w.work(&Changes).await;
    assert_eq!(w.modes().await, ["approve"], "its time has not come");
    w.pass(2);
    w.work(&Changes).await;
    assert_eq!(w.modes().await, ["auto"]);
    assert_eq!(w.one::<String>("SELECT state FROM proposed_changes").await, "applied");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM tenant_audit WHERE action = 'mapping_promoted'").await, 1);
    assert!(desk.plan(&file).await.report.is_empty());
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_stale() {
    let mut w = World::new(setup("approve")).await;
    let desk = Desk::in_world(&w);
    desk.apply(&document(&setup("auto"))).await;
    confirm(&w, 60).await;
    // Another version of the mapping, in the same mode.
    desk.apply(&document(&setup("approve")).replace("stable_secs: 3", "stable_secs: 4")).await;
    w.pass(61);
    w.work(&Changes).await;
    assert_eq!(w.modes().await, ["approve"]);
    assert_eq!(w.one::<String>("SELECT state FROM proposed_changes").await, "stale");
}

#[tokio::test]
async fn what_became_risky_meanwhile_is_not_raised() {
    let mut w = World::new(setup("approve")).await;
    let desk = Desk::in_world(&w);
    desk.apply(&document(&setup("auto"))).await;
    confirm(&w, 60).await;
    w.change("UPDATE playbook_versions SET content = replace(content, '\"risk\":\"L\"', '\"risk\":\"H\"')").await;
    w.pass(61);
    w.work(&Changes).await;
    assert_eq!(w.modes().await, ["approve"]);
    assert_eq!(w.one::<String>("SELECT state FROM proposed_changes").await, "stale");
}

#[tokio::test]
async fn a_proposal_that_nobody_answers_lapses() {
    let mut w = World::new(setup("approve")).await;
    Desk::in_world(&w).apply(&document(&setup("auto"))).await;
    w.pass(7 * 24 * 3600 + 1);
    w.work(&Changes).await;
    assert_eq!(w.one::<String>("SELECT state FROM proposed_changes").await, "lapsed");
}

#[tokio::test]
async fn a_bound_on_damage_is_a_limit_like_any_other() {
    let mut w = World::new(setup("auto")).await;
    let desk = Desk::in_world(&w);
    let file = document(&setup("auto"))
        .replace("in_flight: 2", "in_flight: 2, unproven: 9, bad_per_day: 1, wave: 1, storm: 2");
    assert_eq!(
        lines(&desk.apply(&file).await),
        [
            "? limits: client.unproven: {\"max_unproven\":null} → {\"max_unproven\":9} (proposed; a second person decides)",
            "~ limits: client.bad_per_day: {\"max_bad\":null} → {\"max_bad\":1}",
            "~ limits: client.wave: {\"max_wave\":null} → {\"max_wave\":1}",
            "~ limits: client.storm: {\"max_storm\":null} → {\"max_storm\":2}",
        ]
    );
    let bounds = "SELECT concat_ws(' ', max_unproven, max_bad, max_wave, max_storm) FROM guardrail_buckets WHERE scope_kind = 'client' AND scope_key = '*'";
    assert_eq!(w.one::<String>(bounds).await, "1 1 2");
    confirm(&w, 60).await;
    w.pass(61);
    w.work(&Changes).await;
    assert_eq!(w.one::<String>(bounds).await, "9 1 1 2");
    assert!(desk.plan(&file).await.report.is_empty());
    let exported = desk.export().await;
    assert!(exported.contains("bad_per_day: 1"), "{exported}");
}

#[tokio::test]
async fn loosened_limits_wait_and_tightened_ones_do_not() {
    let mut w = World::new(setup("auto")).await;
    let desk = Desk::in_world(&w);
    let file = document(&setup("auto"))
        .replace(
            "runs_per_window: 2, window_secs: 600, in_flight: 2",
            "runs_per_window: 9, window_secs: 600, in_flight: 1",
        )
        .replace("cooldown_secs: 600", "cooldown_secs: 60");
    let applied = desk.apply(&file).await;
    assert_eq!(
        lines(&applied),
        [
            "? limits: client.runs_per_window: {\"max_per_window\":2,\"window_secs\":600} → {\"max_per_window\":9,\"window_secs\":600} (proposed; a second person decides)",
            "~ limits: client.in_flight: {\"max_in_flight\":2} → {\"max_in_flight\":1}",
            "? limits: host_playbook.cooldown_secs: {\"max_per_window\":1,\"window_secs\":600} → {\"max_per_window\":1,\"window_secs\":60} (proposed; a second person decides)",
        ]
    );
    let client = "SELECT max_per_window * 1000 + max_in_flight FROM guardrail_buckets WHERE scope_kind = 'client' AND scope_key = '*'";
    assert_eq!(w.one::<i32>(client).await, 2001);
    assert_eq!(w.changes().await, ["proposed client/window", "proposed host_playbook/window"]);
    confirm(&w, 60).await;
    w.pass(61);
    w.work(&Changes).await;
    assert_eq!(w.one::<i32>(client).await, 9001);
    assert!(desk.plan(&file).await.report.is_empty());
}

#[tokio::test]
async fn a_demotion_holds_at_once_what_has_no_permit_yet() {
    let mut w = World::new(setup("auto")).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    assert_eq!(w.runs().await, ["admitted"]);
    Desk::in_world(&w).apply(&document(&setup("observe"))).await;
    assert_eq!(w.modes().await, ["observe"]);
    assert_eq!(w.list("SELECT state FROM jobs").await, ["withdrawn"]);
    w.settle().await;
    assert_eq!(w.runs().await, ["observed"], "decided anew, in the new mode");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_run_that_was_planned_beside_a_demotion_is_held_to_it() {
    let mut w = World::new(setup("auto")).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.work(&engine::classify::Classify).await;
    Desk::in_world(&w).apply(&document(&setup("observe"))).await;
    // As if its transaction had read the mapping before the demotion and committed after it.
    w.change("UPDATE runs SET mode = 'auto'").await;
    w.settle().await;
    assert_eq!(w.runs().await, ["observed"]);
}

#[tokio::test]
async fn a_tightened_limit_holds_what_has_no_permit_yet_and_leaves_what_runs() {
    let wide = "  client: {runs_per_window: 10, window_secs: 600}\n";
    let two = || Setup { hosts: 2, limits: wide, ..Setup::default() };
    let mut w = World::new(two()).await;
    let (first, second) = (w.hosts[0], w.hosts[1]);
    for host in [first, second] {
        w.breaks(host).await;
    }
    w.settle().await;
    w.permit(first).await;
    Desk::in_world(&w).apply(&document(&two()).replace("runs_per_window: 10", "runs_per_window: 1")).await;
    w.settle().await;
    let mut runs = w.runs().await;
    runs.sort();
    assert_eq!(runs, ["held", "running"], "one is permitted, and one slot is all there is");
}

#[tokio::test]
async fn a_mapping_that_is_new_in_auto_asks_first_until_it_is_confirmed() {
    let mut w = World::new(Setup { mode: None, ..Setup::default() }).await;
    let desk = Desk::in_world(&w);
    let applied = desk.apply(&document(&Setup::default())).await;
    assert_eq!(lines(&applied)[0], "+ mapping \"Shop is started again\" (approve)");
    assert_eq!(w.modes().await, ["approve"]);
    assert_eq!(w.changes().await.len(), 1);
    // One for a client that this very file makes is set with it.
    let born = document(&Setup::default()).replace("  - name: Alder\n", "  - name: Birch\n  - name: Alder\n")
        + "  - name: Birch's\n    mode: auto\n    when: {client: Birch}\n    ladder: [{playbook: restart-service, parameters: {service: x}}]\n    verify: {settle_secs: 1, stable_secs: 3}\n";
    desk.apply(&born).await;
    assert_eq!(w.modes().await, ["auto", "approve"]);
    assert_eq!(Changes.queue().name(), "changes");
}

#[tokio::test]
async fn a_service_group_holds_at_once_and_is_given_up_by_two_people_only() {
    let setup = || Setup { hosts: 2, ..Setup::default() };
    let mut w = World::new(setup()).await;
    let desk = Desk::in_world(&w);
    let file = with_pool(&setup(), "");
    let made = lines(&desk.apply(&file).await);
    assert!(made.contains(&"+ client \"Alder\": service group \"web pool\"".to_owned()), "{made:?}");
    assert!(desk.plan(&file).await.report.is_empty());
    assert_eq!(w.one::<i64>("SELECT count(*) FROM service_groups WHERE active").await, 1);

    let off = with_pool(&setup(), ", active: false");
    let proposed = lines(&desk.apply(&off).await);
    assert!(proposed.len() == 1 && proposed[0].ends_with("(proposed; a second person decides)"), "{proposed:?}");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM service_groups WHERE active").await, 1, "it holds still");
    confirm(&w, 60).await;
    w.pass(61);
    w.work(&Changes).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM service_groups WHERE active").await, 0);
    assert!(desk.plan(&off).await.report.is_empty());
    // To hold again it needs nobody.
    desk.apply(&file).await;
    assert_eq!(w.one::<i64>("SELECT count(*) FROM service_groups WHERE active").await, 1);
}

#[tokio::test]
async fn tags_that_take_a_host_out_of_a_group_wait_for_a_second_person_too() {
    let setup = || Setup { hosts: 2, ..Setup::default() };
    let mut w = World::new(setup()).await;
    let desk = Desk::in_world(&w);
    let file = with_pool(&setup(), "");
    desk.apply(&file).await;
    const POOLED: &str = "SELECT count(*) FROM hosts WHERE tags @> '{\"pool\": \"web\"}'";
    assert_eq!(w.one::<i64>(POOLED).await, 2, "it comes in at once");
    // What leaves the group alone holds at once, even beside what does not.
    let out = file.replace("{name: h1, tags: {role: web, pool: web}}", "{name: h1, tags: {role: web}}");
    let tagged =
        out.replace("{name: h2, tags: {role: web, pool: web}}", "{name: h2, tags: {role: web, pool: web, tier: a}}");
    let came = lines(&desk.apply(&tagged).await);
    assert!(
        came.iter().any(|line| line.contains("h1") && line.ends_with("(proposed; a second person decides)")),
        "{came:?}"
    );
    assert_eq!(w.one::<i64>(POOLED).await, 2, "it is in it still");
    assert_eq!(w.one::<i64>("SELECT count(*) FROM hosts WHERE tags @> '{\"tier\": \"a\"}'").await, 1);
    assert!(desk.plan(&tagged).await.report.is_empty(), "exactly this waits already");
    confirm(&w, 60).await;
    w.pass(61);
    w.work(&Changes).await;
    assert_eq!(w.one::<i64>(POOLED).await, 1);
    assert_eq!(w.one::<i64>("SELECT count(*) FROM audit WHERE action = 'host.retagged'").await, 1);
    assert!(desk.plan(&tagged).await.report.is_empty());
}

#[tokio::test]
async fn a_member_whom_a_file_limits_is_called_no_more_and_leaves_nothing_behind_that_waits() {
    let mut w = World::new(setup("approve")).await;
    let desk = Desk::in_world(&w);
    let file = |mode: &'static str, kim: &str, notify: &str| {
        let owner = "{name: Owner, email: owner@harbour.example, role: owner, password_env: PASSWORD}";
        let both = format!("{owner}, {{name: Kim, email: kim@harbour.example, {kim}, password_env: PASSWORD}}");
        let notify = format!("notify: [oncall@harbour.example{notify}]");
        document(&setup(mode)).replace(owner, &both).replace("notify: [oncall@harbour.example]", &notify)
    };
    let (admin, limited) = ("role: admin", "role: technician, clients: [Alder]");
    let called = "SELECT count(*) FROM channels WHERE address = 'kim@harbour.example'";
    desk.apply(&file("approve", admin, ", kim@harbour.example")).await;
    // The file names the address itself: it is called, whatever Kim sees.
    desk.apply(&file("approve", limited, ", kim@harbour.example")).await;
    assert_eq!(w.one::<i64>(called).await, 1);
    desk.apply(&file("approve", admin, "")).await;
    assert_eq!(w.one::<i64>(called).await, 1, "what a file does not say stays");

    desk.apply_by(&file("auto", admin, ""), "kim@harbour.example").await;
    w.change(
        "INSERT INTO invitations (tenant_id, invitation_id, email, role, invited_by, invited_at, expires_at, inviter_id)
         SELECT tenant_id, gen_random_uuid(), 'new@harbour.example', 'viewer', 'Kim', clock_timestamp(), '2100-01-01', login_id
           FROM memberships WHERE name = 'Kim'",
    )
    .await;
    assert_eq!(w.list("SELECT state FROM proposed_changes").await, ["proposed"]);
    desk.apply(&file("approve", limited, "")).await;
    assert_eq!(w.one::<i64>(called).await, 0);
    assert_eq!(w.list("SELECT state FROM invitations").await, ["revoked"]);
    let ended = "SELECT state || ': ' || end_reason FROM proposed_changes";
    assert_eq!(w.list(ended).await, ["stale: whoever proposed it may not propose it any more"]);
}
