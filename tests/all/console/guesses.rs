//! Guesses at accounts, from wherever they come.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::people::{rest_of_login, rest_of_source};
use jiff::SignedDuration;
use store::logins::{self, Attempt};
use store::people::sources::{self, Source};

use super::people::{Proxies, encoded};
use super::{Console, PASSWORD, password_hash};

#[tokio::test]
async fn of_two_thousand_guesses_at_one_account_within_a_day_about_a_hundred_are_compared() {
    let console = Console::new().await;
    let mut compared = 0;
    // Ten at once, every seven minutes and twelve seconds: a hash is only computed for what is to be compared.
    for _ in 0..200 {
        let guesses = (0..10).map(|_| logins::claim_attempt(&console.store, "sam@ours.example", rest_of_login));
        let claims = futures_util::future::join_all(guesses).await;
        compared += claims.iter().filter(|claim| matches!(claim, Ok(Attempt::Compare { .. }))).count();
        assert!(claims.iter().all(Result::is_ok), "{claims:?}");
        console.clock.advance(SignedDuration::from_secs(432));
    }
    // Some are free, some come while the rest grows, and then one in a quarter of an hour: 96 a day.
    assert!((50..=110).contains(&compared), "{compared} guesses were compared");
}

#[tokio::test]
async fn of_ten_thousand_guesses_of_a_thousand_sources_at_a_hundred_accounts_within_an_hour_a_sixth_are_compared() {
    let mut console = Console::new().await;
    let accounts: Vec<String> = (0..100).map(|n| format!("member-{n}@ours.example")).collect();
    for account in &accounts {
        logins::insert(&console.store, account, password_hash()).await.unwrap();
    }
    let mut compared = vec![0_u32; accounts.len()];
    // One at each account every 36 seconds, each time from another address. Each address guesses ten times in all, for which
    // none ever rests, so its first time says as much as all: what holds them is the rest of the account alone.
    assert!(rest_of_source(10).is_zero());
    for round in 0..100 {
        let store = &console.store;
        let guesses = accounts.iter().enumerate().map(|(n, account)| async move {
            let source = Source { name: format!("198.51.{}.{n}", round % 10), rests: rest_of_source };
            if round < 10 {
                let name = source.name.clone();
                assert!(sources::claim_try(store, &[source]).await.unwrap(), "{name} does not rest");
            }
            let attempt = logins::claim_attempt(store, account, rest_of_login).await.unwrap();
            u32::from(matches!(attempt, Attempt::Compare { .. }))
        });
        let let_through = futures_util::future::join_all(guesses).await;
        compared.iter_mut().zip(let_through).for_each(|(sum, one)| *sum += one);
        console.clock.advance(SignedDuration::from_secs(36));
    }
    let sum: u32 = compared.iter().sum();
    println!("guesses: {sum} of 10000 were compared with a hash");
    // Eleven while the rest is shorter than their pause, and then fewer and fewer, down to four an hour.
    assert!(compared.iter().all(|n| (15..=19).contains(n)), "{sum} of 10,000, of each account {compared:?}");
    assert_eq!(console.count("sources WHERE failed_count = 1").await, 1_000);
}

#[tokio::test]
async fn guesses_at_one_account_from_many_sources_make_it_rest_for_each_of_them() {
    let mut console = Console::new().await;
    let attempt = async |from: u8, password: &str| {
        let form = format!("email=sam%40ours.example&password={}", password.replace(' ', "+"));
        let mut request = Request::post("/sign-in")
            .header("host", "mend.example")
            .header("origin", "https://mend.example")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, from));
        request.extensions_mut().insert(web::Peer(SocketAddr::new(address, 4_000)));
        console.send(request).await.0
    };
    for from in 0..40 {
        // Its longest rest, so that each is compared and the last one makes it rest as long, however slow this machine is.
        console.clock.advance(SignedDuration::from_mins(15));
        assert_eq!(attempt(from, "guess").await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(attempt(99, PASSWORD).await, StatusCode::UNPROCESSABLE_ENTITY, "it rests for its owner too");
    console.clock.advance(SignedDuration::from_mins(16));
    assert_eq!(attempt(99, PASSWORD).await, StatusCode::SEE_OTHER);
    assert_eq!(
        console.count("sources WHERE failed_count = 1 AND source <> '192.0.2.99'").await,
        40,
        "none of them rests"
    );
}

#[tokio::test]
async fn a_busy_server_makes_no_account_and_no_source_rest() {
    let mut console = Console::new().await;
    let mut config = web::Config::new("https://mend.example");
    config.hashing = web::Hashing::new(0, Duration::ZERO);
    let hashing = config.hashing.clone();
    console.router = web::router(console.app(config));
    for account in ["sam@ours.example", "nobody@ours.example"] {
        for _ in 0..40 {
            let answer = console.try_sign_in_from("2001:db8::1", account, PASSWORD).await;
            assert_eq!(answer, StatusCode::SERVICE_UNAVAILABLE, "{account}");
        }
    }
    hashing.add(2);
    let right = console.try_sign_in_from("2001:db8::1", "sam@ours.example", PASSWORD).await;
    assert_eq!(right, StatusCode::SEE_OTHER);
    assert_eq!(console.count("sources WHERE failed_count > 0").await, 0);
    assert_eq!(console.count("tenant_audit WHERE action = 'account.password_failed'").await, 0);
}

impl Console {
    /// Asks for letters to these addresses, thirty at once: each from its own place.
    async fn sign_up_from(&self, asks: &[(String, String)]) {
        for some in asks.chunks(30) {
            let asked = some.iter().map(|(from, email)| async move {
                let form = format!("organization=Mine&name=Kim&email={}", encoded(email));
                self.post_from(from, Proxies::Unnamed, "/sign-up", &form).await
            });
            let answers = futures_util::future::join_all(asked).await;
            assert!(answers.iter().all(|answer| *answer == StatusCode::OK), "{answers:?}");
        }
    }

    async fn with_sign_up(mut self) -> Console {
        self.execute("UPDATE platform_state SET sign_up = 'open'".to_owned()).await;
        self
    }
}

#[tokio::test]
async fn letters_that_are_asked_for_side_by_side_are_counted_too() {
    let mut console = Console::new().await.with_sign_up().await;
    let asks: Vec<_> = (0..60).map(|n| ("192.0.2.9".to_owned(), format!("stranger{n}@new.example"))).collect();
    console.sign_up_from(&asks).await;
    let sent = console.count("letters").await;
    assert!((30..36).contains(&sent), "from the 31st on the source rests: {sent}");
    // From many places to one address.
    let asks: Vec<_> = (0..30).map(|n| (format!("198.51.100.{n}"), "kim@new.example".to_owned())).collect();
    console.sign_up_from(&asks).await;
    assert_eq!(console.count("letters WHERE address = 'kim@new.example'").await, 5);
    let places: Vec<String> = (0..30).map(|n| format!("203.0.113.{n}")).collect();
    let form = "email=sam%40ours.example";
    let resets = places.iter().map(|from| console.post_from(from, Proxies::Unnamed, "/reset", form));
    futures_util::future::join_all(resets).await;
    assert_eq!(console.count("letters WHERE kind = 'reset'").await, 1);
}

#[tokio::test]
async fn behind_a_proxy_that_names_nobody_letters_alone_have_an_end() {
    let mut console = Console::new().await.with_sign_up().await;
    // A minute after the hour, for they are counted by it.
    let now = console.store.system().await.unwrap().now().await.unwrap().as_second();
    console.clock.advance(SignedDuration::from_secs(3_660 - now % 3_600));
    let ask = |n: u32| ("127.0.0.1".to_owned(), format!("stranger{n}@new.example"));
    console.sign_up_from(&(0..120).map(ask).collect::<Vec<_>>()).await;
    assert_eq!(console.count("letters").await, 100);
    console.sign_up_from(&[("203.0.113.9".to_owned(), "kim@new.example".to_owned())]).await;
    assert_eq!(console.count("letters").await, 101, "who comes by a proxy that is named, or none, has their own");
    let right = console.try_sign_in_from("127.0.0.1", "sam@ours.example", PASSWORD).await;
    assert_eq!(right, StatusCode::SEE_OTHER, "nobody is kept from signing in");
    console.clock.advance(SignedDuration::from_hours(1));
    console.sign_up_from(&[ask(200)]).await;
    assert_eq!(console.count("letters").await, 102);
}

#[tokio::test]
async fn whoever_has_many_networks_of_one_site_is_slowed_down_as_a_site() {
    let mut console = Console::new().await.with_sign_up().await;
    let asks: Vec<_> = (0..330).map(|n| (format!("2001:db8:1:{n:x}::1"), format!("stranger{n}@new.example"))).collect();
    console.sign_up_from(&asks).await;
    let sent = console.count("letters").await;
    assert!((300..310).contains(&sent), "from the 301st on the site rests: {sent}");
    console.sign_up_from(&[("2001:db8:2::1".to_owned(), "kim@new.example".to_owned())]).await;
    assert_eq!(console.count("letters").await, sent + 1, "another site does not");
}
