//! Sign-on over the API: what a token asks for waits for another owner, who has just proven who they are.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::accounts::waits_for_a_lock;
use super::api::ALL;
use super::program::Program;
use super::sign_on::{Provider, person};

/// Against a test that hangs.
const GUARD: std::time::Duration = std::time::Duration::from_secs(60);

/// What an owner's token asks for.
fn wanted(provider: &Provider) -> Value {
    json!({ "issuer": provider.issuer(), "client_id": "mendwright", "secret": "hush-canary", "domains": ["ours.example"],
        "required": true, "why": "We have one now" })
}

impl Program {
    /// An owner's token; the viewer owns the organization too.
    async fn of_owners() -> Program {
        let mut p = Program::of("owner@ours.example", &["own", "read"]).await;
        let tenant = p.console.ours.tenant;
        p.console
            .execute(format!("UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
            .await;
        p
    }

    /// Somebody's word on what waits, on its page.
    async fn word(&mut self, email: &str, answer: &str) -> StatusCode {
        let path = format!("/changes/{}", self.console.change_id().await);
        let cookie = self.console.sign_in(email).await;
        self.console.click(&cookie, "/changes", &path, &format!("&answer={answer}")).await.0
    }

    async fn in_its_time(&self) {
        self.console.clock.advance(SignedDuration::from_mins(31));
        self.console.changes_pass().await;
    }
}

#[tokio::test]
async fn a_provider_that_a_token_asks_for_waits_for_another_owner_in_person() {
    let mut p = Program::of_owners().await;
    let (tenant, provider) = (p.console.ours.tenant, Provider::start().await);
    let with = |field: &str, value: Value| {
        let mut body = wanted(&provider);
        body[field] = value;
        body
    };
    let nowhere = format!("{}/nothing", provider.issuer());
    let wrong = [
        (with("issuer", json!("http://login.example")), "issuer"),
        (with("issuer", json!(nowhere)), "issuer"),
        (with("client_id", json!(" ")), "client_id"),
        (with("secret", json!("")), "secret"),
        (with("secret", json!("two\nlines")), "secret"),
        (with("domains", json!([])), "domains"),
        (with("domains", json!(["ours"])), "domains"),
        (with("required", json!("yes")), "required"),
        (with("why", json!(" ")), "why"),
        (with("told", json!(true)), "told"),
    ];
    p.refuses("sign-on", &wrong).await;
    assert_eq!(p.console.count("proposed_changes").await, 0);
    let key = [("idempotency-key", "one")];
    let (status, waits) = p.post_with("sign-on", &key, wanted(&provider)).await;
    assert_eq!((status, &waits["state"]), (StatusCode::ACCEPTED, &json!("proposed")), "{waits}");
    assert_eq!(p.post_with("sign-on", &key, wanted(&provider)).await, (StatusCode::ACCEPTED, waits.clone()));
    assert_eq!(p.console.count("proposed_changes").await, 1);
    let (_, shown) = p.get("sign-on").await;
    assert_eq!((&shown["provider"], &shown["waits"]), (&json!(null), &waits), "nothing is set yet");
    let told = "tenant_audit WHERE action = 'change.proposed' AND actor LIKE 'token % of member %'";
    assert_eq!(p.console.count(told).await, 1);
    let rows = p.console.everything().await;
    assert!(!rows.contains("hush") && !rows.contains(&hex::encode("hush-canary")), "the secret is sealed");

    // Neither an admin, nor the one whose token asked, nor a token says yes; an owner who proved it long ago proves it first.
    p.console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND role = 'technician'"))
        .await;
    assert_eq!(p.word("sam@ours.example", "yes").await, StatusCode::FORBIDDEN);
    assert_eq!(p.word("owner@ours.example", "yes").await, StatusCode::FORBIDDEN);
    let answer = format!("changes/{}", waits["change"].as_str().unwrap());
    let mut p = p.with("viewer@ours.example", &ALL).await;
    assert_eq!(p.post(&answer, json!({ "answer": "yes" })).await.0, StatusCode::FORBIDDEN);
    let cookie = p.console.sign_in("viewer@ours.example").await;
    let (_, _, page) = p.console.get("/settings/sign-on", &cookie).await;
    assert!(page.contains("waits for a second person") && page.contains(&provider.issuer()), "{page}");
    p.console.clock.advance(SignedDuration::from_mins(11));
    let path = format!("/{answer}");
    assert_eq!(p.console.click(&cookie, "/changes", &path, "&answer=yes").await.0, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(p.console.count("proposed_changes WHERE state = 'proposed'").await, 1);

    // Everything is sealed anew meanwhile; the secret that waits too.
    let mut p = p.with("owner@ours.example", &["settings"]).await;
    assert_eq!(p.post("secrets/sealing-key", json!({})).await.1, json!({ "version": 2, "values": 1 }));
    assert_eq!(p.word("viewer@ours.example", "yes").await, StatusCode::SEE_OTHER);
    p.console.changes_pass().await;
    assert_eq!(p.console.count("sign_on").await, 0, "its time has not come");
    p.in_its_time().await;
    let set = "sign_on WHERE changed_by = 'An API token of owner' AND version = 1 AND sealing_version = 2";
    assert_eq!(p.console.count(set).await, 1);
    assert_eq!(p.console.count("tenants WHERE requires_sign_on").await, 1);
    assert_eq!(p.console.count("proposed_changes WHERE secret_sealed IS NOT NULL").await, 0, "it waits no more");
    let told = "tenant_audit WHERE action = 'organization.sign_on_set' AND detail->>'by' = 'viewer' AND detail->>'proposed_by' = 'An API token of owner'";
    assert_eq!(p.console.count(told).await, 1);
    // Members come by it, and it is shown the secret that was said.
    assert!(p.console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_some());
    let mut shown = String::new();
    provider.says(|says| shown = says.asked.take().unwrap().1);
    assert_eq!(shown, format!("Basic {}", STANDARD.encode("mendwright:hush-canary")));
}

#[tokio::test]
async fn sealing_anew_and_a_word_on_what_waits_do_not_wait_for_each_other() {
    let mut p = Program::of_owners().await;
    let (tenant, provider) = (p.console.ours.tenant, Provider::start().await);
    assert_eq!(p.post("sign-on", wanted(&provider)).await.0, StatusCode::ACCEPTED);
    let path = format!("/changes/{}", p.console.change_id().await);
    let p = p.with("owner@ours.example", &["settings"]).await;
    let viewer = p.console.sign_in("viewer@ours.example").await;
    let mut holder = p.console.db.admin().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE")
        .bind(tenant)
        .execute(&mut *held)
        .await
        .unwrap();
    let rotates = p.post("secrets/sealing-key", json!({}));
    let says = async {
        waits_for_a_lock(&p.console, 1).await;
        p.console.click(&viewer, "/changes", &path, "&answer=yes").await.0
    };
    let release = async {
        waits_for_a_lock(&p.console, 2).await;
        held.rollback().await.unwrap();
    };
    let all = async { tokio::join!(rotates, says, release) };
    let ((rotated, told), said, ()) = tokio::time::timeout(GUARD, all).await.expect("both come to the lock");
    assert_eq!((rotated, said), (StatusCode::OK, StatusCode::SEE_OTHER), "{told}");
}

#[tokio::test]
async fn removing_a_provider_waits_too_and_what_was_set_meanwhile_stands() {
    let mut p = Program::of_owners().await;
    let (tenant, provider) = (p.console.ours.tenant, Provider::start().await);
    let remove = || json!({ "why": "We left it" });
    assert_eq!(p.post("sign-on/remove", remove()).await.0, StatusCode::CONFLICT, "there is none");
    assert_eq!(p.console.set("owner@ours.example", &provider, "").await.0, StatusCode::SEE_OTHER);
    let session = p.console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.unwrap();
    p.refuses("sign-on/remove", &[(json!({}), "why"), (json!({ "why": "" }), "why")]).await;
    let (status, waits) = p.post("sign-on/remove", remove()).await;
    assert_eq!((status, &waits["wanted"]["provider"]), (StatusCode::ACCEPTED, &json!(null)), "{waits}");
    assert_eq!(p.post("sign-on/remove", remove()).await.1, waits, "exactly this waits already");
    assert_eq!(p.console.get("/", &session).await.0, StatusCode::OK, "nothing ended");

    // What another owner set in person meanwhile is not what was to be removed.
    assert_eq!(p.console.set("viewer@ours.example", &provider, "&required=yes").await.0, StatusCode::SEE_OTHER);
    assert_eq!(p.word("viewer@ours.example", "yes").await, StatusCode::SEE_OTHER);
    assert_eq!(p.console.count("proposed_changes WHERE state = 'stale'").await, 1);
    p.in_its_time().await;
    assert_eq!(p.console.count("sign_on WHERE version = 2").await, 1);

    // A no leaves nothing of the secret; another word replaces the one that waits.
    assert_eq!(p.post("sign-on", wanted(&provider)).await.0, StatusCode::ACCEPTED);
    assert_eq!(p.post("sign-on", wanted(&provider)).await.0, StatusCode::ACCEPTED);
    assert_eq!(p.console.count("proposed_changes WHERE secret_sealed IS NOT NULL").await, 1);
    assert_eq!(p.word("viewer@ours.example", "no").await, StatusCode::SEE_OTHER);
    assert_eq!(p.console.count("proposed_changes WHERE secret_sealed IS NOT NULL").await, 0);

    assert_eq!(p.post("sign-on/remove", remove()).await.0, StatusCode::ACCEPTED);
    assert_eq!(p.word("viewer@ours.example", "yes").await, StatusCode::SEE_OTHER);
    let session = p.console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.unwrap();
    p.in_its_time().await;
    assert_eq!(p.console.count("sign_on").await, 0);
    assert_eq!(p.console.count("tenants WHERE requires_sign_on").await, 0);
    assert_ne!(p.console.get("/", &session).await.0, StatusCode::OK, "every session that it began is over");

    // Only an owner's token with that scope asks, and to who is limited there is nothing.
    let client = p.console.ours.client;
    for (email, scopes, refused) in [
        ("owner@ours.example", &["read", "settings", "people", "confirm"][..], StatusCode::FORBIDDEN),
        ("sam@ours.example", &ALL[..], StatusCode::FORBIDDEN),
    ] {
        p = p.with(email, scopes).await;
        assert_eq!(p.post("sign-on", wanted(&provider)).await.0, refused, "{email}");
        assert_eq!(p.post("sign-on/remove", remove()).await.0, refused, "{email}");
    }
    p.console
        .execute(format!(
            "UPDATE memberships SET role = 'admin', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'technician'"
        ))
        .await;
    let p = p.with("sam@ours.example", &ALL).await;
    assert_eq!(p.post("sign-on", wanted(&provider)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(p.post("sign-on/remove", remove()).await.0, StatusCode::NOT_FOUND);
}
