//! Sign-on by an organization's own provider, on a provider that answers on this machine and says whatever a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::people::leads_to;
use super::{Console, PASSWORD};

/// What the provider says of whoever comes next, and what it was asked.
pub(super) struct Says {
    issuer: String,
    /// Claims beside those that are always there.
    claims: Value,
    /// What it tells whoever asks with the access token, if it can be asked.
    told: Option<Value>,
    nonce: Option<String>,
    key: EcdsaKeyPair,
    /// Signs with a key that nobody published.
    forges: bool,
    /// The form of the last exchange, and its Authorization.
    pub(super) asked: Option<(Vec<(String, String)>, String)>,
    now: i64,
    /// How often it was asked what it is.
    visits: u32,
}

#[derive(Clone)]
pub(super) struct Provider(Arc<Mutex<Says>>);

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

async fn metadata(State(Provider(says)): State<Provider>) -> Json<Value> {
    let mut says = says.lock().unwrap();
    says.visits += 1;
    let issuer = &says.issuer;
    let mut metadata = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    if says.told.is_some() {
        metadata["userinfo_endpoint"] = format!("{issuer}/me").into();
    }
    Json(metadata)
}

async fn tell(State(Provider(says)): State<Provider>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let is_asked_well = headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer access");
    let told = says.lock().unwrap().told.clone();
    told.filter(|told| is_asked_well && told.is_object()).map(Json).ok_or(StatusCode::UNAUTHORIZED)
}

async fn keys_of(State(Provider(says)): State<Provider>) -> Json<Value> {
    let says = says.lock().unwrap();
    let point = says.key.public_key().as_ref();
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1",
        "x": encoded(&point[1..33]), "y": encoded(&point[33..65]) }] }))
}

async fn exchange(
    State(Provider(says)): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Json<Value> {
    let mut says = says.lock().unwrap();
    let authorization = headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap()).to_owned();
    says.asked = Some((form, authorization));
    let mut claims =
        json!({ "iss": says.issuer, "aud": "mendwright", "iat": says.now, "exp": says.now + 300, "nonce": says.nonce });
    for (name, value) in says.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let head = encoded(br#"{"alg":"ES256","kid":"1"}"#);
    let signed = format!("{head}.{}", encoded(claims.to_string().as_bytes()));
    let own = key();
    let key = if says.forges { &own } else { &says.key };
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", encoded(signature.as_ref()));
    Json(json!({ "access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": token }))
}

/// The claims of somebody whom the provider knows.
pub(super) fn person(subject: &str, email: &str) -> Value {
    json!({ "sub": subject, "email": email, "email_verified": true })
}

impl Provider {
    pub(super) async fn start() -> Provider {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let says = Says {
            issuer,
            claims: json!({}),
            told: None,
            nonce: None,
            key: key(),
            forges: false,
            asked: None,
            now: 0,
            visits: 0,
        };
        let provider = Provider(Arc::new(Mutex::new(says)));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys_of))
            .route("/token", post(exchange))
            .route("/me", get(tell))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    pub(super) fn issuer(&self) -> String {
        self.0.lock().unwrap().issuer.clone()
    }

    pub(super) fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.0.lock().unwrap());
    }
}

fn cookies(headers: &HeaderMap) -> String {
    let all = headers.get_all(header::SET_COOKIE).iter();
    all.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect::<Vec<_>>().join("; ")
}

/// A parameter of an address.
fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap_or_else(|| panic!("{url} has no {name}")).1.into_owned()
}

/// Somebody who was sent to their provider.
struct Away {
    cookie: String,
    to: String,
    state: String,
}

impl Console {
    /// Sets the provider of the organization of `owner`.
    pub(super) async fn set(&self, owner: &str, provider: &Provider, more: &str) -> (StatusCode, HeaderMap, String) {
        let cookie = self.sign_in(owner).await;
        let domain = owner.split('@').nth(1).unwrap();
        let form = format!("&issuer={}&client_id=mendwright&secret=hush&domains={domain}{more}", provider.issuer());
        self.click(&cookie, "/settings/sign-on", "/settings/sign-on", &form).await
    }

    /// Begins at the organization's link; the provider will name `claims`.
    async fn leave(&self, tenant: Uuid, provider: &Provider, claims: Value, more: &str) -> Away {
        let (status, headers, body) = self.get(&format!("/sso/{tenant}/begin{more}"), "").await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        let to = leads_to(&headers).to_owned();
        assert!(to.starts_with(&provider.issuer()), "{to}");
        let nonce = parameter(&to, "nonce");
        let now = self.store.system().await.unwrap().now().await.unwrap().as_second();
        provider.says(|says| (says.claims, says.nonce, says.now) = (claims, Some(nonce), now));
        Away { cookie: cookies(&headers), state: parameter(&to, "state"), to }
    }

    async fn back(&self, tenant: Uuid, away: &Away) -> (StatusCode, HeaderMap, String) {
        self.get(&format!("/sso/{tenant}/callback?code=one&state={}", away.state), &away.cookie).await
    }

    /// The whole way; the session, if there is one.
    pub(super) async fn come(&self, tenant: Uuid, provider: &Provider, claims: Value) -> Option<String> {
        let away = self.leave(tenant, provider, claims, "").await;
        let (status, headers, body) = self.back(tenant, &away).await;
        if status == StatusCode::SEE_OTHER {
            assert_eq!(leads_to(&headers), "/");
            return Some(cookies(&headers));
        }
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && body.contains("That did not work"), "{status}");
        assert!(headers.get(header::SET_COOKIE).is_none(), "nothing is begun");
        None
    }
}

#[tokio::test]
async fn a_member_comes_by_the_provider_as_the_same_subject_each_time_and_nobody_else_does() {
    let mut console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    let (status, headers, page) = console.set("owner@ours.example", &provider, "").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/settings/sign-on?done=set"), "{page}");
    let dump: String =
        sqlx::query_scalar("SELECT string_agg(s::text, '') FROM sign_on s").fetch_one(&mut console.rows).await.unwrap();
    assert!(!dump.contains("hush") && !dump.contains(&hex::encode("hush")), "the secret is sealed");

    let away = console.leave(tenant, &provider, person("s-1", "SAM@ours.example"), "?next=/hosts").await;
    assert_eq!(parameter(&away.to, "code_challenge_method"), "S256");
    assert_eq!(parameter(&away.to, "redirect_uri"), format!("https://mend.example/sso/{tenant}/callback"));
    let (status, headers, _) = console.back(tenant, &away).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, "/hosts"));
    let sam = cookies(&headers);
    assert!(console.get("/hosts", &sam).await.2.contains("Ours-host"));
    let (form, authorization) = provider.0.lock().unwrap().asked.take().unwrap();
    let verifier = &form.iter().find(|(name, _)| name == "code_verifier").unwrap().1;
    assert_eq!(encoded(&keys::digest(verifier.as_bytes()).0), parameter(&away.to, "code_challenge"), "PKCE");
    assert!(authorization.starts_with("Basic "), "the secret goes to the provider");
    assert_eq!(console.count("tenant_audit WHERE action = 'member.sign_on_bound'").await, 1);

    assert!(console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_some(), "again");
    assert_eq!(console.count("tenant_audit WHERE action = 'member.sign_on_bound'").await, 1, "bound once");
    let logins = console.count("logins").await;
    for (claims, why) in [
        (person("s-2", "sam@ours.example"), "another subject with the member's address"),
        (person("s-1", "viewer@ours.example"), "the subject of somebody else"),
        (person("s-3", "nobody@ours.example"), "nobody's address: no account is made"),
        (person("s-4", "tess@theirs.example"), "a domain that does not count"),
        (person("s-4", "owner@theirs.example@ours.example"), "an odd address"),
        (json!({ "sub": "s-5", "email": "viewer@ours.example", "email_verified": false }), "not verified"),
        (json!({ "sub": "s-5", "email": "viewer@ours.example" }), "not said to be verified"),
        (json!({ "sub": "s-5" }), "no address"),
        (
            json!({ "sub": "s-5", "email": "viewer@ours.example", "email_verified": true, "aud": "other" }),
            "for another application",
        ),
        (
            json!({ "sub": "s-5", "email": "viewer@ours.example", "email_verified": true, "iss": "http://other.example" }),
            "by another issuer",
        ),
        (
            json!({ "sub": "s-5", "email": "viewer@ours.example", "email_verified": true, "nonce": "other" }),
            "another nonce",
        ),
        (json!({ "sub": "s-5", "email": "viewer@ours.example", "email_verified": true, "exp": 1 }), "too old"),
    ] {
        assert!(console.come(tenant, &provider, claims).await.is_none(), "{why}");
    }
    provider.says(|says| says.forges = true);
    assert!(console.come(tenant, &provider, person("s-5", "viewer@ours.example")).await.is_none(), "forged");
    provider.says(|says| says.forges = false);
    assert!(console.come(tenant, &provider, person("s-5", "viewer@ours.example")).await.is_some(), "else it is well");
    assert_eq!(console.count("logins").await, logins);
}

#[tokio::test]
async fn an_address_that_the_token_leaves_out_is_asked_for() {
    let console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    console.set("owner@ours.example", &provider, "").await;
    let nameless = json!({ "sub": "s-1" });
    for (token, told, why) in [
        (&nameless, json!("no"), "it does not tell"),
        (&nameless, json!({ "sub": "s-1" }), "no address there either"),
        (&nameless, json!({ "sub": "s-1", "email": "sam@ours.example" }), "not said to be verified"),
        (&nameless, json!({ "sub": "s-1", "email": "sam@ours.example", "email_verified": false }), "not verified"),
        (&nameless, person("s-2", "sam@ours.example"), "told of somebody else"),
        (&nameless, json!({ "email": "sam@ours.example", "email_verified": true }), "told of nobody"),
        (&nameless, person("s-1", "tess@theirs.example"), "a domain that does not count"),
        (
            &json!({ "sub": "s-1", "email": "sam@ours.example" }),
            person("s-1", "sam@ours.example"),
            "what the token says is not mended",
        ),
    ] {
        provider.says(|says| says.told = Some(told));
        assert!(console.come(tenant, &provider, token.clone()).await.is_none(), "{why}");
    }
    provider.says(|says| says.told = Some(person("s-1", "sam@ours.example")));
    let sam = console.come(tenant, &provider, nameless.clone()).await.unwrap();
    assert!(console.get("/hosts", &sam).await.2.contains("Ours-host"));
    provider.says(|says| says.told = None);
    assert!(console.come(tenant, &provider, nameless).await.is_none(), "it cannot be asked");
}

#[tokio::test]
async fn what_is_brought_back_counts_once_in_time_in_its_browser_and_for_its_organization() {
    let console = Console::new().await;
    let (ours, theirs) = (console.ours.tenant, console.theirs.tenant);
    let (provider, other) = (Provider::start().await, Provider::start().await);
    console.set("owner@ours.example", &provider, "").await;
    console.set("owner@theirs.example", &other, "").await;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let sam = || person("s-1", "sam@ours.example");

    let away = console.leave(ours, &provider, sam(), "").await;
    let answers = futures_util::future::join_all((0..4).map(|_| console.back(ours, &away))).await;
    let won = answers.iter().filter(|(status, ..)| *status == StatusCode::SEE_OTHER).count();
    assert_eq!(won, 1, "once");

    let away = console.leave(ours, &provider, sam(), "").await;
    let elsewhere = Away { cookie: String::new(), to: String::new(), state: away.state.clone() };
    assert_eq!(console.back(ours, &elsewhere).await.0, refused, "it is bound to its browser");
    assert_eq!(console.back(ours, &away).await.0, StatusCode::SEE_OTHER, "and still good there");

    let mut away = console.leave(ours, &provider, sam(), "").await;
    away.state.push('x');
    assert_eq!(console.back(ours, &away).await.0, refused, "another state");
    away.state.pop();
    assert_eq!(console.back(ours, &away).await.0, refused, "which uses it up");

    let away = console.leave(theirs, &other, person("t-1", "tess@theirs.example"), "").await;
    assert_eq!(console.back(ours, &away).await.0, refused, "the other organization's");

    let away = console.leave(ours, &provider, sam(), "").await;
    console.clock.advance(SignedDuration::from_secs(601));
    assert_eq!(console.back(ours, &away).await.0, refused, "too late");

    let away = console.leave(ours, &provider, sam(), "").await;
    let path = format!("/sso/{ours}/callback?error=access_denied&state={}", away.state);
    assert_eq!(console.get(&path, &away.cookie).await.0, refused, "the provider said no");

    let away = console.leave(ours, &provider, sam(), "").await;
    console.set("owner@ours.example", &provider, "").await;
    assert_eq!(console.back(ours, &away).await.0, refused, "it was set anew meanwhile");

    // No other site begins it, and no id says whether there is such an organization.
    let request = Request::get(format!("/sso/{ours}/begin")).header("sec-fetch-site", "cross-site");
    let (_, headers, _) = console.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(leads_to(&headers), format!("/sso/{ours}"));
    let page = async |id: Uuid| console.get(&format!("/sso/{id}"), "").await;
    let (known, unknown) = (page(ours).await.2, page(Uuid::from_u128(1)).await.2);
    assert_eq!(known.replace(&ours.to_string(), ""), unknown.replace(&Uuid::from_u128(1).to_string(), ""));
    assert_eq!(console.get(&format!("/sso/{}/begin", Uuid::from_u128(1)), "").await.0, refused);
    for odd in ["/sso/x", "/sso/x/begin", "/sso/x/callback?code=1&state=2"] {
        assert_eq!(console.get(odd, "").await.0, StatusCode::NOT_FOUND, "{odd}");
    }
}

#[tokio::test]
async fn who_only_begins_is_counted_first_and_makes_us_ask_the_provider_once_in_minutes() {
    let console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    console.set("owner@ours.example", &provider, "").await;
    let visits = || provider.0.lock().unwrap().visits;
    let begin = async || console.get(&format!("/sso/{tenant}/begin"), "").await.0;
    // Once the minutes are over: what was said before, maybe to another test at the same address, will not do.
    console.clock.advance(SignedDuration::from_mins(11));
    let before = visits();
    for _ in 0..4 {
        assert_eq!(begin().await, StatusCode::SEE_OTHER);
    }
    assert_eq!(visits(), before + 1);
    console.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(begin().await, StatusCode::SEE_OTHER);
    assert_eq!(visits(), before + 2, "minutes later it is asked anew");
    console.clock.advance(SignedDuration::from_mins(11));
    for _ in 0..100 {
        assert_eq!(begin().await, StatusCode::SEE_OTHER);
    }
    assert_eq!(visits(), before + 3);
    console.clock.advance(SignedDuration::from_secs(301));
    assert_eq!(begin().await, StatusCode::TOO_MANY_REQUESTS, "a hundred were begun within ten minutes");
    assert_eq!(visits(), before + 3, "and nobody is asked");
}

#[tokio::test]
async fn who_makes_up_what_a_provider_says_waits_like_whoever_guesses() {
    let console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    console.set("owner@ours.example", &provider, "").await;
    provider.says(|says| says.forges = true);
    for _ in 0..40 {
        assert!(console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_none());
    }
    provider.says(|says| (says.forges, says.asked) = (false, None));
    assert!(console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_none(), "its source rests");
    assert!(provider.0.lock().unwrap().asked.is_none(), "and the provider is not asked");
    console.clock.advance(SignedDuration::from_mins(16));
    assert!(console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_some());
}

#[tokio::test]
async fn a_provider_speaks_for_the_seat_in_its_organization_and_for_nothing_else() {
    let mut console = Console::new().await;
    let (ours, theirs, provider) = (console.ours.tenant, console.theirs.tenant, Provider::start().await);
    // Sam has a seat in both; ours names them.
    let sam = console.ours.technician;
    console
        .execute(format!(
            "INSERT INTO memberships (tenant_id, login_id, name, email, role) VALUES ('{theirs}', '{sam}', 'Sam', 'sam@ours.example', 'owner')"
        ))
        .await;
    console.set("owner@ours.example", &provider, "").await;
    let cookie = console.come(ours, &provider, person("s-1", "sam@ours.example")).await.unwrap();
    let (_, _, hosts) = console.get("/hosts", &cookie).await;
    assert!(hosts.contains("Ours-host") && !hosts.contains("Theirs-host"));
    let (status, _, page) = console.get("/settings", &cookie).await;
    assert!(status == StatusCode::OK && page.contains("Signed in by your organization"));
    assert!(!page.contains("Theirs") && !page.contains("/settings/password") && !page.contains("/settings/sessions"));
    let csrf = super::token(&console.get("/hosts", &cookie).await.2);
    for (path, form) in [
        ("/settings/organization", format!("&tenant={theirs}")),
        ("/settings/password", format!("&old={}&new=another+long+sentence", PASSWORD.replace(' ', "+"))),
        ("/settings/address", "&email=sam%40evil.example".to_owned()),
        ("/settings/passkeys/begin", String::new()),
        ("/settings/passkeys", "&name=Key&credential=x".to_owned()),
        ("/settings/second-factor", "&code=123456".to_owned()),
        ("/settings/second-factor/off", String::new()),
        ("/settings/codes", String::new()),
        ("/settings/sessions/end", String::new()),
        ("/confirm", format!("&password={}", PASSWORD.replace(' ', "+"))),
        ("/confirm/passkey/begin", String::new()),
    ] {
        let (status, ..) = console.post(path, &cookie, format!("csrf={csrf}{form}")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(console.get("/settings/second-factor", &cookie).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::OK, "and the session goes on");
    // Nor is whom a provider names an operator of the platform.
    console.execute(format!("INSERT INTO operators (login_id, since) VALUES ('{sam}', clock_timestamp())")).await;
    for path in ["/platform", "/platform/second-factor"] {
        assert_eq!(console.get(path, &cookie).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let theirs_by_password = console.sign_in("sam@ours.example").await;
    assert_ne!(
        console.get("/platform", &theirs_by_password).await.0,
        StatusCode::NOT_FOUND,
        "by the password they are"
    );
    // With the password they go everywhere.
    let both = console.sign_in("sam@ours.example").await;
    let (_, _, page) = console.get("/settings", &both).await;
    assert!(page.contains("Theirs") && page.contains("Ours"));

    // Setting it anew, or removing it, ends what it began.
    console.set("owner@ours.example", &provider, "").await;
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::SEE_OTHER);
    let cookie = console.come(ours, &provider, person("s-1", "sam@ours.example")).await.unwrap();
    let owner = console.sign_in("owner@ours.example").await;
    let (status, ..) = console.click(&owner, "/settings/sign-on", "/settings/sign-on/remove", "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/hosts", &cookie).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.get(&format!("/sso/{ours}/begin"), "").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(console.count("tenant_audit WHERE action LIKE 'organization.sign_on_%'").await, 3);
    console.sides_are_as_listed().await;
}

#[tokio::test]
async fn a_secret_that_the_master_key_sealed_before_goes_on_working_and_is_sealed_for_the_organization() {
    let mut console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    console.set("owner@ours.example", &provider, "").await;
    assert_eq!(console.count("sign_on WHERE sealing_version = 1").await, 1);
    let row = tenant.to_string();
    let place = keys::seal::Aad { tenant: Some(tenant), table: "sign_on.secret_sealed", row: &row, version: 1 };
    let master = keys::seal::MasterKey::from_bytes([7; 32]);
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    let sealed = hex::encode(keys::seal::seal(&master, &mut rng, place, b"hush"));
    console.execute(format!("UPDATE sign_on SET secret_sealed = '\\x{sealed}', sealing_version = NULL")).await;
    assert!(console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_some());
    let anew = format!("sign_on WHERE sealing_version = 1 AND secret_sealed <> '\\x{sealed}'");
    assert_eq!(console.count(&anew).await, 1, "it is sealed for the organization now");
    assert!(console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.is_some(), "and opens");
    let (form, authorization) = provider.0.lock().unwrap().asked.take().unwrap();
    let shown = base64::engine::general_purpose::STANDARD.decode(authorization.trim_start_matches("Basic ")).unwrap();
    assert_eq!(shown, b"mendwright:hush", "{form:?}");
    // Without the organization's own key it does not open, whoever has the master key.
    console.execute("DELETE FROM sealing_keys".to_owned()).await;
    let (status, _, body) = console.get(&format!("/sso/{tenant}/begin"), "").await;
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && !body.contains("hush"), "{status}");
}

#[tokio::test]
async fn where_it_is_required_a_password_opens_the_seats_of_owners_alone() {
    let mut console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    let before = console.sign_in("sam@ours.example").await;
    assert_eq!(console.set("owner@ours.example", &provider, "&required=yes").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.get("/hosts", &before).await.0, StatusCode::SEE_OTHER, "also for who is in");
    let (status, headers, _) = console.try_sign_in("sam@ours.example", PASSWORD).await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, &format!("/sso/{tenant}")[..]));
    assert!(headers.get(header::SET_COOKIE).is_none(), "no session is begun");
    let (status, ..) = console.try_sign_in("sam@ours.example", "wrong").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "which is told to whoever knows the password");
    let owner = console.sign_in("owner@ours.example").await;
    assert_eq!(console.get("/hosts", &owner).await.0, StatusCode::OK, "an owner is never locked out");
    // Nor asked for a second factor of ours, where everybody must have one: the provider is.
    console.execute(format!("UPDATE tenants SET requires_second_factor = true WHERE tenant_id = '{tenant}'")).await;
    let sam = console.come(tenant, &provider, person("s-1", "sam@ours.example")).await.unwrap();
    assert_eq!(console.get("/hosts", &sam).await.0, StatusCode::OK);
}

#[tokio::test]
async fn proving_anew_goes_by_the_provider_and_counts_from_when_it_was_done_there() {
    let mut console = Console::new().await;
    let (tenant, provider) = (console.ours.tenant, Provider::start().await);
    console.set("owner@ours.example", &provider, "").await;
    console
        .execute(format!("UPDATE memberships SET role = 'admin' WHERE tenant_id = '{tenant}' AND name = 'viewer'"))
        .await;
    let claims = |auth_time: Option<i64>| {
        let mut claims = person("v-1", "viewer@ours.example");
        if let Some(at) = auth_time {
            claims["auth_time"] = at.into();
        }
        claims
    };
    let form = "&email=kim%40new.example&role=viewer&sees=all";
    let now = console.store.system().await.unwrap().now().await.unwrap().as_second();
    for unproven in [None, Some(now - 700)] {
        let admin = console.come(tenant, &provider, claims(unproven)).await.unwrap();
        let (status, ..) = console.click(&admin, "/settings/people", "/settings/people", form).await;
        assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "{unproven:?}");
        let (_, _, page) = console.get("/confirm?next=/settings/people", &admin).await;
        assert!(page.contains(&format!("/sso/{tenant}/begin?fresh=yes")) && !page.contains("name=\"password\""));
    }
    let away = console.leave(tenant, &provider, claims(Some(now)), "?fresh=yes&next=/settings/people").await;
    assert_eq!((&parameter(&away.to, "prompt")[..], &parameter(&away.to, "max_age")[..]), ("login", "0"));
    let (_, headers, _) = console.back(tenant, &away).await;
    assert_eq!(leads_to(&headers), "/settings/people");
    let admin = cookies(&headers);
    let (status, ..) = console.click(&admin, "/settings/people", "/settings/people", form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_provider_is_set_by_owners_and_only_if_it_answers_and_may_be_asked() {
    let console = Console::new().await;
    let provider = Provider::start().await;
    let owner = console.sign_in("owner@ours.example").await;
    let set = async |issuer: &str, more: &str| {
        let form = format!("&issuer={issuer}&client_id=mendwright&domains=ours.example{more}");
        console.click(&owner, "/settings/sign-on", "/settings/sign-on", &form).await
    };
    let good = provider.issuer();
    for (issuer, more, why) in [
        ("x", "&secret=a", "The issuer is an address"),
        ("http://10.0.0.1", "&secret=a", "The issuer is an address"),
        ("https://169.254.169.254", "&secret=a", "Nothing was set"),
        ("https://10.1.2.3", "&secret=a", "Nothing was set"),
        ("http://127.0.0.2:1", "&secret=a", "Nothing was set"),
        (&format!("{good}/other"), "&secret=a", "Nothing was set"),
        (&good, "", "The client secret is missing"),
    ] {
        let (status, _, page) = set(issuer, more).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains(why), "{issuer}: {status}");
    }
    assert_eq!(set(&good, "&secret=a").await.0, StatusCode::SEE_OTHER);
    assert_eq!(set(&good, "").await.0, StatusCode::SEE_OTHER, "the secret that is known stays");
    console.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(set(&good, "").await.0, StatusCode::PRECONDITION_REQUIRED);
    let sam = console.sign_in("sam@ours.example").await;
    assert_eq!(console.get("/settings/sign-on", &sam).await.0, StatusCode::FORBIDDEN);
}
