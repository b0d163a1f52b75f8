//! A file is applied wholly or not at all, and what is wrong with it is said at its line.

use server::seed::{ApplyError, Intent, Options};

use super::{Desk, PEOPLE, plain};
use crate::stages::world::{Setup, World, document};
use crate::support::TestDb;

#[tokio::test]
async fn an_error_at_the_very_end_leaves_nothing_half_applied() {
    let mut w = World::new(Setup::default()).await;
    let mut desk = Desk::in_world(&w);
    let file = document(&Setup::default())
        .replace("  - name: Alder\n", "  - name: Birch\n  - name: Alder\n    sites: [Quay]\n")
        .replace("mode: auto", "mode: observe")
        .replace("title: Start it", "title: Start it again")
        + "limits: {tenant: {in_flight: 1}}\n";
    // The playbook cannot be signed: clients, limits and all else were written by then.
    desk.master = keys::seal::MasterKey::from_bytes([8; 32]);
    let refused = desk.with(&file, &plain()).await.unwrap_err();
    assert!(matches!(refused, ApplyError::Sealed(_)), "{refused:?}");
    for (what, count) in
        [("clients", 1), ("sites", 0), ("mapping_versions", 1), ("tenant_audit WHERE action LIKE 'conf%'", 1)]
    {
        assert_eq!(w.one::<i64>(&format!("SELECT count(*) FROM {what}")).await, count, "{what}");
    }
    assert_eq!(
        w.list("SELECT max_in_flight::text FROM guardrail_buckets WHERE max_in_flight IS NOT NULL").await,
        [""; 0]
    );
}

#[tokio::test]
async fn faults_of_the_file_and_of_what_it_meets_are_told_together_at_their_lines() {
    let w = World::new(Setup::default()).await;
    let desk = Desk::in_world(&w);
    let file = "tenant: {name: Harbour}\n\
        members:\n  - {name: New, email: new@harbour.example, role: viewer}\n\
        clients:\n  - {name: Alder, time_zone: Mars/North, hosts: [{name: h1, site: Quay}]}\n\
        checks:\n  - {name: Shop runs, kind: heartbeat}\n\
        mappings:\n  - name: m\n    mode: auto\n    when: {check: Other}\n    ladder: [{playbook: restart-service, parameters: {service: x, more: 1}}]\n\
        \x20   verify: {settle_secs: 1, stable_secs: 0}\n\
        limits: {host: {runs_per_hour: 0}}\n";
    let expected = [
        "mend.yaml:3:5: members[0]: a new member: say either password or password_env",
        "mend.yaml:5:30: clients[0].time_zone: \"Mars/North\" is no time zone; write one like Europe/Berlin",
        "mend.yaml:5:67: clients[0].hosts[0].site: Alder has no site \"Quay\"",
        "mend.yaml:7:29: checks[0].kind: a check keeps its kind; give the new one another name",
        "mend.yaml:9:5: mappings[0]: verify.stable_secs is 0.5 to 86400",
        "mend.yaml:11:19: mappings[0].when.check: there is no check \"Other\"",
        "mend.yaml:12:73: mappings[0].ladder[0].parameters.more: playbook \"restart-service\" has no such parameter",
        "mend.yaml:14:32: limits.host.runs_per_hour: a limit is a whole number of at least 1",
    ];
    assert_eq!(desk.faults(file).await, expected);
}

#[tokio::test]
async fn a_playbook_of_risk_h_never_comes_to_run_by_itself() {
    let w = World::new(Setup { mode: Some("approve"), ..Setup::default() }).await;
    let desk = Desk::in_world(&w);
    let risky = document(&Setup { mode: Some("auto"), ..Setup::default() }).replace("risk: L", "risk: H");
    let faults = desk.faults(&risky).await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("mappings[0].mode: playbook \"restart-service\" has risk H"), "{faults:?}");
}

#[tokio::test]
async fn an_address_signs_in_to_one_organization_only() {
    let db = TestDb::new().await;
    let desk = Desk::fresh(&db);
    desk.apply(&format!("tenant: {{name: Harbour}}\n{PEOPLE}")).await;
    let second = Options { new_tenant: true, ..plain() };
    let other = format!("tenant: {{name: Other}}\n{}", PEOPLE.replace("owner@harbour", "owner@other"));
    desk.with(&other, &second).await.unwrap();
    let both = other + "  - {name: Sam, email: Owner@Harbour.example, role: viewer, password: a long password}\n";
    let faults = desk.faults(&both).await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("mend.yaml:4:24: members[1].email: Owner@Harbour.example signs in to another"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn a_name_that_no_organization_has_makes_none_beside_others() {
    let db = TestDb::new().await;
    let desk = Desk::fresh(&db);
    let made = desk.apply(&format!("tenant: {{name: Harbour}}\n{PEOPLE}")).await;
    let typo = format!("tenant: {{name: Harbor}}\n{PEOPLE}");
    let refused = desk.with(&typo, &plain()).await.unwrap_err();
    assert!(refused.to_string().contains("no organization \"Harbor\""), "{refused}");
    // Said by its id, it is renamed.
    let renamed = Options { tenant: Some(made.tenant_id.to_string()), ..plain() };
    let renamed = desk.with(&typo, &renamed).await.unwrap();
    assert_eq!(renamed.tenant_id, made.tenant_id);
    assert_eq!(super::lines(&renamed), ["~ organization: name: \"Harbour\" → \"Harbor\""]);
    let nobody = Options { by: Some("x@harbour.example".into()), intent: Intent::Plan, ..plain() };
    assert!(matches!(desk.with(&typo, &nobody).await, Err(ApplyError::Nobody(_))));
}
