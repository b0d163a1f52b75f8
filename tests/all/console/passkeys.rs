//! Passkeys by a device in software: after the password, alone, for proving anew; and whatever must not count.

use axum::http::{HeaderMap, StatusCode, header};
use jiff::SignedDuration;
use serde_json::Value;
use uuid::Uuid;

use super::authenticator::Authenticator;
use super::people::{cookie_of, encoded, leads_to};
use super::{Console, PASSWORD, token as csrf_of};

/// A browser: what it sends as its cookies.
#[derive(Clone, Debug, Default)]
struct Browser {
    session: String,
    ceremony: String,
}

impl Browser {
    fn cookies(&self) -> String {
        [&self.session[..], &self.ceremony[..]].iter().filter(|c| !c.is_empty()).copied().collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            match pair.starts_with("__Host-ceremony=") {
                true => self.ceremony = pair,
                false => self.session = pair,
            }
        }
    }
}

/// As a field of a form.
fn field(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Console {
    async fn browser(&self, email: &str) -> Browser {
        Browser { session: self.sign_in(email).await, ceremony: String::new() }
    }

    /// A form's path and what follows: the browser keeps its cookies.
    async fn send_of(&self, browser: &mut Browser, path: &str, form: String) -> (StatusCode, HeaderMap, String) {
        let answer = self.post(path, &browser.cookies(), form).await;
        browser.keep(&answer.1);
        answer
    }

    async fn csrf(&self, browser: &Browser, page: &str) -> String {
        csrf_of(&self.get(page, &browser.cookies()).await.2)
    }

    /// Begins a ceremony; what the site wants of the device.
    async fn begin(&self, browser: &mut Browser, path: &str, csrf: &str) -> Value {
        let form = if csrf.is_empty() { String::new() } else { format!("csrf={csrf}") };
        let (status, headers, body) = self.send_of(browser, path, form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let cookie = headers[header::SET_COOKIE].to_str().unwrap();
        for attribute in ["__Host-ceremony=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=300"] {
            assert!(cookie.contains(attribute), "{attribute} is missing in {cookie}");
        }
        serde_json::from_str(&body).unwrap()
    }

    /// Adds a passkey; the device, and the page that says so.
    async fn add(&self, browser: &mut Browser, id: u8, name: &str) -> (Authenticator, StatusCode, String) {
        let csrf = self.csrf(browser, "/settings").await;
        let options = self.begin(browser, "/settings/passkeys/begin", &csrf).await;
        let (device, made) = Authenticator::create(id, &options);
        let form = format!("csrf={csrf}&name={}&credential={}", field(name), field(&made));
        let (status, _, page) = self.send_of(browser, "/settings/passkeys", form).await;
        (device, status, page)
    }

    /// The password, and then half signed in.
    async fn half(&self, email: &str) -> Browser {
        let (status, headers, _) = self.try_sign_in(email, PASSWORD).await;
        assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/sign-in/second"));
        Browser { session: cookie_of(&headers), ceremony: String::new() }
    }

    async fn show(&self, browser: &mut Browser, path: &str, shown: &str) -> (StatusCode, HeaderMap, String) {
        self.send_of(browser, path, format!("credential={}", field(shown))).await
    }
}

/// The path of the form that removes the first passkey of the page.
fn removal(page: &str) -> String {
    let ids = page.split("action=\"/settings/passkeys/").skip(1);
    let id = ids.filter_map(|rest| rest.split_once("/remove\"")).map(|(id, _)| id).next().unwrap();
    format!("/settings/passkeys/{id}/remove")
}

const SECOND: &str = "/sign-in/second/passkey";
const ALONE: &str = "/sign-in/passkey";

#[tokio::test]
async fn a_passkey_lets_in_after_the_password_and_alone_until_it_is_removed() {
    let mut console = Console::new().await;
    let mut sam = console.browser("sam@ours.example").await;
    let (mut device, status, page) = console.add(&mut sam, 1, "Work laptop").await;
    assert_eq!(status, StatusCode::OK);
    let codes: Vec<&str> = page.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(codes.len(), 10, "the first second factor brings recovery codes");
    assert_eq!(console.letter().await.subject, "A passkey was added");
    let (_, _, page) = console.get("/settings", &sam.cookies()).await;
    assert!(page.contains("Work laptop") && page.contains("never used") && page.contains("10 of 10 recovery codes"));

    // After the password.
    let mut half = console.half("sam@ours.example").await;
    let (_, _, page) = console.get("/sign-in/second", &half.cookies()).await;
    assert!(page.contains("Use a passkey") && page.contains("Recovery code"));
    let options = console.begin(&mut half, "/sign-in/second/passkey/begin", "").await;
    assert_eq!(options["publicKey"]["rpId"], "mend.example");
    assert_eq!(options["publicKey"]["userVerification"], "required");
    let shown = device.get(&options);
    let before = half.clone();
    let (status, headers, _) = console.show(&mut half, SECOND, &shown).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/"));
    assert_ne!(half.session, before.session, "a new session id");
    assert_eq!(console.get("/incidents", &half.cookies()).await.0, StatusCode::OK);
    assert_eq!(console.get("/incidents", &before.session).await.0, StatusCode::SEE_OTHER);

    // Alone, and back to where they wanted.
    let mut alone = Browser::default();
    let options = console.begin(&mut alone, "/sign-in/passkey/begin", "").await;
    assert!(options["publicKey"]["allowCredentials"].as_array().is_none_or(Vec::is_empty), "nobody is named");
    let sessions = console.count("sessions").await;
    let form = format!("credential={}&next=/hosts", field(&device.get(&options)));
    let (status, headers, _) = console.send_of(&mut alone, ALONE, form).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/hosts"));
    assert_eq!(console.count("sessions").await, sessions + 1);
    assert!(console.get("/hosts", &alone.cookies()).await.2.contains("Ours-host"));

    // A recovery code stands in for it.
    let mut half = console.half("sam@ours.example").await;
    let (status, ..) = console.send_of(&mut half, "/sign-in/second", format!("code={}", codes[0])).await;
    assert_eq!(status, StatusCode::SEE_OTHER);

    let (_, _, page) = console.get("/settings", &sam.cookies()).await;
    assert!(page.contains("9 of 10 recovery codes") && !page.contains("never used"));
    let removal = removal(&page);
    let other = console.browser("owner@ours.example").await;
    let csrf = console.csrf(&other, "/settings").await;
    assert_eq!(console.post(&removal, &other.cookies(), format!("csrf={csrf}")).await.0, StatusCode::NOT_FOUND);
    let csrf = console.csrf(&sam, "/settings").await;
    let (status, ..) = console.send_of(&mut sam, &removal, format!("csrf={csrf}")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.letter().await.subject, "A passkey was removed");
    for (action, rows) in [("member.passkey_added", 1), ("member.passkey_removed", 1)] {
        assert_eq!(console.count(&format!("tenant_audit WHERE action = '{action}'")).await, rows);
    }
    let mut gone = Browser::default();
    let options = console.begin(&mut gone, "/sign-in/passkey/begin", "").await;
    let (status, ..) = console.show(&mut gone, ALONE, &device.get(&options)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "a passkey that was removed signs in no more");
    console.sign_in("sam@ours.example").await;
    assert_eq!(console.count("recovery_codes").await, 0, "with the last second factor go the codes");
}

#[tokio::test]
async fn the_first_passkey_and_the_removal_of_any_end_every_other_session_of_the_login() {
    let console = Console::new().await;
    let (mut sam, elsewhere) = (console.browser("sam@ours.example").await, console.sign_in("sam@ours.example").await);
    let (mut device, ..) = console.add(&mut sam, 1, "Laptop").await;
    assert_eq!(console.get("/incidents", &elsewhere).await.0, StatusCode::SEE_OTHER, "it had the password alone");
    assert_eq!(console.get("/incidents", &sam.cookies()).await.0, StatusCode::OK);
    let mut other = Browser::default();
    let options = console.begin(&mut other, "/sign-in/passkey/begin", "").await;
    assert_eq!(console.show(&mut other, ALONE, &device.get(&options)).await.0, StatusCode::SEE_OTHER);
    console.add(&mut sam, 2, "Key in the safe").await;
    assert_eq!(console.get("/incidents", &other.cookies()).await.0, StatusCode::OK, "another one ends nothing");
    let removal = removal(&console.get("/settings", &sam.cookies()).await.2);
    let csrf = console.csrf(&sam, "/settings").await;
    let (status, ..) = console.send_of(&mut sam, &removal, format!("csrf={csrf}")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/incidents", &other.cookies()).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/incidents", &sam.cookies()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_was_begun_counts_once_in_time_in_its_browser_and_for_its_login() {
    let console = Console::new().await;
    let mut sam = console.browser("sam@ours.example").await;
    let (mut device, ..) = console.add(&mut sam, 1, "Laptop").await;
    let mut owner = console.browser("owner@ours.example").await;
    let (mut owners, ..) = console.add(&mut owner, 2, "Phone").await;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;

    // The same answer again, also at once.
    let mut half = console.half("sam@ours.example").await;
    let options = console.begin(&mut half, "/sign-in/second/passkey/begin", "").await;
    let shown = device.get(&options);
    let form = format!("credential={}", field(&shown));
    let cookies = half.cookies();
    let tries = (0..4).map(|_| console.post(SECOND, &cookies, form.clone()));
    let answers = futures_util::future::join_all(tries).await;
    let won: Vec<_> = answers.iter().filter(|(_, headers, _)| leads_to(headers) == "/").collect();
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|(status, ..)| status).collect::<Vec<_>>());
    let mut again = console.half("sam@ours.example").await;
    again.ceremony.clone_from(&half.ceremony);
    assert_eq!(console.show(&mut again, SECOND, &shown).await.0, refused, "it was taken");

    // Without the browser's cookie, with an old answer to a new challenge, with somebody else's key, too late.
    let mut half = console.half("sam@ours.example").await;
    let options = console.begin(&mut half, "/sign-in/second/passkey/begin", "").await;
    let good = device.get(&options);
    let mut elsewhere = Browser { session: half.session.clone(), ceremony: String::new() };
    assert_eq!(console.show(&mut elsewhere, SECOND, &good).await.0, refused, "it is bound to its browser");
    assert_eq!(console.show(&mut half, SECOND, &shown).await.0, refused, "an answer of before");
    let options = console.begin(&mut half, "/sign-in/second/passkey/begin", "").await;
    assert_eq!(console.show(&mut half, SECOND, &owners.get(&options)).await.0, refused, "somebody else's key");
    let options = console.begin(&mut half, "/sign-in/second/passkey/begin", "").await;
    let late = device.get(&options);
    console.clock.advance(SignedDuration::from_secs(299));
    let mut fresh = console.half("sam@ours.example").await;
    fresh.ceremony.clone_from(&half.ceremony);
    console.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(console.show(&mut fresh, SECOND, &late).await.0, refused, "too late");

    // What one login began, another does not finish; nor one purpose for another.
    let mut half = console.half("sam@ours.example").await;
    console.begin(&mut half, "/sign-in/second/passkey/begin", "").await;
    let mut theirs = console.half("owner@ours.example").await;
    let options = console.begin(&mut theirs, "/sign-in/second/passkey/begin", "").await;
    theirs.ceremony.clone_from(&half.ceremony);
    assert_eq!(console.show(&mut theirs, SECOND, &owners.get(&options)).await.0, refused, "another login's");
    let options = console.begin(&mut half, "/sign-in/passkey/begin", "").await;
    assert_eq!(console.show(&mut half, SECOND, &device.get(&options)).await.0, refused, "another purpose's");
}

#[tokio::test]
async fn nothing_a_device_or_a_browser_makes_up_counts() {
    let console = Console::new().await;
    let mut sam = console.browser("sam@ours.example").await;
    let (mut device, ..) = console.add(&mut sam, 1, "Laptop").await;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let begin = "/sign-in/passkey/begin";

    for garbage in ["", "x", "{}", "[]", "null", "{\"id\":\"\",\"rawId\":\"\",\"type\":\"public-key\",\"response\":{}}"]
    {
        let mut browser = Browser::default();
        console.begin(&mut browser, begin, "").await;
        let (status, _, page) = console.show(&mut browser, ALONE, garbage).await;
        assert!(status == refused && page.contains("That did not work"), "{garbage}");
    }
    let mut fails = async |change: &dyn Fn(&mut Authenticator), why: &str| {
        let mut browser = Browser::default();
        let options = console.begin(&mut browser, begin, "").await;
        change(&mut device);
        let shown = device.get(&options);
        (device.origin, device.verifies) = ("https://mend.example", true);
        assert_eq!(console.show(&mut browser, ALONE, &shown).await.0, refused, "{why}");
    };
    fails(&|device| device.origin = "https://mend.example.evil.example", "a site that looks like it").await;
    fails(&|device| device.origin = "http://mend.example", "not over https").await;
    fails(&|device| device.verifies = false, "the device has not looked who it is").await;
    let mut browser = Browser::default();
    let options = console.begin(&mut browser, begin, "").await;
    let mut forged = device.get(&options).parse::<Value>().unwrap();
    forged["response"]["userHandle"] = "AAAAAAAAAAAAAAAAAAAAAA".into();
    assert_eq!(console.show(&mut browser, ALONE, &forged.to_string()).await.0, refused, "another user's name on it");

    // A copy of the key does not know how far its original has counted.
    let mut browser = Browser::default();
    let options = console.begin(&mut browser, begin, "").await;
    assert_eq!(console.show(&mut browser, ALONE, &device.get(&options)).await.0, StatusCode::SEE_OTHER);
    device.counter -= 2;
    let mut browser = Browser::default();
    let options = console.begin(&mut browser, begin, "").await;
    assert_eq!(console.show(&mut browser, ALONE, &device.get(&options)).await.0, refused, "a copy");

    // Adding: a name, what was begun, and no key twice.
    let csrf = console.csrf(&sam, "/settings").await;
    for (form, why) in [
        ("name=Key&credential=x".to_owned(), "No passkey was added"),
        ("name=&credential=x".to_owned(), "The name is missing"),
        (format!("name={}&credential=x", "k".repeat(101)), "too long"),
    ] {
        let (status, _, page) = console.send_of(&mut sam, "/settings/passkeys", format!("csrf={csrf}&{form}")).await;
        assert!(status == refused && page.contains(why), "{why}");
    }
    let mut owner = console.browser("owner@ours.example").await;
    let csrf = console.csrf(&owner, "/settings").await;
    let options = console.begin(&mut owner, "/settings/passkeys/begin", &csrf).await;
    let form = format!("csrf={csrf}&name=Stolen&credential={}", field(&device.attest(&options)));
    let (status, _, page) = console.send_of(&mut owner, "/settings/passkeys", form).await;
    assert!(status == refused && page.contains("has a passkey of this site already"), "{status}");
    for odd in ["csrf=x", "", "csrf=x&more=1"] {
        let (status, ..) = console.send_of(&mut owner, "/settings/passkeys/begin", odd.to_owned()).await;
        assert!(status.is_client_error(), "{odd}: {status}");
    }
}

#[tokio::test]
async fn the_last_second_factor_stays_where_everybody_must_have_one() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    console.execute(format!("UPDATE tenants SET requires_second_factor = true WHERE tenant_id = '{tenant}'")).await;
    let mut sam = console.browser("sam@ours.example").await;
    assert_eq!(leads_to(&console.get("/hosts", &sam.cookies()).await.1), "/settings/second-factor");
    let (_, status, _) = console.add(&mut sam, 1, "Laptop").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(console.get("/hosts", &sam.cookies()).await.0, StatusCode::OK, "a passkey is a second factor");
    let (_, status, _) = console.add(&mut sam, 2, "Key in the safe").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "codes are shown for the first alone");
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT passkey_id FROM passkeys").fetch_all(&mut console.rows).await.unwrap();
    let csrf = console.csrf(&sam, "/settings").await;
    // Both at once: one of them is the last.
    let removals = ids.iter().map(|id| {
        let path = format!("/settings/passkeys/{id}/remove");
        let (console, cookies, form) = (&console, sam.cookies(), format!("csrf={csrf}"));
        async move { console.post(&path, &cookies, form).await }
    });
    let answers = futures_util::future::join_all(removals).await;
    let stays: Vec<_> = answers.iter().filter(|(status, ..)| *status == StatusCode::UNPROCESSABLE_ENTITY).collect();
    assert!(stays.len() == 1 && stays[0].2.contains("Add another before you remove it"));
    assert_eq!(console.count("passkeys").await, 1);
}

#[tokio::test]
async fn a_passkey_is_added_removed_and_proves_anew_only_as_it_should() {
    let console = Console::new().await;
    let mut sam = console.browser("sam@ours.example").await;
    let (mut device, ..) = console.add(&mut sam, 1, "Laptop").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let csrf = console.csrf(&sam, "/settings").await;
    let page = console.get("/settings", &sam.cookies()).await.2;
    let removal = removal(&page);
    for path in ["/settings/passkeys/begin", "/settings/passkeys", &removal] {
        let form = match path {
            "/settings/passkeys" => format!("csrf={csrf}&name=Key&credential=x"),
            _ => format!("csrf={csrf}"),
        };
        let (status, _, page) = console.send_of(&mut sam, path, form).await;
        assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "{path}");
        assert!(page.contains("/confirm?next=/settings"), "{path}");
    }
    // The password alone proves nothing any more; the passkey does.
    let proof = format!("csrf={csrf}&password={}", encoded(PASSWORD));
    assert_eq!(console.send_of(&mut sam, "/confirm", proof).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let options = console.begin(&mut sam, "/confirm/passkey/begin", &csrf).await;
    let form = format!("csrf={csrf}&next=/settings&credential={}", field(&device.get(&options)));
    let before = sam.clone();
    let (status, headers, _) = console.send_of(&mut sam, "/confirm/passkey", form.clone()).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings"));
    assert_ne!(sam.session, before.session, "a new session id");
    let (status, ..) = console.send_of(&mut sam, "/confirm/passkey", form).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "a proof counts once");
    let (status, ..) = console.send_of(&mut sam, &removal, format!("csrf={csrf}")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    // Who has none is asked for none.
    let (status, ..) = console.send_of(&mut sam, "/confirm/passkey/begin", format!("csrf={csrf}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_source_that_tries_too_often_waits_with_passkeys_too_and_begins_no_more_than_so_much() {
    let console = Console::new().await;
    let mut sam = console.browser("sam@ours.example").await;
    let (mut device, ..) = console.add(&mut sam, 1, "Laptop").await;
    let mut browser = Browser::default();
    for _ in 0..32 {
        console.show(&mut browser, ALONE, "x").await;
    }
    let options = console.begin(&mut browser, "/sign-in/passkey/begin", "").await;
    let (status, ..) = console.show(&mut browser, ALONE, &device.get(&options)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "its source rests");
    let mut statuses = Vec::new();
    for _ in 0..101 {
        statuses.push(console.post("/sign-in/passkey/begin", "", String::new()).await.0);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
    console.clock.advance(SignedDuration::from_mins(16));
    let options = console.begin(&mut browser, "/sign-in/passkey/begin", "").await;
    assert_eq!(console.show(&mut browser, ALONE, &device.get(&options)).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_site_without_a_name_has_no_passkeys() {
    let console = Console::new().await;
    let router = web::router(console.app(web::Config::new("http://127.0.0.1:8080")));
    let console = Console { router, ..console };
    let (status, ..) = console.post("/sign-in/passkey/begin", "", String::new()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(!console.get("/sign-in", "").await.2.contains("passkey"));
}
