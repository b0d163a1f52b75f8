//! Service accounts: seats of programs, which nobody signs in to.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::people::leads_to;
use super::program::Program;
use super::{Console, token as csrf_of};

/// The token that a page shows this once.
fn shown(page: &str) -> String {
    let rest = page.split_once("<code class=\"secret\">").expect("a token is shown").1;
    rest.split('<').next().unwrap().to_owned()
}

impl Console {
    async fn service(&mut self, name: &str) -> Uuid {
        let of = "SELECT seat_id FROM service_seats WHERE name = $1";
        sqlx::query_scalar(of).bind(name).fetch_one(&mut self.rows).await.unwrap()
    }

    async fn status_of(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.api("GET", &format!("/api/v1/{path}"), token, &[], None).await;
        (status, body)
    }
}

#[tokio::test]
async fn a_service_accounts_token_goes_on_when_its_maker_leaves_and_may_what_the_account_may() {
    let mut console = Console::new().await;
    let (sam, client, incident) = (console.ours.technician, console.ours.client, console.ours.incident);
    console.execute(format!("UPDATE memberships SET role = 'admin' WHERE login_id = '{sam}'")).await;
    let accounts = console.count("logins").await + console.count("memberships").await;
    let (owner, admin) = (console.sign_in("owner@ours.example").await, console.sign_in("sam@ours.example").await);
    let people = "/settings/people";
    let form = format!("&name=Backup&role=technician&sees=some&client={client}");
    let (status, headers, _) = console.click(&admin, people, "/settings/people/services", &form).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/people?done=service"));
    assert!(console.get(people, &owner).await.2.contains("Backup"));
    let id = console.service("Backup").await;

    // It is nobody who signs in, and nobody a mail goes to.
    assert_eq!(console.count("logins").await + console.count("memberships").await, accounts);
    // Its tokens are made by who manages people, and never answer for a person.
    let make = |scope: &str| format!("&name=nightly&scope=read&scope={scope}&days=30&service={id}");
    for scope in ["approve", "confirm", "people", "settings", "own", "let_act", "clients"] {
        let (status, ..) = console.click(&admin, "/settings/tokens", "/settings/tokens", &make(scope)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{scope}");
    }
    let (status, _, page) = console.click(&admin, "/settings/tokens", "/settings/tokens", &make("work")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("of Backup, made by"));
    let token = shown(&page);
    assert_eq!(console.count(&format!("api_tokens WHERE seat_id = '{id}' AND login_id = '{sam}'")).await, 1);
    let with_more = format!("UPDATE api_tokens SET scopes = '{{read,people}}' WHERE seat_id = '{id}'");
    let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(with_more)).execute(&mut console.rows).await;
    assert!(refused.unwrap_err().to_string().contains("api_tokens_of_service"), "the database holds it to that too");

    let take = format!("/api/v1/incidents/{incident}/owner");
    let (status, _, body) = console.api("POST", &take, &token, &[], Some(json!({ "answer": "take" }))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(console.count(&format!("incidents WHERE owner_login_id = '{id}' AND owner = 'Backup'")).await, 1);
    assert!(console.count(&format!("audit WHERE actor LIKE 'token % of service {id}'")).await > 0);
    assert!(console.get("/settings/audit", &owner).await.2.contains("Backup, by a token"));
    for path in ["members", "secrets", "audit"] {
        let status = console.status_of(path, &token).await.0;
        assert!(matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{path}: {status}");
    }

    // Who made it leaves: it goes on.
    let (status, ..) = console.click(&owner, people, &format!("{people}/{sam}/remove"), "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (status, hosts) = console.status_of("hosts", &token).await;
    assert_eq!((status, hosts["items"].as_array().unwrap().len()), (StatusCode::OK, 1));
    let page = console.get("/settings/tokens", &owner).await.2;
    assert!(page.contains("of Backup, made by somebody who has left") && !page.contains("so it may nothing"));
    // Its last client goes: it sees nothing, and not everything.
    console.execute("DELETE FROM service_seat_clients".to_owned()).await;
    assert_eq!(console.status_of("hosts", &token).await.1["items"], json!([]));

    // It is removed: its tokens are revoked, and that is written.
    let (status, ..) = console.click(&owner, people, &format!("{people}/services/{id}/remove"), "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.status_of("hosts", &token).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(console.count("api_tokens WHERE revoked_at IS NOT NULL").await, 1);
    for action in ["service.made", "service.removed", "token.revoked"] {
        assert_eq!(console.count(&format!("tenant_audit WHERE action = '{action}'")).await, 1, "{action}");
    }
    console.sides_are_as_listed().await;
    let again = format!("{people}/services/{id}/remove");
    assert_eq!(console.click(&owner, people, &again, "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_does_not_manage_people_makes_no_service_account_and_no_token_of_one() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    let path = "/settings/people/services";
    console.click(&owner, "/settings/people", path, "&name=Backup&role=viewer&sees=all").await;
    let id = console.service("Backup").await;
    let sam = console.sign_in("sam@ours.example").await;
    let csrf = csrf_of(&console.get("/settings/tokens", &sam).await.2);
    let posted = async |path: &str, form: &str| console.post(path, &sam, format!("csrf={csrf}{form}")).await.0;
    assert_eq!(posted(path, "&name=Mine&role=viewer&sees=all").await, StatusCode::FORBIDDEN);
    assert_eq!(posted(&format!("{path}/{id}/remove"), "").await, StatusCode::FORBIDDEN);
    let form = format!("&name=x&scope=read&days=30&service={id}");
    assert_eq!(posted("/settings/tokens", &form).await, StatusCode::FORBIDDEN);
    // Nor is a token made of another organization's, or of none.
    let theirs = console.sign_in("owner@theirs.example").await;
    for service in [id.to_string(), Uuid::from_u128(1).to_string(), "backup".to_owned()] {
        let form = format!("&name=x&scope=read&days=30&service={service}");
        let (status, ..) = console.click(&theirs, "/settings/tokens", "/settings/tokens", &form).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{service}");
    }
    // After a while they prove anew that it is them.
    console.clock.advance(jiff::SignedDuration::from_mins(11));
    let (status, ..) = console.click(&owner, "/settings/people", path, "&name=Two&role=viewer&sees=all").await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(console.count("service_seats").await + console.count("api_tokens").await, 1);
}

#[tokio::test]
async fn a_service_account_is_made_and_removed_over_the_api_and_takes_a_place_in_the_plan() {
    let mut p = Program::new().await;
    let client = p.console.ours.client;
    let with = |name: &str, role: &str| json!({ "name": name, "role": role, "clients": [client] });
    let wrong = [
        (json!({ "role": "viewer", "clients": null }), "name"),
        (with("", "viewer"), "name"),
        (with("Backup", "owner"), "role"),
        (with("Backup", "client_viewer"), "role"),
        (json!({ "name": "Backup", "role": "viewer" }), "clients"),
        (json!({ "name": "Backup", "role": "viewer", "clients": [] }), "clients"),
    ];
    p.refuses("service-accounts", &wrong).await;
    let theirs = json!({ "name": "Backup", "role": "viewer", "clients": [p.console.theirs.client] });
    assert_eq!(p.post("service-accounts", theirs).await.0, StatusCode::NOT_FOUND);

    // Three people are members: there is room for one program.
    p.console.execute("INSERT INTO plans (plan, max_members) VALUES ('four', 4)".to_owned()).await;
    p.console.execute(format!("UPDATE tenants SET plan = 'four' WHERE tenant_id = '{}'", p.console.ours.tenant)).await;
    let (status, made) = p.post("service-accounts", with("Backup", "technician")).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let (status, full) = p.post("service-accounts", with("Deploy", "viewer")).await;
    assert!(status.is_client_error(), "{full}");
    assert_eq!(p.console.count("service_seats").await, 1);
    let (_, list) = p.get("service-accounts").await;
    let one = &list["items"][0];
    assert_eq!(
        (&one["id"], &one["name"], &one["role"], &one["clients"]),
        (&made["id"], &json!("Backup"), &json!("technician"), &json!([client]))
    );
    assert!(!p.get("members").await.1.to_string().contains("Backup"));
    p.console.execute("UPDATE plans SET max_members = NULL WHERE plan = 'four'".to_owned()).await;
    p.refuses("service-accounts", &[(with("Backup", "viewer"), "name")]).await;

    let gone = format!("service-accounts/{}/remove", made["id"].as_str().unwrap());
    assert_eq!(p.post(&gone, json!({})).await.1, json!({ "changed": true }));
    assert_eq!(p.post(&gone, json!({})).await.0, StatusCode::NOT_FOUND);
    let mut p = p.with("owner@ours.example", &["read", "settings"]).await;
    assert_eq!(p.post("service-accounts", with("Backup", "viewer")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(p.console.count("service_seats").await, 0);
}

#[tokio::test]
async fn a_token_of_a_service_account_is_made_over_the_api_too_and_told_as_one() {
    let mut p = Program::new().await;
    let backup = json!({ "name": "Backup", "role": "technician", "clients": null });
    let service = p.post("service-accounts", backup).await.1["id"].clone();
    let of = |service: &Value, scope: &str| json!({ "name": "nightly", "scopes": ["read", scope], "service": service });
    for scope in ["approve", "confirm", "people", "settings", "own", "clients"] {
        p.refuses("tokens", &[(of(&service, scope), "scopes")]).await;
    }
    assert_eq!(p.post("tokens", of(&json!(Uuid::from_u128(1)), "work")).await.0, StatusCode::NOT_FOUND);
    let (status, made) = p.post("tokens", of(&service, "work")).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (_, list) = p.get("tokens").await;
    let shown =
        |is_it: &dyn Fn(&Value) -> bool| list["items"].as_array().unwrap().iter().find(|i| is_it(i)).unwrap().clone();
    let nightly = shown(&|item| item["id"] == made["id"]);
    assert_eq!((&nightly["service"], &nightly["member"]), (&service, &Value::Null));
    let asking = shown(&|item| item["id"] == nightly["minted_by"]);
    assert_eq!((&asking["service"], asking["member"].is_string()), (&Value::Null, true));

    // It does what the account may, as the account, and ends with the one that made it.
    let token = made["token"].as_str().unwrap().to_owned();
    let take = format!("/api/v1/incidents/{}/owner", p.console.ours.incident);
    let (status, ..) = p.console.api("POST", &take, &token, &[], Some(json!({ "answer": "take" }))).await;
    assert_eq!(status, StatusCode::OK);
    let id = service.as_str().unwrap();
    assert!(p.console.count(&format!("audit WHERE actor LIKE 'token % of service {id}'")).await > 0);
    let revoke = format!("tokens/{}/revoke", nightly["minted_by"].as_str().unwrap());
    assert_eq!(p.post(&revoke, json!({})).await.0, StatusCode::OK);
    assert_eq!(p.console.status_of("hosts", &token).await.0, StatusCode::UNAUTHORIZED);
    // Another organization's is not there.
    p = p.with("owner@theirs.example", &["read", "work", "people"]).await;
    assert_eq!(p.post("tokens", of(&service, "work")).await.0, StatusCode::NOT_FOUND);
}
