//! A person is faster: the service is started by hand while its fix is held.

use nix::sys::signal::{Signal, kill};
use store::remediate::hands_off::{self, Whose};
use store::{Clock, Store, StoreConfig, TenantTx};
use uuid::Uuid;

use super::harness::{Bench, Known, go_on};

struct Person {
    store: Store,
    login_id: Uuid,
    client_id: Uuid,
    host_id: Uuid,
}

impl Person {
    async fn of(bench: &Bench) -> Person {
        let store = Store::connect(&StoreConfig {
            tenant_url: bench.urls.login.clone(),
            system_url: bench.urls.system.clone(),
            tenant_connections: 1,
            clock: Clock::Database,
        })
        .unwrap();
        let (login_id, client_id, host_id) =
            sqlx::query_as("SELECT m.login_id, h.client_id, h.host_id FROM memberships m, hosts h")
                .fetch_one(&bench.rows)
                .await
                .unwrap();
        Person { store, login_id, client_id, host_id }
    }

    async fn tx(&self) -> TenantTx {
        let member = store::auth::by_login(&self.store, self.login_id).await.unwrap().unwrap();
        self.store.begin(&member.scope).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_started_by_hand_while_it_was_held_is_not_run_even_when_the_host_cannot_say_so_in_time() {
    let bench = Bench::up(Known::Fix, Vec::new(), Vec::new()).await;
    let person = Person::of(&bench).await;
    let mut tx = person.tx().await;
    hands_off::insert(
        &mut tx,
        Whose::Host { client_id: person.client_id, host_id: person.host_id },
        1,
        "by hand",
        "Owner",
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    bench.victim.break_it();
    bench
        .until("the run is held", async || bench.count("SELECT count(*) FROM runs WHERE state = 'held'").await == 1)
        .await;

    // The host's reports are held back: the service runs again, and nobody here knows.
    let agent = bench.agent_pid();
    kill(agent, Signal::SIGSTOP).unwrap();
    bench.victim.start_by_hand();
    let mut tx = person.tx().await;
    hands_off::release(&mut tx, Whose::Host { client_id: person.client_id, host_id: person.host_id }, "Owner")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let leased = "SELECT count(*) FROM jobs WHERE state = 'leased'";
    bench.until("the job is on its way to the host", async || bench.count(leased).await == 1).await;
    assert_eq!(bench.count("SELECT count(*) FROM alerts WHERE newest_ok").await, 0, "no report came through");
    go_on(agent);

    bench
        .until("the run ends", async || bench.count("SELECT count(*) FROM runs WHERE state = 'cancelled'").await == 1)
        .await;
    let recovered = "SELECT count(*) FROM incidents WHERE state = 'closed' AND outcome = 'recovered'";
    bench.until("the incident closes", async || bench.count(recovered).await == 1).await;
    assert_eq!(bench.victim.ledger(), [], "nothing was run");
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE permitted_at IS NOT NULL").await, 0);
    let open = "SELECT count(*) FROM guardrail_admissions WHERE released_at IS NULL";
    bench.until("the slots are free", async || bench.count(open).await == 0).await;
}
