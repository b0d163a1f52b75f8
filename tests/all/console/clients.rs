//! Clients: the list, a client's own page.

use axum::http::StatusCode;

use super::{Console, Organization};

#[tokio::test]
async fn a_client_viewer_reads_their_own_clients_page_and_no_others() {
    let mut console = Console::new().await;
    let Organization { tenant, client, incident, .. } = console.ours;
    let other = uuid::Uuid::from_u128(77);
    console.execute(format!(
        "INSERT INTO clients (tenant_id, client_id, name, created_at) VALUES ('{tenant}', '{other}', 'Other client', clock_timestamp());
         INSERT INTO contacts (tenant_id, client_id, contact_id, name, email, is_told) VALUES ('{tenant}', '{client}', '{other}', 'Ana', 'ana@client.example', true);
         INSERT INTO sites (tenant_id, client_id, site_id, name) VALUES ('{tenant}', '{client}', '{other}', 'Quay');
         UPDATE hosts SET site_id = '{other}', tags = '{{\"role\": \"web\"}}' WHERE tenant_id = '{tenant}';
         UPDATE memberships SET role = 'client_viewer', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'viewer'"
    ))
    .await;
    let theirs = console.sign_in("viewer@ours.example").await;
    let page = format!("/clients/{client}");
    let (status, _, html) = console.get(&page, &theirs).await;
    assert_eq!(status, StatusCode::OK);
    for said in
        ["Ours client", "Ours-host", "Quay", "role=web", "ana@client.example", "told of incidents", "Client, 10"]
    {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert!(
        html.contains(&format!("/incidents/{incident}")) && !html.contains("Change…") && !html.contains("Hands off…")
    );
    let (status, _, html) = console.get("/clients", &theirs).await;
    assert!(status == StatusCode::OK && html.contains("Ours client") && !html.contains("Other client"));
    assert!(!html.contains("Add a client"), "who sees some clients only adds none");
    assert_eq!(console.get(&format!("/clients/{other}"), &theirs).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_needed_nobody_is_counted_by_its_rule() {
    let mut console = Console::new().await;
    let Organization { tenant, client, incident, .. } = console.ours;
    console.run("held", "").await;
    let viewer = console.sign_in("viewer@ours.example").await;
    let share = async |console: &Console| {
        let (_, _, html) = console.get(&format!("/clients/{client}"), &viewer).await;
        let (_, rest) = html.split_once("handled automatically</abbr>").unwrap();
        let (head, _) = rest.split_once("</dd>").unwrap();
        head.replace("</dt><dd>", " ").replace("&nbsp;", "")
    };
    assert_eq!(share(&console).await, " –", "what is open is not counted");
    let end =
        |set: &str| format!("UPDATE incidents SET {set} WHERE tenant_id = '{tenant}' AND incident_id = '{incident}'");
    console.execute(end("state = 'closed', closed_at = clock_timestamp(), outcome = 'recovered'")).await;
    assert_eq!(share(&console).await, " –", "what recovered by itself is not counted");
    console.execute(end("outcome = 'fixed'")).await;
    assert_eq!(share(&console).await, ", 1 of 1 100%");
    console
        .execute(format!("UPDATE remediations SET relapsed_at = clock_timestamp() WHERE tenant_id = '{tenant}'"))
        .await;
    assert_eq!(share(&console).await, ", 0 of 1 0%", "it came back");
    console.execute(format!("UPDATE remediations SET relapsed_at = NULL WHERE tenant_id = '{tenant}'")).await;
    console
        .execute(
            "INSERT INTO approvals (tenant_id, client_id, approval_id, run_id, plan_digest, login_id, answer, reason, answered_at, expires_at)
               SELECT tenant_id, client_id, run_id, run_id, '\\x01', run_id, 'yes', '', clock_timestamp(), clock_timestamp() FROM runs"
        .to_owned())
        .await;
    assert_eq!(share(&console).await, ", 0 of 1 0%", "somebody was asked for a yes");
    console.execute("DELETE FROM approvals".to_owned()).await;
    console.execute(end("escalated_at = opened_at, escalation_reason = 'x'")).await;
    assert_eq!(share(&console).await, ", 0 of 1 0%", "somebody was called");
}

/// The actions of a console on its client, as its owner.
struct Desk {
    console: Console,
    cookie: String,
    csrf: String,
}

impl Desk {
    async fn new() -> Desk {
        let console = Console::new().await;
        let (cookie, csrf) = console.seat("owner@ours.example").await;
        Desk { console, cookie, csrf }
    }

    async fn post(&self, path: &str, fields: &str) -> (StatusCode, String) {
        let path = path.replace("{id}", &self.console.ours.client.to_string());
        let (status, _, html) = self.console.post(&path, &self.cookie, format!("csrf={}{fields}", self.csrf)).await;
        (status, html)
    }

    async fn get(&self, path: &str) -> String {
        let path = path.replace("{id}", &self.console.ours.client.to_string());
        self.console.get(&path, &self.cookie).await.2
    }
}

#[tokio::test]
async fn a_client_is_added_with_a_name_of_its_own_and_a_zone_that_exists() {
    let mut desk = Desk::new().await;
    let (status, html) = desk.post("/clients", "&name=Dock&zone=Mars%2FNorth").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("“Mars/North” is no time zone"), "{html}");
    assert!(html.contains("value=\"Dock\""), "what was typed stays");
    let (status, html) = desk.post("/clients", "&name=OURS+client&zone=UTC").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("already, looked after or archived"));
    let (status, _) = desk.post("/clients", "&name=+Dock+&zone=Europe%2FParis").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let console = &mut desk.console;
    assert_eq!(console.count("clients WHERE name = 'Dock' AND time_zone = 'Europe/Paris'").await, 1);
    let bucket = "guardrail_buckets b JOIN clients c ON b.scope_key = c.client_id::text WHERE c.name = 'Dock'";
    assert_eq!(console.count(bucket).await, 1, "an admission finds its bucket");
    assert_eq!(console.count("audit WHERE action = 'client.added' AND actor LIKE 'member %'").await, 1);
    // A technician works at clients and makes none; an owner of some clients neither.
    let (sam, token) = console.seat("sam@ours.example").await;
    let form = format!("csrf={token}&name=X&zone=UTC");
    assert_eq!(console.post("/clients", &sam, form).await.0, StatusCode::FORBIDDEN);
    let (tenant, client) = (console.ours.tenant, console.ours.client);
    console.execute(format!("UPDATE memberships SET role = 'admin', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'owner'")).await;
    assert_eq!(desk.post("/clients", "&name=X&zone=UTC").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_client_that_a_check_means_by_its_name_keeps_it() {
    let mut desk = Desk::new().await;
    let check = serde_json::json!({"name": "answers", "kind": "service", "target": "shop", "selector": {"client": "Ours client"}});
    desk.console.execute(format!("UPDATE checks SET definition = '{check}'")).await;
    let (status, html) = desk.post("/clients/{id}", "&name=New+name&zone=UTC").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("the check “answers”"), "{html}");
    let check = serde_json::json!({"name": "answers", "kind": "service", "target": "shop"});
    desk.console.execute(format!("UPDATE checks SET definition = '{check}'")).await;
    let before = desk.console.count("hosts WHERE config_version > 1").await;
    assert_eq!(desk.post("/clients/{id}", "&name=New+name&zone=Asia%2FTokyo").await.0, StatusCode::SEE_OTHER);
    assert!(desk.get("/clients/{id}").await.contains("<h1>New name</h1>"));
    assert_eq!(
        desk.console.count("hosts WHERE config_version > 1").await,
        before + 1,
        "its hosts read their checks anew"
    );
    assert_eq!(
        desk.console.count("audit WHERE action = 'client.changed' AND before ->> 'name' = 'Ours client'").await,
        1
    );
}

#[tokio::test]
async fn a_site_on_which_a_host_stands_stays() {
    let mut desk = Desk::new().await;
    assert_eq!(desk.post("/clients/{id}/sites", "&name=Quay").await.0, StatusCode::SEE_OTHER);
    let (status, html) = desk.post("/clients/{id}/sites", "&name=quay").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("there is a site “Quay” already"));
    let tenant = desk.console.ours.tenant;
    let site: uuid::Uuid = {
        let sql = sqlx::AssertSqlSafe(format!("SELECT site_id FROM sites WHERE tenant_id = '{tenant}'"));
        sqlx::query_scalar(sql).fetch_one(&mut desk.console.rows).await.unwrap()
    };
    let path = format!("/clients/{{id}}/sites/{site}");
    assert_eq!(desk.post(&path, "&name=Yard&answer=rename").await.0, StatusCode::SEE_OTHER);
    desk.console.execute(format!("UPDATE hosts SET site_id = '{site}' WHERE tenant_id = '{tenant}'")).await;
    let (status, html) = desk.post(&path, "&name=Yard&answer=remove").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("“Yard” stays"), "{html}");
    desk.console.execute(format!("UPDATE hosts SET state = 'retired' WHERE tenant_id = '{tenant}'")).await;
    assert_eq!(desk.post(&path, "&name=Yard&answer=remove").await.0, StatusCode::SEE_OTHER);
    assert_eq!(desk.console.count("sites").await, 0);
    assert_eq!(desk.console.count("audit WHERE action LIKE 'site.%'").await, 3);
}

#[tokio::test]
async fn a_contact_who_is_told_gets_the_mails_of_their_client_and_of_no_other() {
    let desk = Desk::new().await;
    for (fields, wrong) in [
        ("&name=Ana&email=ana", "no e-mail address"),
        ("&name=Ana&email=ana%40x.example&phone=call", "no telephone number"),
        ("&name=&email=ana%40x.example", "a name has"),
    ] {
        let (status, html) = desk.post("/clients/{id}/contacts", fields).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains(wrong), "{wrong}: {html}");
    }
    let told = "&name=Ana&email=ana%40x.example&phone=112&told=yes";
    assert_eq!(desk.post("/clients/{id}/contacts", told).await.0, StatusCode::SEE_OTHER);
    assert_eq!(desk.post("/clients/{id}/contacts", told).await.0, StatusCode::UNPROCESSABLE_ENTITY, "once at a client");
    let client = desk.console.ours.client;
    let mut tx = desk.console.tx().await;
    let other = store::seeding::insert_client(&mut tx, "Other", "UTC").await.unwrap();
    store::seeding::insert_channel(&mut tx, "desk@ours.example").await.unwrap();
    assert_eq!(store::fleet::list_told(&mut tx, client).await.unwrap(), ["ana@x.example", "desk@ours.example"]);
    assert_eq!(store::fleet::list_told(&mut tx, other).await.unwrap(), ["desk@ours.example"]);
    store::clients::archive(&mut tx, client, "test").await.unwrap();
    assert!(store::fleet::list_told(&mut tx, client).await.unwrap().is_empty(), "nobody is told of an archived client");
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn an_archived_client_is_stopped_first_and_leaves_the_board_and_nothing_lets_it_act_but_a_restore() {
    let mut desk = Desk::new().await;
    desk.console.run("admitted", "queued").await;
    desk.console
        .execute(
            "UPDATE incidents SET state = 'escalated', escalated_at = opened_at, escalation_reason = 'x'".to_owned(),
        )
        .await;
    assert!(desk.get("/").await.contains("One thing needs you"));
    assert_eq!(desk.post("/clients/{id}/archive", "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(desk.console.count("jobs WHERE state = 'withdrawn'").await, 1, "what had no permit was taken back");
    assert_eq!(desk.console.count("guardrail_buckets WHERE frozen AND scope_kind = 'client'").await, 1);
    let board = desk.get("/").await;
    assert!(board.contains("Nothing needs you") && !board.contains("Ours client"), "{board}");
    assert!(!desk.get("/clients").await.contains("Ours client"));
    assert!(desk.get("/clients?show=archived").await.contains("Ours client"));
    assert!(desk.get("/clients/{id}").await.contains("Archived by owner"));
    desk.post("/guardrails/{id}/go", "").await;
    assert_eq!(desk.console.count("guardrail_buckets WHERE frozen AND scope_kind = 'client'").await, 1);
    assert_eq!(desk.post("/clients/{id}/restore", "").await.0, StatusCode::SEE_OTHER);
    assert!(desk.get("/clients/{id}").await.contains("All actions are stopped here"), "a person lets it act");
    desk.post("/guardrails/{id}/go", "").await;
    assert_eq!(desk.console.count("guardrail_buckets WHERE frozen").await, 0);
    assert_eq!(desk.console.count("audit WHERE action IN ('client.archived', 'client.restored')").await, 2);
}

#[tokio::test]
async fn whoever_sees_some_clients_renames_none_so_that_no_answer_tells_of_the_others() {
    let mut desk = Desk::new().await;
    let (tenant, client, other) = (desk.console.ours.tenant, desk.console.ours.client, uuid::Uuid::from_u128(77));
    desk.console.execute(format!(
        "INSERT INTO clients (tenant_id, client_id, name, created_at) VALUES ('{tenant}', '{other}', 'Hidden', clock_timestamp());
         UPDATE memberships SET role = 'admin', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'owner'"
    ))
    .await;
    let mut answers = Vec::new();
    for name in ["Hidden", "hidden", "Free"] {
        let (status, html) = desk.post("/clients/{id}", &format!("&name={name}&zone=UTC")).await;
        assert!(html.contains("somebody who sees all of them renames it"), "{status} {html}");
        answers.push(status);
    }
    assert_eq!(answers, [StatusCode::UNPROCESSABLE_ENTITY; 3]);
    assert_eq!(desk.post("/clients/{id}", "&name=Ours+client&zone=Europe%2FParis").await.0, StatusCode::SEE_OTHER);
    let moved = "clients WHERE name = 'Ours client' AND time_zone = 'Europe/Paris'";
    assert_eq!(desk.console.count(moved).await, 1);
}

#[tokio::test]
async fn of_many_who_add_the_last_site_at_once_one_does() {
    let mut desk = Desk::new().await;
    let (tenant, client) = (desk.console.ours.tenant, desk.console.ours.client);
    desk.console
        .execute(format!(
            "INSERT INTO sites (tenant_id, client_id, site_id, name)
               SELECT '{tenant}', '{client}', gen_random_uuid(), 'Site ' || n FROM generate_series(1, 999) n"
        ))
        .await;
    let asking = (0..4).map(|n| {
        let desk = &desk;
        async move { desk.post("/clients/{id}/sites", &format!("&name=New+{n}")).await.0 }
    });
    let answers = futures_util::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::SEE_OTHER).count(), 1, "{answers:?}");
    assert_eq!(desk.console.count("sites").await, 1_000);
}

#[tokio::test]
async fn a_table_is_written_as_it_was_previewed_or_not_at_all() {
    let mut desk = Desk::new().await;
    let encode = |text: &str| text.replace('\n', "%0D%0A").replace('@', "%40").replace(' ', "+").replace('/', "%2F");
    let text =
        encode("client,time_zone,site,contact,email\nDock,Europe/Paris,Quay,Bo,bo@dock.example\nours CLIENT,,Yard,,\n");
    let (status, html) = desk.post("/clients/import", &format!("&step=preview&text={text}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        html.contains("adds the client, in Europe/Paris, the site Quay, the contact Bo (bo@dock.example)"),
        "{html}"
    );
    assert!(html.contains("adds the site Yard") && html.contains("Write 2 lines"));
    assert_eq!(desk.console.count("clients").await, 2, "a preview writes nothing");
    let (_, rest) = html.split_once("name=\"seen\" value=\"").unwrap();
    let seen = rest.split('"').next().unwrap().to_owned();
    let other = encode("client\nMallory\n");
    let (status, html) = desk.post("/clients/import", &format!("&step=write&seen={seen}&text={other}")).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("not what was looked at"));
    let wrong = encode("client,time_zone\nDock,UTC\nPier,Mars\n");
    let (_, html) = desk.post("/clients/import", &format!("&step=preview&text={wrong}")).await;
    assert!(html.contains("“Mars” is no time zone") && !html.contains("value=\"write\""));
    assert_eq!(desk.console.count("clients").await, 2);
    let (status, _) = desk.post("/clients/import", &format!("&step=write&seen={seen}&text={text}")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(desk.console.count("clients WHERE name = 'Dock'").await, 1);
    assert_eq!(desk.console.count("sites").await, 2);
    assert_eq!(
        desk.console.count("contacts WHERE NOT is_told").await,
        1,
        "nobody gets mails because a table names them"
    );
    let (_, html) = desk.post("/clients/import", &format!("&step=write&seen={seen}&text={text}")).await;
    assert!(html.contains("not what was looked at"), "once written, it adds something else");
}
