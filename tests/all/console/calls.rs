//! Who is called about incidents: the page, the API, and what becomes of it when a member goes or moves.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use super::Console;
use super::people::leads_to;
use super::program::{Program, UNPROCESSABLE};

const PAGE: &str = "/settings/calls";

impl Console {
    /// Calls an address of ours.
    async fn calls(&self, address: &str) -> Uuid {
        let mut tx = self.tx().await;
        let id = store::channels::insert(&mut tx, address, "").await.unwrap().expect("it is not called yet");
        tx.commit().await.unwrap();
        id
    }

    async fn called(&mut self) -> Vec<String> {
        let sql = "SELECT address FROM channels WHERE tenant_id = $1 ORDER BY address";
        sqlx::query_scalar(sql).bind(self.ours.tenant).fetch_all(&mut self.rows).await.unwrap()
    }
}

#[tokio::test]
async fn an_owner_says_who_is_called_and_the_last_address_stays() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    assert!(console.get(PAGE, &owner).await.2.contains("Nobody is called"));
    let (status, _, page) = console.click(&owner, PAGE, PAGE, "&address=the+night+desk").await;
    assert!(status == UNPROCESSABLE && page.contains("That is no e-mail address.") && page.contains("the night desk"));
    let (status, headers, _) = console.click(&owner, PAGE, PAGE, "&address=+night%40desk.example+").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/calls?done=added"));
    let (status, _, page) = console.click(&owner, PAGE, PAGE, "&address=Night%40desk.example").await;
    assert!(status == UNPROCESSABLE && page.contains("This address is called already."));
    let only: Uuid = sqlx::query_scalar("SELECT channel_id FROM channels").fetch_one(&mut console.rows).await.unwrap();
    let (status, _, page) = console.click(&owner, PAGE, &format!("{PAGE}/{only}/remove"), "").await;
    assert!(status == UNPROCESSABLE && page.contains("It is the only address that is called"));
    assert_eq!(console.called().await, ["night@desk.example"]);

    console.click(&owner, PAGE, PAGE, "&address=owner%40ours.example").await;
    let (_, _, page) = console.get(PAGE, &owner).await;
    assert!(page.contains("no member has this address") && page.contains("owner@ours.example"), "{page}");
    let (status, headers, _) = console.click(&owner, PAGE, &format!("{PAGE}/{only}/remove"), "").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/calls?done=removed"));
    let (status, ..) = console.click(&owner, PAGE, &format!("{PAGE}/{only}/remove"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "once");
    assert_eq!(console.called().await, ["owner@ours.example"]);
    let told = "tenant_audit WHERE action = 'channel.removed' AND before->>'address' = 'night@desk.example' AND actor LIKE 'member %'";
    assert_eq!(console.count(told).await, 1);
    assert_eq!(console.count("tenant_audit WHERE action = 'channel.added'").await, 2);

    let (viewer, csrf) = console.seat("viewer@ours.example").await;
    assert_eq!(console.get(PAGE, &viewer).await.0, StatusCode::FORBIDDEN);
    let form = format!("csrf={csrf}&address=viewer%40ours.example");
    assert_eq!(console.post(PAGE, &viewer, form).await.0, StatusCode::FORBIDDEN);
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, _, page) = console.click(&owner, PAGE, PAGE, "&address=day%40desk.example").await;
    assert!(status == StatusCode::PRECONDITION_REQUIRED && page.contains("/confirm?next=/settings/calls"));
}

#[tokio::test]
async fn who_leaves_or_is_limited_is_called_no_more_and_who_did_it_is_called_instead_of_nobody() {
    let mut p = Program::new().await;
    let (sam, viewer) = (p.login("sam@ours.example").await, p.login("viewer@ours.example").await);
    let client = p.console.ours.client;
    p.console.calls("Viewer@ours.example").await;
    p.console.calls("sam@ours.example").await;
    let seat = |clients: serde_json::Value| json!({ "role": "viewer", "clients": clients });
    assert_eq!(p.post(&format!("members/{viewer}"), seat(json!([client]))).await.0, StatusCode::OK);
    assert_eq!(p.console.called().await, ["sam@ours.example"]);
    // Said again of somebody who is limited already, it stays as a person wants it.
    p.console.calls("viewer@ours.example").await;
    let other = json!({ "role": "client_viewer", "clients": [client] });
    assert_eq!(p.post(&format!("members/{viewer}"), other).await.0, StatusCode::OK);
    assert_eq!(p.console.called().await, ["sam@ours.example", "viewer@ours.example"]);
    assert_eq!(p.post(&format!("members/{viewer}/remove"), json!({})).await.0, StatusCode::OK);
    assert_eq!(p.console.called().await, ["sam@ours.example"]);

    assert_eq!(p.post(&format!("members/{sam}/remove"), json!({})).await.0, StatusCode::OK);
    assert_eq!(p.console.called().await, ["owner@ours.example"], "somebody is always called");
    let told = "tenant_audit WHERE action = 'channel.removed' AND detail->>'why' = 'they are no member any more'";
    assert_eq!(p.console.count(told).await, 2);
    let told = "tenant_audit WHERE action = 'channel.added' AND detail->>'why' = 'nobody would be called'";
    assert_eq!(p.console.count(told).await, 1);
}

#[tokio::test]
async fn who_has_another_address_is_called_by_it_where_they_have_a_seat() {
    let mut console = Console::new().await;
    console.calls("Sam@ours.example").await;
    let theirs = console.theirs.tenant;
    console
        .execute(format!(
            "INSERT INTO channels (tenant_id, channel_id, kind, address) VALUES ('{theirs}', gen_random_uuid(), 'email', 'sam@ours.example')"
        ))
        .await;
    let sam = console.sign_in("sam@ours.example").await;
    console.click(&sam, "/settings", "/settings/address", "&email=sam%40new.example").await;
    let letters = console.letters().await;
    let path = &letters.iter().find(|letter| letter.to == "sam@new.example").unwrap().path;
    assert_eq!(console.called().await, ["Sam@ours.example"], "not before it is proven");
    assert_eq!(console.post(path, "", String::new()).await.0, StatusCode::OK);
    assert_eq!(console.called().await, ["sam@new.example"]);
    let told = "tenant_audit WHERE action = 'channel.moved' AND actor LIKE 'member %' AND after->>'address' = 'sam@new.example'";
    assert_eq!(console.count(told).await, 1);
    let of_others = format!("channels WHERE tenant_id = '{theirs}' AND address = 'sam@ours.example'");
    assert_eq!(console.count(&of_others).await, 1, "what an organization calls where they have no seat is its own");
    console.sides_are_as_listed().await;
}

#[tokio::test]
async fn a_program_says_who_is_called() {
    let p = Program::new().await;
    p.refuses("channels", &[(json!({ "address": "desk" }), "address"), (json!({}), "address")]).await;
    let (status, made) = p.post("channels", json!({ "address": "desk@ours.example" })).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    p.refuses("channels", &[(json!({ "address": "Desk@ours.example" }), "address")]).await;
    let remove = format!("channels/{}/remove", made["id"].as_str().unwrap());
    let (status, problem) = p.post(&remove, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem.to_string().contains("It is the only address that is called"), "{problem}");
    p.post("channels", json!({ "address": "owner@ours.example" })).await;
    let (_, list) = p.get("channels").await;
    assert_eq!(list["items"][0], json!({ "id": made["id"], "address": "desk@ours.example", "member": null }));
    assert_eq!(list["items"][1]["member"], json!("owner"));
    assert_eq!(p.post(&remove, json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&remove, json!({})).await.0, StatusCode::NOT_FOUND);
}
