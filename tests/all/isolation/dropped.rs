//! A request may be dropped at any instant, in the middle of a transaction: the next one on its connection must find
//! neither its role nor its tenant nor its rows.

use std::pin::Pin;
use std::task::{Context, Poll};

use sqlx::Connection as _;
use store::fleet::list_clients;
use store::{Clock, Result, Store, StoreConfig, TenantScope, seeding};

use super::{claimed, limited, tenant};
use crate::support::TestDb;

/// Where a request is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Drop {
    /// As soon as it waits for the n-th time.
    Waiting(usize),
    /// When it is woken after it waited for the n-th time.
    Woken(usize),
}

/// A request that is given up at one of its awaits; `None`: it was.
struct Dropped<'a, T> {
    request: Pin<Box<dyn Future<Output = T> + 'a>>,
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

/// A request that must leave nothing: it sees all clients, writes, and gives up in the end.
async fn request(store: &Store, scope: &TenantScope) -> Result<()> {
    let mut tx = store.begin(scope).await?;
    seeding::insert_client(&mut tx, "of a dropped request", "UTC").await?;
    list_clients(&mut tx).await?;
    tx.rollback().await
}

#[tokio::test]
async fn a_request_dropped_at_any_await_leaks_nothing_to_the_next_on_its_connection() {
    let db = TestDb::new().await;
    // One connection: the next request gets the one that was dropped.
    let store = Store::connect(&StoreConfig {
        tenant_url: db.login_url(),
        system_url: db.system_url(),
        tenant_connections: 1,
        clock: Clock::Database,
    })
    .unwrap();
    let ours = tenant(&db, &store, "ours").await;
    let all = claimed(&store).await;
    let theirs = tenant(&db, &store, "theirs").await;
    let (our_limit, their_limit) = (limited(&store, &ours).await, limited(&store, &theirs).await);

    // Whether a request waits at all where it could depends on how fast the server is, so it is tried some times.
    let mut dropped = 0;
    for make in [Drop::Waiting as fn(usize) -> Drop, Drop::Woken].into_iter().cycle().take(16) {
        for n in 1.. {
            let done = Dropped { request: Box::pin(request(&store, &all)), at: make(n), waited: 0 }.await;
            for next in [&their_limit, &our_limit] {
                let mut tx = store.begin(next).await.unwrap();
                let names: Vec<_> = list_clients(&mut tx).await.unwrap().into_iter().map(|c| c.name).collect();
                assert_eq!(names, ["Alder"], "after a request dropped at {:?}", make(n));
                // Would make lasting what a dropped request had written.
                tx.commit().await.unwrap();
            }
            if let Some(result) = done {
                result.unwrap();
                break;
            }
            dropped += 1;
        }
    }
    assert!(dropped > 16, "only {dropped} requests were dropped");

    let mut admin = db.admin().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM clients WHERE name = 'of a dropped request'")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(left, 0, "what a dropped request wrote has lasted");
    store.close().await;
    admin.close().await.unwrap();
}
