//! Guesses at accounts, from wherever they come.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::people::{rest_of_login, rest_of_source};
use jiff::SignedDuration;
use store::logins::{self, Attempt};
use store::people::sources;

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
            let source = format!("198.51.{}.{n}", round % 10);
            if round < 10 {
                assert!(sources::claim_try(store, &source, rest_of_source).await.unwrap(), "{source} does not rest");
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
