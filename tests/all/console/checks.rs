//! Checks: those that are made on a host's page, and the end of any.

use std::time::Duration;

use axum::http::StatusCode;
use jiff::SignedDuration;
use uuid::Uuid;

use super::people::leads_to;
use super::{Console, Organization};

impl Console {
    /// A host of a second client of ours that is called as our first, and the declared service of both.
    async fn namesake(&mut self) -> Organization {
        let second = self.second_client().await;
        let Organization { tenant, client, host, .. } = self.ours;
        let (their_client, their_host) = (second.client, second.host);
        self.execute(format!("UPDATE hosts SET name = 'Ours-host' WHERE host_id = '{their_host}'")).await;
        let extra = "{\"services\": [{\"name\": \"shop-web\", \"state\": \"running\", \"watched\": false}]}";
        self.execute(format!(
            "INSERT INTO host_now (tenant_id, client_id, host_id, at, layout, samples, extra)
               VALUES ('{tenant}', '{client}', '{host}', clock_timestamp(), 1, '{{}}', '{extra}'),
                 ('{tenant}', '{their_client}', '{their_host}', clock_timestamp(), 1, '{{}}', '{extra}')"
        ))
        .await;
        second
    }

    /// Our viewer owns the organization too, so what is confirmed waits for half an hour.
    async fn second_owner(&mut self) {
        let tenant = self.ours.tenant;
        self.execute(format!("UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND role = 'viewer'"))
            .await;
    }

    async fn watch(&self, cookie: &str, csrf: &str, host: Uuid) -> (StatusCode, String) {
        let form = format!("csrf={csrf}&service=shop-web");
        let (status, _, page) = self.post(&format!("/hosts/{host}/watch"), cookie, form).await;
        (status, page)
    }
}

#[tokio::test]
async fn one_service_is_watched_on_hosts_of_one_name_at_two_clients() {
    let mut console = Console::new().await;
    let second = console.namesake().await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    for host in [console.ours.host, second.host] {
        assert_eq!(console.watch(&owner, &csrf, host).await.0, StatusCode::SEE_OTHER);
    }
    for client in ["Ours client", "Second company"] {
        let made = format!(
            "checks WHERE name = 'shop-web on Ours-host ({client})' AND definition->'selector'->>'client' = '{client}'"
        );
        assert_eq!(console.count(&made).await, 1, "{client}");
    }
    let (status, page) = console.watch(&owner, &csrf, second.host).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("There is a check “shop-web on Ours-host (Second company)” already"), "{page}");
}

#[tokio::test]
async fn what_everybody_is_watched_by_is_archived_by_two_people_in_time_and_what_was_open_about_it_ends() {
    let mut console = Console::new().await;
    console.run("held", "").await;
    let Organization { tenant, check, host, .. } = console.ours;
    console.second_owner().await;
    console
        .execute(format!(
            "INSERT INTO probes (tenant_id, client_id, host_id, check_id, due_at) SELECT tenant_id, client_id, host_id, '{check}', clock_timestamp() FROM hosts WHERE host_id = '{host}'"
        ))
        .await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    let (_, _, page) = console.get("/settings/checks", &owner).await;
    assert!(page.contains("answers") && page.contains("every host"), "{page}");
    let (sam, sams) = console.seat("sam@ours.example").await;
    let archive = format!("/settings/checks/{check}/archive");
    assert_eq!(console.post(&archive, &sam, format!("csrf={sams}&why=x")).await.0, StatusCode::FORBIDDEN);
    let (status, _, page) = console.post(&archive, &owner, format!("csrf={csrf}")).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("say why, for the second person"), "{status}");
    let form = format!("csrf={csrf}&why=Noise");
    for outcome in ["proposed", "waits"] {
        let (status, headers, _) = console.post(&archive, &owner, form.clone()).await;
        let page = format!("/settings/checks?done={outcome}");
        assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, page.as_str()));
    }
    let (_, _, page) = console.get("/settings/checks", &owner).await;
    assert!(page.contains("That it is archived waits for a second person"), "{page}");

    let path = format!("/changes/{}", console.change_id().await);
    let second = console.sign_in("viewer@ours.example").await;
    let (_, _, page) = console.get("/changes", &second).await;
    assert!(page.contains("Check “answers”") && page.contains("in use → archived"), "{page}");
    assert_eq!(console.click(&owner, "/changes", &path, "&answer=yes").await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.click(&second, "/changes", &path, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    console.changes_pass().await;
    assert_eq!(console.count("checks WHERE archived_at IS NULL").await, 2, "its time has not come");
    console.clock.advance(SignedDuration::from_mins(31));
    console.changes_pass().await;
    for (rows, expected) in [
        (format!("checks WHERE check_id = '{check}' AND archived_by = 'owner'"), 1),
        (format!("check_states WHERE check_id = '{check}'"), 0),
        (format!("probes WHERE check_id = '{check}'"), 0),
        (format!("alerts WHERE check_id = '{check}' AND close_cause = 'by_person'"), 1),
        (format!("incidents WHERE tenant_id = '{tenant}' AND outcome = 'by_person'"), 1),
        ("runs WHERE state = 'cancelled' AND end_reason = 'its check was archived'".to_owned(), 1),
        (format!("hosts WHERE host_id = '{host}' AND config_version = 2"), 1),
        ("tenant_audit WHERE action = 'check.archived' AND before->>'name' = 'answers'".to_owned(), 1),
        ("proposed_changes WHERE kind = 'check' AND state = 'applied'".to_owned(), 1),
        // The other organization's check is as it was.
        ("checks WHERE archived_at IS NULL".to_owned(), 1),
        ("check_states".to_owned(), 1),
    ] {
        assert_eq!(console.count(&rows).await, expected, "{rows}");
    }
    assert_eq!(console.post(&archive, &owner, form).await.0, StatusCode::NOT_FOUND, "once");
    // Its name is free.
    let mut tx = console.tx().await;
    let definition = serde_json::json!({ "name": "answers", "kind": "service", "target": "shop-web" });
    store::seeding::insert_check(&mut tx, "answers", "service", definition).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn no_check_is_archived_while_a_fix_for_it_is_at_work() {
    let mut console = Console::new().await;
    console.run("running", "permitted").await;
    let check = console.ours.check;
    console.second_owner().await;
    let (_, token) = console.token("owner@ours.example", &["clients"], &[]).await;
    let path = format!("/api/v1/checks/{check}/archive");
    let why = || Some(serde_json::json!({ "why": "Noise" }));
    let (status, ..) = console.api("POST", &path, &token, &[], why()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "alone it loosens nothing");
    let (_, _, list) = console.api("GET", "/api/v1/checks", &token, &[], None).await;
    assert_eq!((&list["items"][0]["name"], &list["items"][0]["host"]), (&"answers".into(), &serde_json::Value::Null));
    let (_, token) = console.token("owner@ours.example", &["clients", "settings"], &[]).await;
    let (status, _, said) = console.api("POST", &path, &token, &[], Some(serde_json::json!({}))).await;
    assert_eq!((status, &said["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &"why".into()));
    for outcome in ["proposed", "waits"] {
        let (status, _, said) = console.api("POST", &path, &token, &[], why()).await;
        assert_eq!((status, said), (StatusCode::OK, serde_json::json!({ "outcome": outcome })));
    }
    let second = console.sign_in("viewer@ours.example").await;
    let change = format!("/changes/{}", console.change_id().await);
    assert_eq!(console.click(&second, "/changes", &change, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    // Its time has come, and the fix is at work still.
    console.clock.advance(SignedDuration::from_mins(31));
    console.changes_pass().await;
    assert_eq!(console.count("proposed_changes WHERE state = 'confirmed'").await, 1);
    assert_eq!(console.count("checks WHERE archived_at IS NULL").await, 2);
    console.execute("UPDATE runs SET state = 'fixed', ended_at = clock_timestamp()".to_owned()).await;
    console.clock.advance(SignedDuration::from_mins(2));
    console.changes_pass().await;
    assert_eq!(console.count("proposed_changes WHERE state = 'applied'").await, 1);
    assert_eq!(console.count("checks WHERE archived_at IS NULL").await, 1);
}

#[tokio::test]
async fn a_check_of_one_host_is_its_clients_own_matter_and_archived_at_once_or_it_is_said_why_not() {
    let mut console = Console::new().await;
    console.run("running", "permitted").await;
    let Organization { check, client, host, .. } = console.ours;
    console
        .execute(format!(
            "UPDATE checks SET made_for_client = '{client}', made_for_host = '{host}' WHERE check_id = '{check}'"
        ))
        .await;
    let (owner, csrf) = console.seat("owner@ours.example").await;
    let archive = format!("/settings/checks/{check}/archive");
    let (status, _, page) = console.post(&archive, &owner, format!("csrf={csrf}")).await;
    assert!(status == StatusCode::CONFLICT && page.contains("A fix for “answers” is at work"), "{status}: {page}");
    let (_, token) = console.token("owner@ours.example", &["clients", "settings"], &[]).await;
    let path = format!("/api/v1/checks/{check}/archive");
    let (status, _, said) = console.api("POST", &path, &token, &[], Some(serde_json::json!({}))).await;
    assert!(status == StatusCode::CONFLICT && said.to_string().contains("is at work"), "{said}");
    console.execute("UPDATE runs SET state = 'fixed', ended_at = clock_timestamp()".to_owned()).await;
    let (_, alone) = console.token("owner@ours.example", &["clients"], &[]).await;
    let (status, ..) = console.api("POST", &path, &alone, &[], Some(serde_json::json!({}))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _, said) = console.api("POST", &path, &token, &[], Some(serde_json::json!({}))).await;
    assert_eq!((status, said), (StatusCode::OK, serde_json::json!({ "outcome": "archived" })));
}

#[tokio::test]
async fn what_is_watched_on_a_hosts_page_is_its_clients_and_goes_with_it() {
    let mut console = Console::new().await;
    let second = console.namesake().await;
    let Organization { tenant, client, host, check, .. } = console.ours;
    console
        .execute(format!(
            "UPDATE memberships SET role = 'admin', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND name = 'viewer'"
        ))
        .await;
    let (owner, owners) = console.seat("owner@ours.example").await;
    let (admin, admins) = console.seat("viewer@ours.example").await;
    console.watch(&owner, &owners, second.host).await;
    console.watch(&admin, &admins, host).await;
    let made = "SELECT check_id FROM checks WHERE made_for_host = $1 AND archived_at IS NULL";
    let ours: Uuid = sqlx::query_scalar(made).bind(host).fetch_one(&mut console.rows).await.unwrap();
    let of_second: Uuid = sqlx::query_scalar(made).bind(second.host).fetch_one(&mut console.rows).await.unwrap();
    // Somebody who sees one client archives what was made there, and nothing else.
    for other in [of_second, check] {
        let (status, ..) =
            console.post(&format!("/settings/checks/{other}/archive"), &admin, format!("csrf={admins}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let path = format!("/settings/checks/{ours}/archive");
    let (status, headers, _) = console.post(&path, &admin, format!("csrf={admins}")).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, format!("/hosts/{host}").as_str()));
    assert_eq!(console.count(&format!("audit WHERE action = 'check.archived' AND client_id = '{client}'")).await, 1);
    assert_eq!(console.watch(&admin, &admins, host).await.0, StatusCode::SEE_OTHER, "it can be watched again");

    let subject = store::deletions::Subject::Client(client);
    let mut tx = console.tx().await;
    assert!(store::clients::archive(&mut tx, client, "test").await.unwrap());
    assert!(store::deletions::insert(&mut tx, subject, "Ours client", "test", Duration::ZERO).await.unwrap());
    store::deletions::begin_due(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(console.count(&format!("checks WHERE made_for_client = '{client}'")).await, 0);
    let left = format!("checks WHERE check_id IN ('{check}', '{of_second}')");
    assert_eq!(console.count(&left).await, 2, "what others have is as it was");
}
