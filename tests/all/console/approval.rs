//! A person's yes or no to a fix that asks first, on the page.

use axum::http::StatusCode;
use jiff::SignedDuration;
use store::Store;

use super::Console;

/// The hidden plan of the page's form.
fn plan(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"plan\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_may_sees_what_would_run_and_answers_and_who_is_second_is_told() {
    let mut console = Console::new().await;
    let run = console.run("awaiting_approval", "none").await;
    let incident = format!("/incidents/{}", console.ours.incident);
    let path = format!("{incident}/approval");

    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    let (_, _, page) = console.get(&incident, &viewer).await;
    assert!(page.contains("May it run?") && !page.contains("name=\"plan\""), "a viewer sees it and is not asked");
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let (_, _, page) = console.get(&incident, &cookie).await;
    for words in ["May it run?", "is a no", "Let it run", "Do not run it"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let plan = plan(&page);
    let form = |csrf: &str, plan: &str, answer: &str| {
        format!("csrf={csrf}&run_id={run}&plan={plan}&answer={answer}&reason=known")
    };
    assert_eq!(console.post(&path, &viewer, form(&viewers, &plan, "yes")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&path, &cookie, form(&csrf, &plan, "perhaps")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &cookie, form(&csrf, "12ab", "yes")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &cookie, form(&csrf, &"0".repeat(64), "yes")).await.0, StatusCode::CONFLICT);
    assert_eq!(console.count("approvals").await, 0, "another plan is not what was seen");

    assert_eq!(console.post(&path, &cookie, form(&csrf, &plan, "yes")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("runs WHERE state = 'planned'").await, 1);
    assert_eq!(console.count("approvals WHERE answer = 'yes' AND reason = 'known'").await, 1);
    assert_eq!(console.post(&path, &cookie, form(&csrf, &plan, "no")).await.0, StatusCode::CONFLICT);
    assert_eq!(console.count("run_events WHERE cause = 'A member said yes: known'").await, 1);
    let (_, _, page) = console.get(&incident, &cookie).await;
    assert!(!page.contains("May it run?"));
}

#[tokio::test]
async fn a_yes_counts_while_whoever_gave_it_could_give_it() {
    let mut console = Console::new().await;
    let run = console.run("awaiting_approval", "none").await;
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let incident = format!("/incidents/{}", console.ours.incident);
    let plan = plan(&console.get(&incident, &cookie).await.2);
    let form = format!("csrf={csrf}&run_id={run}&plan={plan}&answer=yes&reason=known");
    assert_eq!(console.post(&format!("{incident}/approval"), &cookie, form).await.0, StatusCode::SEE_OTHER);
    let (tenant, client) = (console.ours.tenant, console.ours.client);
    for (seat, by) in [
        ("client_ids = NULL".to_owned(), Some("A member")),
        ("role = 'viewer'".to_owned(), None),
        ("role = 'technician'".to_owned(), Some("A member")),
        (format!("client_ids = ARRAY['{}'::uuid]", uuid::Uuid::nil()), None),
        (format!("client_ids = ARRAY['{client}'::uuid]"), Some("A member")),
    ] {
        console
            .execute(format!("UPDATE memberships SET {seat} WHERE tenant_id = '{tenant}' AND name = 'A member'"))
            .await;
        let mut tx = console.tx().await;
        let yes = store::remediate::approvals::find_yes(&mut tx, run).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(yes.as_deref(), by, "{seat}");
    }
}

/// The number beside *Approvals* in the navigation.
fn badge(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("#i-approvals\"/></svg>Approvals")?;
    rest.strip_prefix("<span class=\"count\" data-state=\"need\">")?.split('<').next()
}

#[tokio::test]
async fn what_waits_for_a_yes_stands_on_one_page_what_lapses_first_at_its_head() {
    let mut console = Console::new().await;
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let (_, _, page) = console.get("/approvals", &cookie).await;
    assert!(page.contains("Nothing waits for a yes") && badge(&page).is_none());

    // Asked ten minutes later, and still earlier over: it is critical, the other is a warning.
    let warning = console.run("awaiting_approval", "none").await;
    let (incident, tenant, client) = (Store::new_id(), console.ours.tenant, console.ours.client);
    let (host, check) = (console.ours.host, console.ours.check);
    console
        .execute(format!(
            "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at) VALUES ('{tenant}', '{client}', '{incident}', 'It is slow', 'warning', 'open', clock_timestamp());
             INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, newest_version)
               VALUES ('{tenant}', '{client}', '{incident}', '{incident}', '{host}', '{check}', 'slow', '\\x03', 'warning', 'open', clock_timestamp(), 1);
             UPDATE runs SET incident_id = '{incident}', alert_id = '{incident}', target = 'slow' WHERE run_id = '{warning}';
             UPDATE run_events SET at = at - interval '10 min' WHERE run_id = '{warning}'"
        ))
        .await;
    let critical = console.run("awaiting_approval", "none").await;
    let (status, _, page) = console.get("/approvals", &cookie).await;
    assert_eq!((status, badge(&page)), (StatusCode::OK, Some("2")));
    let at = |run: uuid::Uuid| page.find(&format!("id=\"run-{run}\"")).expect("it is listed");
    assert!(at(critical) < at(warning), "what lapses first stands first");
    for words in ["Two fixes wait for your yes", "Ours-host</a> of Ours client", "mapping “web” v1", "It is slow"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (viewer, _) = console.seat("viewer@ours.example").await;
    let (_, _, seen) = console.get("/approvals", &viewer).await;
    assert!(seen.contains("Two fixes wait for a yes") && !seen.contains("name=\"plan\""), "a viewer is not asked");

    // Its form is the incident's.
    let form = format!("csrf={csrf}&run_id={critical}&plan={}&answer=no&reason=not+today", plan(&page));
    let path = format!("/incidents/{}/approval", console.ours.incident);
    assert_eq!(console.post(&path, &cookie, form).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("runs WHERE state = 'denied'").await, 1);
    let (_, _, page) = console.get("/approvals", &cookie).await;
    assert!(page.contains("One fix waits for your yes") && !page.contains(&critical.to_string()));

    // Nobody is asked what cannot be answered any more, also while its row still waits.
    console.clock.advance(SignedDuration::from_hours(4));
    let (_, _, page) = console.get("/approvals", &cookie).await;
    assert!(page.contains("Nothing waits for a yes"));
}
