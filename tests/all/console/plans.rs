//! Plans: what is new is refused when a plan is full, with a sentence; what an organization uses, and for whom.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use domain::quota::Counted;
use jiff::SignedDuration;
use server::cli::{OwnerArgs, PlanCommand, Platform};
use store::quotas;
use uuid::Uuid;

use super::Console;
use crate::support::workspace;

async fn plan(console: &Console, command: impl FnOnce(OwnerArgs) -> PlanCommand) -> anyhow::Result<()> {
    let at = OwnerArgs { database_owner_url: Some(console.db.owner_url()), data: None };
    server::platform::run(Platform::Plan(command(at))).await
}

async fn set(console: &Console, hosts: u32, checks: u32, members: u32) {
    let numbers = |at| PlanCommand::Set {
        name: "small".to_owned(),
        hosts: Some(hosts),
        checks: Some(checks),
        members: Some(members),
        keep_days: Some(30),
        reports: Some(120),
        at,
    };
    plan(console, numbers).await.unwrap();
}

fn give(tenant: &str, plan: &str, at: OwnerArgs) -> PlanCommand {
    PlanCommand::Give { tenant: tenant.to_owned(), plan: plan.to_owned(), at }
}

#[tokio::test]
async fn a_full_plan_refuses_what_is_new_and_says_the_limit_and_the_way_out() {
    let mut console = Console::new().await;
    console.proposed().await;
    assert!(plan(&console, |at| give("Ours", "small", at)).await.is_err(), "there is no such plan yet");
    // One host, one check; three members, a service account and one who is invited.
    set(&console, 1, 1, 5).await;
    plan(&console, |at| give("Ours", "small", at)).await.unwrap();
    plan(&console, PlanCommand::List).await.unwrap();
    assert_eq!(console.count("tenant_audit WHERE action = 'organization.plan'").await, 1);

    let owner = console.member("owner@ours.example").await;
    let invite = "&email=new%40ours2.example&role=viewer&sees=all";
    let (status, _, page) = console.ask(&owner, "POST", "/settings/people", invite).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("The plan small has room for 5 members, and 5 are there") && page.contains("operator"),
        "{page}"
    );
    let watch = format!("/hosts/{}/watch", console.ours.host);
    let (status, _, page) = console.ask(&owner, "POST", &watch, "&service=shop-web").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("has room for 1 checks, and 1 are there"));
    let mut tx = console.tx().await;
    let full = quotas::find_room(&mut tx, Counted::Hosts, 1).await.unwrap().unwrap_err();
    assert!(full.contains("has room for 1 hosts"), "{full}");
    tx.rollback().await.unwrap();

    // The neighbour has no such plan, and a larger one lets both in.
    let theirs = console.member("owner@theirs.example").await;
    assert_eq!(console.ask(&theirs, "POST", "/settings/people", invite).await.0, StatusCode::SEE_OTHER);
    set(&console, 1, 2, 6).await;
    assert_eq!(console.ask(&owner, "POST", &watch, "&service=shop-web").await.0, StatusCode::SEE_OTHER);
    let again = "&email=newer%40ours2.example&role=viewer&sees=all";
    assert_eq!(console.ask(&owner, "POST", "/settings/people", again).await.0, StatusCode::SEE_OTHER);
    // A smaller one takes nothing away.
    set(&console, 0, 0, 1).await;
    assert_eq!(console.get("/", &owner.cookie).await.0, StatusCode::OK);
    let (_, _, page) = console.get("/settings/usage", &owner.cookie).await;
    assert!(page.contains("6 of 1") && page.contains("1 of 0") && page.contains("kept for 30 days"), "{page}");
    assert!(page.contains("120 a minute") && !page.contains("not kept this month"), "{page}");
    // The platform counts as the plan does: service accounts and whom an invitation waits for have their places.
    let standings = store::platform::list_standings(&console.store, None, 50).await.unwrap();
    let stands = standings.iter().find(|stands| stands.tenant_id == console.ours.tenant).unwrap();
    assert_eq!((stands.members, stands.hosts), (6, 1));
    console.sides_are_as_listed().await;
}

#[tokio::test]
async fn a_client_that_is_restored_brings_no_more_hosts_than_there_is_room_for() {
    let mut console = Console::new().await;
    set(&console, 1, 10, 10).await;
    plan(&console, |at| give("Ours", "small", at)).await.unwrap();
    let owner = console.member("owner@ours.example").await;
    let (tenant, client, other) = (console.ours.tenant, console.ours.client, Uuid::from_u128(77));
    let of = |what: &str| format!("/clients/{client}/{what}");
    assert_eq!(console.ask(&owner, "POST", &of("archive"), "").await.0, StatusCode::SEE_OTHER);
    console.execute(format!(
        "INSERT INTO clients (tenant_id, client_id, name, created_at) VALUES ('{tenant}', '{other}', 'Other client', clock_timestamp());
         INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
           VALUES ('{tenant}', '{other}', '{other}', 'other-host', uuid_send('{other}'), 'trusted', clock_timestamp())"
    ))
    .await;
    let archived = format!("clients WHERE client_id = '{client}' AND archived_at IS NOT NULL");
    let (status, _, page) = console.ask(&owner, "POST", &of("restore"), "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("has room for 1 hosts, and 1 are there"), "{page}");
    assert_eq!(console.count(&archived).await, 1);
    set(&console, 2, 10, 10).await;
    // Whoever sees this client alone cannot see how full the plan is.
    console
        .execute(format!(
            "UPDATE memberships SET role = 'admin', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'viewer'"
        ))
        .await;
    let limited = console.member("viewer@ours.example").await;
    let (status, _, page) = console.ask(&limited, "POST", &of("restore"), "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("somebody who sees all of them"), "{page}");
    assert_eq!(console.count(&archived).await, 1);
    assert_eq!(console.ask(&owner, "POST", &of("restore"), "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count(&archived).await, 0);
}

#[tokio::test]
async fn of_many_who_ask_for_the_last_place_at_once_one_gets_it() {
    let console = Console::new().await;
    set(&console, 10, 10, 4).await;
    plan(&console, |at| give("Ours", "small", at)).await.unwrap();
    let owner = console.member("owner@ours.example").await;
    let asking = (0..6).map(|n| {
        let (console, owner) = (&console, &owner);
        async move {
            let form = format!("&email=new-{n}%40ours2.example&role=viewer&sees=all");
            console.ask(owner, "POST", "/settings/people", &form).await.0
        }
    });
    let answers = futures_util::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::SEE_OTHER).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn each_day_counts_a_clients_most_hosts_and_the_months_are_a_table_without_formulas() {
    let mut console = Console::new().await;
    let (tenant, client) = (console.ours.tenant, console.ours.client);
    console.execute(format!("UPDATE clients SET name = '=cmd|x' WHERE client_id = '{client}'")).await;
    let note = async |console: &Console| {
        let mut tx = console.tx().await;
        quotas::note_today(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    note(&console).await;
    console
        .execute(format!(
            "INSERT INTO hosts (tenant_id, client_id, host_id, name, public_key, state, enrolled_at)
               SELECT '{tenant}', '{client}', gen_random_uuid(), 'more-' || n, uuid_send(gen_random_uuid()), 'trusted', clock_timestamp() FROM generate_series(1, 3) n"
        ))
        .await;
    note(&console).await;
    // Fewer later that day takes nothing off it; the next day begins anew.
    console.execute("UPDATE hosts SET state = 'retired' WHERE name LIKE 'more-%'".to_owned()).await;
    note(&console).await;
    assert_eq!(console.count(&format!("usage_days WHERE client_id = '{client}' AND hosts = 4")).await, 1);
    console.clock.advance(SignedDuration::from_hours(24));
    note(&console).await;
    assert_eq!(console.count(&format!("usage_days WHERE client_id = '{client}' AND hosts = 1")).await, 1);

    let owner = console.member("owner@ours.example").await;
    let (status, headers, csv) = console.get("/settings/usage/months.csv", &owner.cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    assert!(csv.contains(",\"'=cmd|x\",") && !csv.contains("Theirs"), "{csv}");
    let sum: u32 = csv.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().1.parse::<u32>().unwrap()).sum();
    assert_eq!(sum, 5, "host-days of both days");
    let sam = console.member("sam@ours.example").await;
    assert_eq!(console.get("/settings/usage", &sam.cookie).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_a_plan_keeps_no_longer_goes_and_what_others_keep_stays() {
    let mut console = Console::new().await;
    set(&console, 10, 10, 10).await;
    plan(&console, |at| give("Ours", "small", at)).await.unwrap();
    server::upkeep::pass(&console.store).await;
    let run = Uuid::from_u128(7);
    for (tenant, client) in [(console.ours.tenant, console.ours.client), (console.theirs.tenant, console.theirs.client)]
    {
        console
            .execute(format!(
                "INSERT INTO run_output (tenant_id, client_id, run_id, purpose, leg, attempt, byte_offset, at, bytes)
                   SELECT '{tenant}', '{client}', '{run}', 'fix', 1, 1, n, date_trunc('day', clock_timestamp()) + n * interval '1 hour', '\\x01' FROM generate_series(1, 30) n"
            ))
            .await;
    }
    let ours = format!("run_output WHERE tenant_id = '{}'", console.ours.tenant);
    let theirs = format!("run_output WHERE tenant_id = '{}'", console.theirs.tenant);
    console.clock.advance(SignedDuration::from_hours(24 * 29));
    server::upkeep::pass(&console.store).await;
    assert_eq!((console.count(&ours).await, console.count(&theirs).await), (30, 30));
    console.clock.advance(SignedDuration::from_hours(24 * 2));
    server::upkeep::pass(&console.store).await;
    assert_eq!((console.count(&ours).await, console.count(&theirs).await), (7, 30), "the first day of ours is too old");
    // Once nobody keeps a day, it goes for all as a partition.
    plan(&console, |at| give("Theirs", "small", at)).await.unwrap();
    console.clock.advance(SignedDuration::from_hours(24 * 3));
    server::upkeep::pass(&console.store).await;
    assert_eq!((console.count(&ours).await, console.count(&theirs).await), (0, 0));
}

/// A limit is asked for where something is added, and nowhere on the way of an alert, a fix, a result or a call.
#[test]
fn nothing_asks_for_room_but_what_adds_a_host_a_check_or_a_member_or_brings_hosts_back() {
    let mut asking = BTreeSet::new();
    let mut folders = vec![workspace().join("backend")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("find_room(")) {
                asking.insert(path.strip_prefix(workspace()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let meant = [
        "backend/gateway/src/enroll.rs",
        "backend/server/src/seed/apply/mod.rs",
        "backend/server/src/seed/apply/rules.rs",
        "backend/store/src/quotas.rs",
        "backend/web/src/pages/client/archive.rs",
        "backend/web/src/pages/host/watch.rs",
        "backend/web/src/pages/settings/people/invite.rs",
        "backend/web/src/pages/settings/people/service.rs",
    ];
    assert_eq!(asking, meant.map(str::to_owned).into());
}
