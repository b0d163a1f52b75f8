//! People: beginning an organization, invitations, a forgotten password, the second factor, proving anew, sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use engine::letters::Letters;
use jiff::SignedDuration;
use keys::token;
use mail::Mailer;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use server::cli::{OwnerArgs, Platform, SignUpArg};
use uuid::Uuid;

use super::{Console, PASSWORD, token as csrf_of};

const NEW: &str = "another long enough sentence";

/// What a mail says and where it leads.
pub(super) struct Letter {
    pub(super) to: String,
    pub(super) subject: String,
    /// The link's path.
    pub(super) path: String,
}

impl Letter {
    pub(super) fn read(mail: &mail::Envelope) -> Letter {
        let path = mail.text.split_once("https://mend.example").unwrap().1.split_whitespace().next().unwrap();
        Letter { to: mail.to.clone(), subject: mail.subject.clone(), path: path.to_owned() }
    }
}

/// Whether the server was told which proxies there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxies {
    Named,
    Unnamed,
}

impl Console {
    /// Sends the letters that are due and reads them.
    pub(super) async fn letters(&self) -> Vec<Letter> {
        self.mails().await.iter().map(Letter::read).collect()
    }

    /// Sends the letters that are due; the mails.
    pub(super) async fn mails(&self) -> Vec<mail::Envelope> {
        let memory = mail::Memory::default();
        let letters = Letters {
            mailer: Arc::new(Mailer::Memory(memory.clone())),
            sender: "Mendwright <mend@mend.example>".to_owned(),
            public_url: "https://mend.example".to_owned(),
            mint: Arc::new(|kind| {
                let mut seed = [0; 32];
                rand::fill(&mut seed);
                token::mint(kind, &mut StdRng::from_seed(seed))
            }),
        };
        while letters.pass(&self.store).await.unwrap() > 0 {}
        memory.sent()
    }

    /// The one letter that is due.
    pub(super) async fn letter(&self) -> Letter {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{:?}", letters.iter().map(|l| &l.subject).collect::<Vec<_>>());
        letters.remove(0)
    }

    /// A form of somebody signed in, from the page that shows it.
    pub(super) async fn click(
        &self,
        cookie: &str,
        page: &str,
        path: &str,
        form: &str,
    ) -> (StatusCode, HeaderMap, String) {
        let (_, _, body) = self.get(page, cookie).await;
        self.post(path, cookie, format!("csrf={}{form}", csrf_of(&body))).await
    }

    /// Tries to sign in from an address.
    pub(super) async fn try_sign_in_from(&self, from: &str, email: &str, password: &str) -> StatusCode {
        let mut request = Request::post("/sign-in")
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("email={}&password={}", encoded(email), encoded(password))))
            .unwrap();
        let address: IpAddr = from.parse().unwrap();
        request.extensions_mut().insert(web::Peer(SocketAddr::new(address, 4000)));
        self.send(request).await.0
    }

    /// Posts a form from an address, where the server was told which proxies there are or was not.
    pub(super) async fn post_from(&self, from: &str, named: Proxies, path: &str, form: &str) -> StatusCode {
        let mut request = Request::post(path)
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        let address: IpAddr = from.parse().unwrap();
        request.extensions_mut().insert(web::Peer(SocketAddr::new(address, 4000)));
        if named == Proxies::Named {
            request.extensions_mut().insert(web::ProxiesNamed);
        }
        self.send(request).await.0
    }

    async fn sign_up_is(&mut self, word: &str) {
        self.execute(format!("UPDATE platform_state SET sign_up = '{word}'")).await;
    }
}

pub(super) fn cookie_of(headers: &HeaderMap) -> String {
    headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

pub(super) fn leads_to(headers: &HeaderMap) -> &str {
    headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default()
}

pub(super) fn encoded(text: &str) -> String {
    text.replace(' ', "+").replace('@', "%40")
}

#[tokio::test]
async fn an_organization_begins_with_a_proven_address_and_its_owner_is_in() {
    let mut console = Console::new().await;
    console.sign_up_is("open").await;
    let wish = "organization=Harbor+IT&name=Noor+Haddad&email=noor%40harbor.example".to_owned();
    let (status, _, page) = console.post("/sign-up", "", wish.clone()).await;
    assert!(status == StatusCode::OK && page.contains("Look into your mail"));
    assert_eq!(console.count("tenants").await, 2, "nothing is made before the address is proven");
    let letter = console.letter().await;
    assert_eq!(
        (letter.to.as_str(), letter.subject.as_str()),
        ("noor@harbor.example", "Confirm your address to begin Harbor IT")
    );
    let dump: String = sqlx::query_scalar(
        "SELECT (SELECT string_agg(l::text, '') FROM letters l) || (SELECT string_agg(k::text, '') FROM links k)",
    )
    .fetch_one(&mut console.rows)
    .await
    .unwrap();
    let secret = letter.path.rsplit_once('/').unwrap().1;
    assert!(!dump.contains(secret) && !dump.contains(&hex::encode(secret)), "a link is kept by its hash alone");

    let (status, _, page) = console.get(&letter.path, "").await;
    assert!(status == StatusCode::OK && page.contains("Harbor IT") && page.contains("noor@harbor.example"));
    let (status, _, page) = console.post(&letter.path, "", "password=short".to_owned()).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("12 characters"));
    let (status, headers, _) = console.post(&letter.path, "", format!("password={}", encoded(NEW))).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/"));
    let cookie = cookie_of(&headers);
    let (status, _, board) = console.get("/", &cookie).await;
    assert!(status == StatusCode::OK && board.contains("Harbor IT") && board.contains("Noor Haddad"));
    assert!(!board.contains("Ours") && !board.contains("Theirs"));
    let (status, ..) = console.get(&letter.path, "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "the link is used up");
    assert_eq!(console.count("tenant_audit WHERE action = 'organization.begun'").await, 1);
    assert_eq!(
        console.count("guardrail_buckets b JOIN tenants t USING (tenant_id) WHERE t.name = 'Harbor IT'").await,
        1
    );

    // It begins with rules that are signed with a key of its own, and a service that its host declares is one click away.
    let of = "t JOIN tenants USING (tenant_id) WHERE tenants.name = 'Harbor IT'";
    for (table, rows) in [("tenant_keys", 1), ("playbook_versions", 1), ("mappings", 1), ("checks", 2), ("channels", 1)]
    {
        assert_eq!(console.count(&format!("{table} {of}")).await, rows, "{table}");
    }

    // Once more with the same address: another letter, the same answer.
    let (_, _, again) = console.post("/sign-up", "", wish).await;
    assert!(again.contains("Look into your mail"));
    let letter = console.letter().await;
    assert_eq!((letter.subject.as_str(), letter.path.as_str()), ("You have a Mendwright account already", "/sign-in"));
}

#[tokio::test]
async fn where_sign_up_is_not_open_nothing_is_sent() {
    let mut console = Console::new().await;
    let wish = || "organization=Harbor&name=N&email=n%40harbor.example".to_owned();
    for word in ["closed", "invitation"] {
        console.sign_up_is(word).await;
        let (_, _, page) = console.get("/sign-up", "").await;
        assert!(page.contains("by invitation") && !page.contains("<form method=\"post\" action=\"/sign-up\""));
        assert_eq!(console.post("/sign-up", "", wish()).await.0, StatusCode::FORBIDDEN);
    }
    assert!(console.letters().await.is_empty());
}

#[tokio::test]
async fn a_link_of_sign_up_begins_nothing_while_sign_up_is_not_open() {
    let mut console = Console::new().await;
    console.sign_up_is("open").await;
    console.post("/sign-up", "", "organization=Harbor&name=N&email=n%40harbor.example".to_owned()).await;
    let letter = console.letter().await;
    let form = || format!("password={}", encoded(NEW));
    for word in ["invitation", "closed"] {
        console.sign_up_is(word).await;
        assert_eq!(console.get(&letter.path, "").await.0, StatusCode::UNPROCESSABLE_ENTITY, "{word}");
        assert_eq!(console.post(&letter.path, "", form()).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{word}");
        assert_eq!(console.count("tenants").await, 2, "{word}");
    }
    console.sign_up_is("open").await;
    assert_eq!(console.post(&letter.path, "", form()).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_organization_is_begun_once_however_often_the_link_is_followed_at_once() {
    let mut console = Console::new().await;
    console.sign_up_is("open").await;
    console.post("/sign-up", "", "organization=Harbor&name=N&email=n%40harbor.example".to_owned()).await;
    let letter = console.letter().await;
    let answers = (0..50).map(|_| console.post(&letter.path, "", format!("password={}", encoded(NEW))));
    let answers = futures_util::future::join_all(answers).await;
    let won = answers.iter().filter(|(status, ..)| *status == StatusCode::SEE_OTHER).count();
    assert_eq!(won, 1, "{:?}", answers.iter().map(|(status, ..)| status).collect::<Vec<_>>());
    assert_eq!(console.count("tenants WHERE name = 'Harbor'").await, 1);
    assert_eq!(console.count("memberships WHERE email = 'n@harbor.example'").await, 1);
}

#[tokio::test]
async fn who_is_invited_to_some_clients_sees_these_and_nothing_else() {
    let mut console = Console::new().await;
    let (tenant, client) = (console.ours.tenant, console.ours.client);
    let other = Uuid::from_u128(77);
    console
        .execute(format!(
            "INSERT INTO clients (tenant_id, client_id, name, created_at) VALUES ('{tenant}', '{other}', 'Second company', clock_timestamp())"
        ))
        .await;
    let owner = console.sign_in("owner@ours.example").await;
    let form = format!("&email=kim%40new.example&role=technician&sees=some&client={other}");
    let (status, headers, _) = console.click(&owner, "/settings/people", "/settings/people", &form).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/people?done=invited"));
    let (_, _, page) = console.get("/settings/people", &owner).await;
    assert!(page.contains("kim@new.example") && page.contains("Technician, Second company"));
    let letter = console.letter().await;
    assert_eq!(letter.subject, "owner invites you to Ours");

    let answers = (0..50).map(|_| console.post(&letter.path, "", format!("name=Kim&password={}", encoded(NEW))));
    let answers = futures_util::future::join_all(answers).await;
    let mut won = answers.into_iter().filter(|(status, ..)| *status == StatusCode::SEE_OTHER);
    let kim = cookie_of(&won.next().expect("one is in").1);
    assert!(won.next().is_none(), "of fifty answers one wins");
    for path in ["/", "/incidents", "/hosts", "/guardrails"] {
        let (status, _, body) = console.get(path, &kim).await;
        assert!(status == StatusCode::OK && !body.contains("Ours client") && !body.contains("Ours-host"), "{path}");
    }
    assert_eq!(console.get(&format!("/guardrails/{client}"), &kim).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.get(&format!("/guardrails/{other}"), &kim).await.0, StatusCode::OK);
    assert_eq!(console.get("/settings/people", &kim).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.count("tenant_audit WHERE action = 'member.joined'").await, 1);
    // The rows of the policy, not only of the pages: a limit given later counts with the next request.
    console
        .execute(format!(
            "UPDATE memberships SET client_ids = NULL WHERE tenant_id = '{tenant}' AND email = 'kim@new.example'"
        ))
        .await;
    assert!(console.get("/hosts", &kim).await.2.contains("Ours-host"));
}

#[tokio::test]
async fn who_has_an_account_joins_with_its_password_and_goes_from_one_organization_to_the_other() {
    let console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    console
        .click(&owner, "/settings/people", "/settings/people", "&email=tess%40theirs.example&role=viewer&sees=all")
        .await;
    let letter = console.letter().await;
    let (_, _, page) = console.get(&letter.path, "").await;
    assert!(page.contains("You have an account"));
    let (status, ..) = console.post(&letter.path, "", format!("name=Tess&password={}", encoded(NEW))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "not with a password of the link's holder's choice");
    let (status, headers, _) =
        console.post(&letter.path, "", format!("name=Tess&password={}", encoded(PASSWORD))).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let cookie = cookie_of(&headers);
    assert!(console.get("/hosts", &cookie).await.2.contains("Ours-host"));
    let form = format!("&tenant={}", console.theirs.tenant);
    let (status, ..) = console.click(&cookie, "/settings", "/settings/organization", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, _, hosts) = console.get("/hosts", &cookie).await;
    assert!(hosts.contains("Theirs-host") && !hosts.contains("Ours-host"));
    let stranger = console.sign_in("sam@ours.example").await;
    let (status, ..) = console.click(&stranger, "/settings", "/settings/organization", &form).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a seat is no wish");
}

#[tokio::test]
async fn nobody_gives_or_takes_what_their_role_does_not_manage() {
    let mut console = Console::new().await;
    let tenant = console.ours.tenant;
    console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
        .await;
    let admin = console.sign_in("viewer@ours.example").await;
    let path = |of: &str| format!("/settings/people/{of}");
    let id = async |console: &mut Console, email: &str| -> String {
        let id: Uuid = sqlx::query_scalar("SELECT login_id FROM logins WHERE email = $1")
            .bind(email)
            .fetch_one(&mut console.rows)
            .await
            .unwrap();
        id.to_string()
    };
    let (owner, sam, own) = (
        id(&mut console, "owner@ours.example").await,
        id(&mut console, "sam@ours.example").await,
        id(&mut console, "viewer@ours.example").await,
    );
    let sees = "&sees=all";
    for (path, form) in [
        ("/settings/people".to_owned(), format!("&email=a%40b.example&role=owner{sees}")),
        (path(&sam), format!("&role=owner{sees}")),
        (path(&owner), format!("&role=viewer{sees}")),
        (format!("{}/remove", path(&owner)), String::new()),
        (path(&own), format!("&role=owner{sees}")),
        (format!("{}/remove", path(&own)), String::new()),
    ] {
        let (status, ..) = console.click(&admin, "/settings/people", &path, &form).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path} {form}");
    }
    let (status, _, page) =
        console.click(&admin, "/settings/people", &path(&sam), &format!("&role=client_viewer{sees}")).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("choose which"));
    let foreign = format!("&role=viewer&sees=some&client={}", console.theirs.client);
    let (status, ..) = console.click(&admin, "/settings/people", &path(&sam), &foreign).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a client of somebody else's");
    // What they may: and it counts at once, for a session that is open.
    let sam_cookie = console.sign_in("sam@ours.example").await;
    let limited = format!("&role=technician&sees=some&client={}", Uuid::nil());
    assert_eq!(console.click(&admin, "/settings/people", &path(&sam), &limited).await.0, StatusCode::NOT_FOUND);
    let (status, ..) = console.click(&admin, "/settings/people", &format!("{}/remove", path(&sam)), "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(leads_to(&console.get("/", &sam_cookie).await.1), "/sign-in?next=/");
    assert_eq!(console.count("tenant_audit WHERE action = 'member.removed'").await, 1);
    // An invitation can be taken back.
    console
        .click(&admin, "/settings/people", "/settings/people", &format!("&email=lee%40new.example&role=viewer{sees}"))
        .await;
    let invitation: Uuid = sqlx::query_scalar("SELECT invitation_id FROM invitations WHERE state = 'open'")
        .fetch_one(&mut console.rows)
        .await
        .unwrap();
    console.click(&admin, "/settings/people", &format!("/settings/invitations/{invitation}/revoke"), "").await;
    let letter = console.letter().await;
    assert_eq!(
        console.post(&letter.path, "", format!("name=Lee&password={}", encoded(NEW))).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn a_forgotten_password_is_set_once_within_ten_minutes_and_ends_every_session() {
    let console = Console::new().await;
    let old = console.sign_in("sam@ours.example").await;
    let ask = |email: &str| console.post("/reset", "", format!("email={}", encoded(email)));
    let (known, unknown) = (ask("sam@ours.example").await, ask("nobody@ours.example").await);
    let plain = |(status, headers, body): (StatusCode, HeaderMap, String)| {
        (status, body.replace(headers["x-request-id"].to_str().unwrap(), ""))
    };
    assert_eq!(plain(known), plain(unknown), "whether there is an account is told to nobody");
    let letter = console.letter().await;
    assert_eq!((letter.to.as_str(), letter.subject.as_str()), ("sam@ours.example", "Set a new password"));
    let form = || format!("password={}", encoded(NEW));
    let (status, ..) = console.post("/reset/mw_reset_guess", "", form()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let answers = futures_util::future::join_all((0..50).map(|_| console.post(&letter.path, "", form()))).await;
    assert_eq!(answers.iter().filter(|(status, ..)| *status == StatusCode::OK).count(), 1, "once");
    assert_eq!(console.get("/", &old).await.0, StatusCode::SEE_OTHER, "who was signed in is not any more");
    assert_eq!(console.try_sign_in("sam@ours.example", PASSWORD).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.try_sign_in("sam@ours.example", NEW).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.letter().await.subject, "Your password was changed");

    ask("sam@ours.example").await;
    let letter = console.letter().await;
    console.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(console.post(&letter.path, "", form()).await.0, StatusCode::UNPROCESSABLE_ENTITY, "too late");
    // Nobody's mailbox is filled through us.
    for _ in 0..9 {
        ask("sam@ours.example").await;
    }
    assert!(console.letters().await.len() <= 5);
}

/// The code of a shared secret at the console's time.
async fn code(console: &Console, secret: &[u8]) -> String {
    let now = console.store.system().await.unwrap().now().await.unwrap().as_second();
    keys::totp::code_at(secret, now.unsigned_abs()).unwrap()
}

/// Turns the second factor on; the shared secret and the recovery codes.
pub(super) async fn turn_on(console: &Console, cookie: &str) -> (Vec<u8>, Vec<String>) {
    let (status, _, page) = console.get("/settings/second-factor", cookie).await;
    assert_eq!(status, StatusCode::OK);
    let spelled = page.split_once("<code class=\"wrap\">").unwrap().1.split('<').next().unwrap().replace(' ', "");
    let secret = base32(&spelled);
    let form = format!("&code={}", code(console, &secret).await);
    let (status, _, page) = console.click(cookie, "/settings/second-factor", "/settings/second-factor", &form).await;
    assert_eq!(status, StatusCode::OK);
    let codes = page.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    (secret, codes)
}

pub(super) fn base32(text: &str) -> Vec<u8> {
    let bits: String =
        text.chars().map(|c| format!("{:05b}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap())).collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

#[tokio::test]
async fn a_second_factor_is_asked_for_counts_once_and_recovery_codes_stand_in_for_it() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let (secret, codes) = turn_on(&console, &cookie).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(console.letter().await.subject, "Your second factor is on");
    let dump: String =
        sqlx::query_scalar("SELECT string_agg(l::text, '') FROM logins l").fetch_one(&mut console.rows).await.unwrap();
    assert!(!dump.contains(&hex::encode(&secret)), "the shared secret is sealed");

    let (status, headers, _) = console.try_sign_in("sam@ours.example", PASSWORD).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/sign-in/second"));
    let pending = cookie_of(&headers);
    assert_eq!(
        leads_to(&console.get("/incidents", &pending).await.1),
        "/sign-in?next=/incidents",
        "half a sign-in opens nothing"
    );
    let try_code =
        async |cookie: &str, code: &str| console.post("/sign-in/second", cookie, format!("code={code}")).await;
    let taken = code(&console, &secret).await;
    assert_eq!(
        try_code(&pending, &taken).await.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the code that turned it on was taken"
    );
    console.clock.advance(SignedDuration::from_secs(31));
    let fresh = code(&console, &secret).await;
    let (status, headers, _) = try_code(&pending, &fresh).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/"));
    let inside = cookie_of(&headers);
    assert_ne!(inside, pending, "a new session id");
    assert_eq!(console.get("/incidents", &inside).await.0, StatusCode::OK);

    let again = cookie_of(&console.try_sign_in("sam@ours.example", PASSWORD).await.1);
    assert_eq!(try_code(&again, &fresh).await.0, StatusCode::UNPROCESSABLE_ENTITY, "no code counts twice");
    assert_eq!(try_code(&again, &codes[3]).await.0, StatusCode::SEE_OTHER);
    let again = cookie_of(&console.try_sign_in("sam@ours.example", PASSWORD).await.1);
    assert_eq!(try_code(&again, &codes[3]).await.0, StatusCode::UNPROCESSABLE_ENTITY, "nor a recovery code");
    // Guesses are slowed down, whoever makes them and also in a new half sign-in.
    for _ in 0..8 {
        try_code(&again, "000000").await;
    }
    console.clock.advance(SignedDuration::from_millis(200));
    assert_eq!(try_code(&again, &codes[4]).await.0, StatusCode::UNPROCESSABLE_ENTITY, "it rests");
    console.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(leads_to(&try_code(&again, &codes[4]).await.1), "/sign-in", "half a sign-in ends after five minutes");
}

#[tokio::test]
async fn who_turns_the_second_factor_on_or_off_is_signed_out_everywhere_else() {
    let console = Console::new().await;
    let (sam, elsewhere) = (console.sign_in("sam@ours.example").await, console.sign_in("sam@ours.example").await);
    let owner = console.sign_in("owner@ours.example").await;
    let (_, codes) = turn_on(&console, &sam).await;
    assert_eq!(console.get("/incidents", &elsewhere).await.0, StatusCode::SEE_OTHER, "it had the password alone");
    assert_eq!(console.get("/incidents", &sam).await.0, StatusCode::OK);
    let half = cookie_of(&console.try_sign_in("sam@ours.example", PASSWORD).await.1);
    let (_, headers, _) = console.post("/sign-in/second", &half, format!("code={}", codes[0])).await;
    let elsewhere = cookie_of(&headers);
    assert_eq!(console.get("/incidents", &elsewhere).await.0, StatusCode::OK);
    let (status, headers, _) = console.click(&sam, "/settings", "/settings/second-factor/off", "").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings?done=off"));
    assert_eq!(console.get("/incidents", &elsewhere).await.0, StatusCode::SEE_OTHER);
    for cookie in [&sam, &owner] {
        assert_eq!(console.get("/incidents", cookie).await.0, StatusCode::OK, "this session, and those of others");
    }
}

#[tokio::test]
async fn where_everybody_must_have_a_second_factor_nothing_else_is_open_before() {
    let console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    turn_on(&console, &owner).await;
    let (status, ..) =
        console.click(&owner, "/settings/people", "/settings/people/second-factor", "&required=yes").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let sam = console.sign_in("sam@ours.example").await;
    for path in ["/", "/incidents", "/hosts", "/events"] {
        assert_eq!(leads_to(&console.get(path, &sam).await.1), "/settings/second-factor", "{path}");
    }
    let page = console.get("/settings", &sam).await.2;
    let host = console.ours.host;
    let (status, ..) = console.post(&format!("/hosts/{host}/release"), &sam, format!("csrf={}", csrf_of(&page))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    turn_on(&console, &sam).await;
    assert_eq!(console.get("/incidents", &sam).await.0, StatusCode::OK);
    assert_eq!(console.get("/incidents", &owner).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_changes_who_may_do_what_is_asked_of_somebody_who_has_just_proven_who_they_are() {
    let console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    console.clock.advance(SignedDuration::from_mins(11));
    let form = "&email=kim%40new.example&role=viewer&sees=all";
    let (status, _, page) = console.click(&owner, "/settings/people", "/settings/people", form).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    assert!(page.contains("/confirm?next=/settings/people"));
    assert!(console.letters().await.is_empty());
    let (status, ..) = console.click(&owner, "/confirm", "/confirm", "&password=wrong").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let proof = format!("&password={}&next=/settings/people", encoded(PASSWORD));
    let (status, headers, _) = console.click(&owner, "/confirm", "/confirm", &proof).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/people"));
    let proven = cookie_of(&headers);
    assert_ne!(proven, owner, "a new session id");
    assert_eq!(console.get("/", &owner).await.0, StatusCode::SEE_OTHER, "and the old one is dead");
    assert_eq!(console.click(&proven, "/settings/people", "/settings/people", form).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.letter().await.to, "kim@new.example");
}

#[tokio::test]
async fn a_member_sees_and_ends_their_own_sessions_and_changes_their_password() {
    let console = Console::new().await;
    let (one, two, three) = (
        console.sign_in("sam@ours.example").await,
        console.sign_in("sam@ours.example").await,
        console.sign_in("sam@ours.example").await,
    );
    let other = console.sign_in("owner@ours.example").await;
    let (_, _, page) = console.get("/settings", &one).await;
    let ids: Vec<&str> = page
        .split("/settings/sessions/")
        .skip(1)
        .filter_map(|rest| rest.split_once("/end\"").map(|(id, _)| id))
        .filter(|id| id.len() == 64)
        .collect();
    assert_eq!(ids.len(), 2, "this one is not offered");
    let path = format!("/settings/sessions/{}/end", ids[0]);
    assert_eq!(console.click(&other, "/settings", &path, "").await.0, StatusCode::NOT_FOUND, "one's own alone");
    assert_eq!(console.click(&one, "/settings", &path, "").await.0, StatusCode::SEE_OTHER);
    let left = [&two, &three].into_iter();
    let alive: Vec<StatusCode> =
        futures_util::future::join_all(left.map(async |cookie| console.get("/", cookie).await.0)).await;
    assert!(alive.contains(&StatusCode::OK) && alive.contains(&StatusCode::SEE_OTHER), "{alive:?}");

    let form = |old: &str, new: &str| format!("&old={}&new={}", encoded(old), encoded(new));
    let (status, ..) = console.click(&one, "/settings", "/settings/password", &form("guess", NEW)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, _) = console.click(&one, "/settings", "/settings/password", &form(PASSWORD, NEW)).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings?done=password"));
    let kept = cookie_of(&headers);
    assert_eq!(console.get("/", &kept).await.0, StatusCode::OK, "this session goes on under a new id");
    for cookie in [&one, &two, &three] {
        assert_eq!(console.get("/", cookie).await.0, StatusCode::SEE_OTHER);
    }
    assert_eq!(console.get("/", &other).await.0, StatusCode::OK);
    assert_eq!(console.letter().await.subject, "Your password was changed");
    let (status, ..) = console.click(&kept, "/settings", "/settings/sessions/end", "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/", &kept).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_new_address_counts_once_it_is_proven_and_the_old_one_is_told() {
    let console = Console::new().await;
    let sam = console.sign_in("sam@ours.example").await;
    console.click(&sam, "/settings", "/settings/address", "&email=sam%40new.example").await;
    let letters = console.letters().await;
    let letter = letters.iter().find(|letter| letter.to == "sam@new.example").unwrap();
    assert!(
        console.get(&letter.path, "").await.2.contains("sam@new.example"),
        "a mail program that follows the link changes nothing"
    );
    console.sign_in("sam@ours.example").await;
    assert_eq!(console.post(&letter.path, "", String::new()).await.0, StatusCode::OK);
    console.sign_in("sam@new.example").await;
    assert_eq!(console.try_sign_in("sam@ours.example", PASSWORD).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let told = console.letter().await;
    assert_eq!((told.to.as_str(), told.subject.as_str()), ("sam@ours.example", "Your address was changed"));
    // Somebody else's address: they are told, we are not.
    let sam = console.sign_in("sam@new.example").await;
    let (status, ..) = console.click(&sam, "/settings", "/settings/address", "&email=owner%40ours.example").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let subjects: Vec<String> = console.letters().await.into_iter().map(|letter| letter.subject).collect();
    assert!(subjects.contains(&"You have a Mendwright account already".to_owned()), "{subjects:?}");
}

#[tokio::test]
async fn nobody_has_letters_sent_to_as_many_addresses_as_they_like() {
    let console = Console::new().await;
    let sam = console.sign_in("sam@ours.example").await;
    let ask = async |cookie: &str, n: u8| {
        console.click(cookie, "/settings", "/settings/address", &format!("&email=sam-{n}%40new.example")).await
    };
    for n in 0..5 {
        assert_eq!(ask(&sam, n).await.0, StatusCode::SEE_OTHER, "{n}");
    }
    // One of those with an account counts alike, or it would say which addresses have one.
    for address in ["sam-5%40new.example", "owner%40theirs.example"] {
        let (status, _, page) =
            console.click(&sam, "/settings", "/settings/address", &format!("&email={address}")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        assert!(page.contains("no more are"), "{page}");
    }
    let letters = console.letters().await;
    assert_eq!(letters.iter().filter(|letter| letter.to.ends_with("@new.example")).count(), 5);
    let owner = console.sign_in("owner@ours.example").await;
    assert_eq!(ask(&owner, 9).await.0, StatusCode::SEE_OTHER, "each login has its own");
    console.clock.advance(SignedDuration::from_mins(61));
    let sam = console.sign_in("sam@ours.example").await;
    assert_eq!(ask(&sam, 6).await.0, StatusCode::SEE_OTHER, "an hour later");
}

#[tokio::test]
async fn behind_a_proxy_that_names_nobody_a_stranger_shuts_out_no_one_else() {
    let mut console = Console::new().await;
    for loopback in ["::1", "::ffff:127.0.0.1"] {
        for n in 0..33 {
            console.try_sign_in_from(loopback, &format!("nobody{n}@ours.example"), "guess").await;
        }
        assert_eq!(console.try_sign_in_from(loopback, "sam@ours.example", PASSWORD).await, StatusCode::SEE_OTHER);
    }
    assert_eq!(console.count("sources").await, 0, "the machine itself is no source");
    for _ in 0..8 {
        console.try_sign_in_from("127.0.0.1", "sam@ours.example", "guess").await;
    }
    let right = console.try_sign_in_from("127.0.0.1", "sam@ours.example", PASSWORD).await;
    assert_eq!(right, StatusCode::UNPROCESSABLE_ENTITY, "an account that is guessed at rests all the same");
}

#[tokio::test]
async fn where_proxies_are_named_the_machine_itself_is_a_source_like_any_other() {
    let console = Console::new().await;
    for n in 0..33 {
        let form = format!("email=nobody{n}%40ours.example&password=guess");
        console.post_from("127.0.0.1", Proxies::Named, "/sign-in", &form).await;
    }
    let form = format!("email=sam%40ours.example&password={}", encoded(PASSWORD));
    let right = async |from: &str| console.post_from(from, Proxies::Named, "/sign-in", &form).await;
    assert_eq!(right("127.0.0.1").await, StatusCode::UNPROCESSABLE_ENTITY, "it rests");
    assert_eq!(right("203.0.113.9").await, StatusCode::SEE_OTHER, "and no other does");
}

#[tokio::test]
async fn who_guesses_at_many_accounts_is_slowed_down_and_others_are_not() {
    let console = Console::new().await;
    for n in 0..40 {
        console.try_sign_in_from("2001:db8:1:2::17", &format!("nobody{n}@ours.example"), "guess").await;
    }
    let right = |from: &'static str| console.try_sign_in_from(from, "sam@ours.example", PASSWORD);
    assert_eq!(right("2001:db8:1:2:ffff::1").await, StatusCode::UNPROCESSABLE_ENTITY, "its whole network waits");
    assert_eq!(right("2001:db8:1:3::17").await, StatusCode::SEE_OTHER);
    assert_eq!(right("192.0.2.7").await, StatusCode::SEE_OTHER);
    console.clock.advance(SignedDuration::from_mins(16));
    assert_eq!(right("2001:db8:1:2::17").await, StatusCode::SEE_OTHER, "it waits, it is not shut out");
}

impl Console {
    /// What the audit of an organization tells of an account, oldest first: the action, and as text the detail and how it was
    /// and is.
    async fn told_of_accounts(&mut self, tenant: Uuid) -> Vec<(String, String)> {
        sqlx::query_as(
            "SELECT action, concat_ws(' ', detail::text, 'was ' || before::text, 'is ' || after::text) FROM tenant_audit
             WHERE tenant_id = $1 AND subject_kind = 'member' ORDER BY at, ctid",
        )
        .bind(tenant)
        .fetch_all(&mut self.rows)
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn what_happens_to_an_account_stands_in_the_audit_of_each_organization_where_it_has_a_seat() {
    let mut console = Console::new().await;
    let (ours, theirs, sam) = (console.ours.tenant, console.theirs.tenant, console.ours.technician);
    console
        .execute(format!(
            "INSERT INTO memberships (tenant_id, login_id, name, email, role) VALUES ('{theirs}', '{sam}', 'Sam', 'sam@ours.example', 'viewer')"
        ))
        .await;
    let cookie = console.sign_in("sam@ours.example").await;
    let (_, codes) = turn_on(&console, &cookie).await;
    assert_eq!(console.letter().await.subject, "Your second factor is on");
    let (status, ..) = console.click(&cookie, "/settings", "/settings/codes", "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(console.letter().await.subject, "Your recovery codes are new");
    console.click(&cookie, "/settings", "/settings/address", "&email=sam%40new.example").await;
    let letters = console.letters().await;
    let letter = letters.iter().find(|letter| letter.to == "sam@new.example").unwrap();
    assert_eq!(console.post(&letter.path, "", String::new()).await.0, StatusCode::OK);
    let form = format!("&old={}&new={}", encoded(PASSWORD), encoded(NEW));
    let (status, headers, _) = console.click(&cookie, "/settings", "/settings/password", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let cookie = cookie_of(&headers);
    let into = format!("&tenant={theirs}");
    assert_eq!(console.click(&cookie, "/settings", "/settings/organization", &into).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.click(&cookie, "/settings", "/settings/sessions/end", "").await.0, StatusCode::SEE_OTHER);

    let everywhere = [
        ("member.second_factor_on", r#"{} was {"app": false} is {"app": true}"#),
        ("account.recovery_codes_replaced", "{}"),
        ("account.address_asked", r#"{"to": "sam@new.example"}"#),
        ("account.address_changed", r#"{} was {"email": "sam@ours.example"} is {"email": "sam@new.example"}"#),
        ("account.password_changed", "{}"),
        ("account.sessions_ended", r#"{"sessions": 1}"#),
    ];
    let mut in_ours = everywhere.to_vec();
    in_ours.insert(0, ("account.signed_in", r#"{"by": "account"}"#));
    let mut in_theirs = everywhere.to_vec();
    in_theirs.insert(5, ("account.signed_in", r#"{"by": "another organization"}"#));
    for (tenant, meant) in [(ours, in_ours), (theirs, in_theirs)] {
        let told = console.told_of_accounts(tenant).await;
        let told: Vec<(&str, &str)> = told.iter().map(|(action, detail)| (action.as_str(), detail.as_str())).collect();
        assert_eq!(told, meant);
        let linked = format!("tenant_wakeups WHERE tenant_id = '{tenant}' AND queue = 'audit'");
        assert!(console.count(&linked).await > 0, "and they are linked");
    }
    assert_eq!(
        console
            .count(&format!(
                "tenant_audit WHERE actor = 'member {sam}' AND request_id IS NULL AND action LIKE 'account.%'"
            ))
            .await,
        0,
        "each says in which request"
    );
    let secrets = format!("tenant_audit t WHERE t::text LIKE '%{}%'", codes[0]);
    assert_eq!(console.count(&secrets).await, 0);
    console.sides_are_as_listed().await;
}

#[tokio::test]
async fn guesses_at_a_password_are_told_of_by_their_number_once_their_count_ends_and_fill_no_audit() {
    let mut console = Console::new().await;
    let ours = console.ours.tenant;
    let guess = async |console: &Console, times: u8| {
        for n in 0..times {
            console.clock.advance(SignedDuration::from_mins(16));
            console.try_sign_in_from(&format!("192.0.2.{n}"), "sam@ours.example", "guess").await;
        }
        console.clock.advance(SignedDuration::from_mins(16));
    };
    guess(&console, 12).await;
    assert!(console.told_of_accounts(ours).await.is_empty(), "a wrong one costs what one at no account does");
    let right = console.try_sign_in_from("192.0.2.99", "sam@ours.example", PASSWORD).await;
    assert_eq!(right, StatusCode::SEE_OTHER);
    let told = |tries: u8| ("account.password_failed".to_owned(), format!(r#"{{"tries": {tries}}}"#));
    let came_in = ("account.signed_in".to_owned(), r#"{"by": "account"}"#.to_owned());
    assert_eq!(console.told_of_accounts(ours).await, [told(12), came_in.clone()]);

    // Some mistype, and that is nothing to tell of.
    guess(&console, 4).await;
    let right = console.try_sign_in_from("192.0.2.99", "sam@ours.example", PASSWORD).await;
    assert_eq!(right, StatusCode::SEE_OTHER);
    assert_eq!(console.told_of_accounts(ours).await, [told(12), came_in.clone(), came_in.clone()]);

    // Who sets a new password ends the count too.
    guess(&console, 5).await;
    console.post("/reset", "", format!("email={}", encoded("sam@ours.example"))).await;
    let form = format!("password={}", encoded(NEW));
    assert_eq!(console.post(&console.letter().await.path, "", form).await.0, StatusCode::OK);
    let reset = ("account.password_reset".to_owned(), "{}".to_owned());
    assert_eq!(console.told_of_accounts(ours).await, [told(12), came_in.clone(), came_in, told(5), reset]);
}

/// Runs `mendwright platform …`.
pub(super) async fn platform(console: &Console, command: impl FnOnce(OwnerArgs) -> Platform) -> anyhow::Result<()> {
    let at = OwnerArgs { database_owner_url: Some(console.db.owner_url()), data: None };
    server::platform::run(command(at)).await
}

#[tokio::test]
async fn the_operator_says_who_may_begin_an_organization_invites_and_suspends() {
    let mut console = Console::new().await;
    let invite = |at| Platform::Invite {
        email: "noor@harbor.example".to_owned(),
        organization: "Harbor IT".to_owned(),
        name: "Noor".to_owned(),
        at,
    };
    let refused = platform(&console, invite).await.unwrap_err().to_string();
    assert!(refused.contains("mendwright platform sign-up invitation"), "{refused}");
    platform(&console, |at| Platform::SignUp { set: Some(SignUpArg::Invitation), at }).await.unwrap();
    platform(&console, invite).await.unwrap();
    let letter = console.letter().await;
    let (status, headers, _) = console.post(&letter.path, "", format!("password={}", encoded(NEW))).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let noor = cookie_of(&headers);
    assert!(platform(&console, invite).await.unwrap_err().to_string().contains("has an account already"));

    let reason = "unpaid".to_owned();
    platform(&console, |at| Platform::Suspend { tenant: "Harbor IT".to_owned(), reason, at }).await.unwrap();
    assert_eq!(leads_to(&console.get("/", &noor).await.1), "/sign-in?next=/");
    assert_eq!(console.count("guardrail_buckets WHERE frozen").await, 1, "nothing acts on its hosts");
    let sam = console.sign_in("sam@ours.example").await;
    assert_eq!(console.get("/", &sam).await.0, StatusCode::OK, "nobody else is touched");
    platform(&console, |at| Platform::Resume { tenant: "Harbor IT".to_owned(), at }).await.unwrap();
    let (_, _, page) = console.get("/guardrails", &noor).await;
    assert!(page.contains("the operator of the platform") && page.contains("unpaid"));
    assert_eq!(
        console.count("tenant_audit WHERE action LIKE 'organization.%' AND action <> 'organization.begun'").await,
        2
    );
    assert!(platform(&console, |at| Platform::Resume { tenant: "Nobody".to_owned(), at }).await.is_err());
    platform(&console, Platform::List).await.unwrap();
}
