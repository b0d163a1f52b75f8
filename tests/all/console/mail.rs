//! The page of the organization's own mail relay.

use axum::http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde_json::json;
use store::mail_relays;
use uuid::Uuid;

use super::Console;
use super::people::leads_to;

const PAGE: &str = "/settings/mail";
const FORM: &str =
    "&host=smtp.ours.example&port=587&tls=starttls&sender=alerts%40ours.example&user=alerts&secret=relay";

impl Console {
    async fn relay(&self, cookie: &str, form: &str) -> (StatusCode, HeaderMap, String) {
        self.click(cookie, PAGE, PAGE, form).await
    }
}

#[tokio::test]
async fn a_relay_is_set_with_a_secret_that_stays_while_it_refers_to_it() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    let (status, _, page) = console.relay(&owner, FORM).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("There is no SMTP password “relay” among the secrets.") && page.contains("smtp.ours.example")
    );
    let secrets = "/settings/secrets";
    console.click(&owner, secrets, secrets, "&name=relay&kind=api_key&value=canary").await;
    assert_eq!(console.relay(&owner, FORM).await.0, StatusCode::UNPROCESSABLE_ENTITY, "an API key is none");
    let id: Uuid = sqlx::query_scalar("SELECT secret_id FROM secrets").fetch_one(&mut console.rows).await.unwrap();
    let delete = format!("{secrets}/{id}/delete");
    assert_eq!(console.click(&owner, secrets, &delete, "").await.0, StatusCode::SEE_OTHER);
    console.click(&owner, secrets, secrets, "&name=relay&kind=smtp_password&value=canary").await;

    let (status, headers, page) = console.relay(&owner, FORM).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/mail?done=set"), "{page}");
    let mut tx = console.tx().await;
    let set = mail_relays::find(&mut tx).await.unwrap().unwrap();
    tx.rollback().await.unwrap();
    let login = json!({ "user": "alerts", "secret": "relay" });
    let relay = json!({ "host": "smtp.ours.example", "port": 587, "tls": "starttls", "sender": "alerts@ours.example", "login": login });
    assert_eq!((json!(set.relay), set.changed_by.as_str(), set.refused), (relay, "owner", None));
    let id: Uuid = sqlx::query_scalar("SELECT secret_id FROM secrets").fetch_one(&mut console.rows).await.unwrap();
    let delete = format!("{secrets}/{id}/delete");
    let (status, _, page) = console.click(&owner, secrets, &delete, "").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("“relay” stays: the mail relay refers to it."));

    console.execute("UPDATE mail_relays SET refused_at = clock_timestamp(), refusal = '535 no'".to_owned()).await;
    let (_, _, page) = console.get(PAGE, &owner).await;
    assert!(page.contains("smtp.ours.example takes no mails since") && page.contains("535 no"), "{page}");
    assert_eq!(console.click(&owner, PAGE, "/settings/mail/remove", "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.click(&owner, PAGE, "/settings/mail/remove", "").await.0, StatusCode::CONFLICT);
    assert_eq!(console.click(&owner, secrets, &delete, "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("tenant_audit WHERE action LIKE 'organization.relay_%'").await, 2);
}

#[tokio::test]
async fn what_is_no_relay_is_refused_and_only_who_has_just_proven_it_sets_one() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    let without = FORM.replace("&user=alerts&secret=relay", "");
    for (from, to, why) in [
        ("smtp.ours.example", "smtp.ours.example%3A25", "A relay is a name"),
        ("port=587", "port=0", "A port is between"),
        ("port=587", "port=many", "A port is between"),
        ("tls=starttls", "tls=none", "Choose how it is encrypted"),
        ("alerts%40ours.example", "nobody", "Mails come from an address"),
        ("&tls", "&user=alerts&tls", "User and password go together"),
    ] {
        let (status, _, page) = console.relay(&owner, &without.replace(from, to)).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains(why), "{why}: {status}");
    }
    console.clock.advance(SignedDuration::from_mins(11));
    let (status, _, page) = console.relay(&owner, &without).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    assert!(page.contains("/confirm?next=/settings/mail"));
    assert_eq!(console.count("mail_relays").await, 0);
}
