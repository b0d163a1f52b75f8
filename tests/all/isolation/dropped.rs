//! A request may be dropped at any instant, in the middle of a transaction: the next one on its connection must find
//! neither its role nor its tenant nor its rows, and wait for none of its locks.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sqlx::Connection as _;
use store::fleet::list_clients;
use store::people::sources::{self, Source};
use store::{Clock, Result, Store, StoreConfig, TenantScope, seeding};

use super::{claimed, limited, tenant};
use crate::support::TestDb;

/// How many requests are given up, at least.
const MANY: usize = 2_000;

/// Where a request is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Drop {
    /// As soon as it waits for the n-th time.
    Waiting(usize),
    /// When it is woken after it waited for the n-th time.
    Woken(usize),
}

/// What is asked and not answered yet.
type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A request that is given up at one of its awaits; `None`: it was.
struct Dropped<'a, T> {
    request: Asked<'a, T>,
    at: Drop,
    waited: usize,
}

impl<T> Future for Dropped<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.at == Drop::Woken(self.waited) {
            return Poll::Ready(None);
        }
        match self.request.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => {
                self.waited += 1;
                if self.at == Drop::Waiting(self.waited) { Poll::Ready(None) } else { Poll::Pending }
            }
        }
    }
}

/// Gives up requests, the first and the second side by side, at each of their awaits in turn, until there were [`MANY`].
/// What comes `next` is asked after each two. How many were given up.
async fn give_up_many<'a, T>(
    request: impl Fn(usize) -> Asked<'a, Result<T>>,
    next: impl Fn() -> Asked<'a, ()>,
) -> usize {
    let mut dropped = 0;
    // How often a request waits depends on how fast the server is, and on the other one: each round is another one.
    for make in [Drop::Waiting as fn(usize) -> Drop, Drop::Woken].into_iter().cycle() {
        if dropped >= MANY {
            break;
        }
        for n in 1.. {
            let (first, second) = tokio::join!(
                Dropped { request: request(0), at: make(n), waited: 0 },
                Dropped { request: request(1), at: make(n), waited: 0 }
            );
            next().await;
            let mut done = 0;
            for result in [first, second].into_iter().flatten() {
                assert!(result.is_ok(), "a request beside one that is dropped at {:?} fails", make(n));
                done += 1;
            }
            dropped += 2 - done;
            if done == 2 {
                break;
            }
        }
    }
    dropped
}

/// A request that must leave nothing: it sees all clients, writes, and gives up in the end.
async fn request(store: &Store, scope: &TenantScope, name: &str) -> Result<()> {
    let mut tx = store.begin(scope).await?;
    seeding::insert_client(&mut tx, name, "UTC").await?;
    list_clients(&mut tx).await?;
    tx.rollback().await
}

/// Both limited members at once, so that each of the pool's two connections is looked at.
async fn each_sees_its_own(store: &Store, limits: [&TenantScope; 2]) {
    let mut first = store.begin(limits[0]).await.unwrap();
    let mut second = store.begin(limits[1]).await.unwrap();
    for tx in [&mut first, &mut second] {
        let names: Vec<_> = list_clients(tx).await.unwrap().into_iter().map(|c| c.name).collect();
        assert_eq!(names, ["Alder"], "what a dropped request left is seen by the next");
    }
    // Would make lasting what a dropped request had written.
    first.commit().await.unwrap();
    second.commit().await.unwrap();
}

#[tokio::test]
async fn thousands_of_requests_dropped_at_any_await_leak_nothing_to_the_next_on_their_two_connections() {
    let db = TestDb::new().await;
    let store = Store::connect(&StoreConfig {
        tenant_url: db.login_url(),
        system_url: db.system_url(),
        tenant_connections: 2,
        clock: Clock::Database,
    })
    .unwrap();
    let ours = tenant(&db, &store, "ours").await;
    let all = claimed(&store).await;
    let theirs = tenant(&db, &store, "theirs").await;
    let elsewhere = claimed(&store).await;
    assert_eq!((all.tenant_id(), elsewhere.tenant_id()), (ours.id, theirs.id));
    let (our_limit, their_limit) = (limited(&store, &ours).await, limited(&store, &theirs).await);

    let scopes = [&all, &elsewhere];
    let names = ["of a dropped request", "of a dropped request elsewhere"];
    let dropped = give_up_many(
        |side| Box::pin(request(&store, scopes[side], names[side])),
        || Box::pin(each_sees_its_own(&store, [&their_limit, &our_limit])),
    )
    .await;
    assert!(dropped >= MANY, "only {dropped} requests were dropped");

    let mut admin = db.admin().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM clients WHERE name LIKE 'of a dropped request%'")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(left, 0, "what a dropped request wrote has lasted");
    store.close().await;
    admin.close().await.unwrap();
}

/// Counts a try of one source: each waits for whoever has its row.
async fn count_try(store: &Store) -> Result<()> {
    let source = Source { name: "192.0.2.7".to_owned(), rests: |_| Duration::ZERO };
    sources::mark_failed(store, &[source]).await
}

/// One that is let finish.
async fn is_counted(store: &Store) {
    count_try(store).await.unwrap();
}

#[tokio::test]
async fn thousands_of_tries_dropped_at_any_await_hold_no_lock_and_count_once_at_most() {
    let db = TestDb::new().await;
    let store = db.store(Clock::Database);
    let finished = std::cell::Cell::new(0_usize);
    let dropped = give_up_many(
        |_| Box::pin(count_try(&store)),
        || {
            finished.set(finished.get() + 1);
            Box::pin(is_counted(&store))
        },
    )
    .await;
    assert!(dropped >= MANY, "only {dropped} tries were dropped");

    let mut admin = db.admin().await;
    let counted: i32 = sqlx::query_scalar("SELECT failed_count FROM sources").fetch_one(&mut admin).await.unwrap();
    let (counted, finished) = (usize::try_from(counted).unwrap(), finished.get());
    // Two a round beside each of those that were let finish: a dropped one may have been counted or not.
    assert!(
        (finished..=finished * 3).contains(&counted),
        "{finished} were let finish, {dropped} were dropped, {counted} are counted"
    );
    store.close().await;
    admin.close().await.unwrap();
}
