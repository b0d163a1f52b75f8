//! The server's logins: a server does not start with one that the policies would not hold back.

use store::{Clock, Store, StoreConfig};

use crate::support::TestDb;

#[tokio::test]
async fn a_server_serves_with_no_login_that_the_policies_do_not_hold_back() {
    let db = TestDb::new().await;
    let store = |tenant_url: String, system_url: String| {
        let config = StoreConfig { tenant_url, system_url, tenant_connections: 1, clock: Clock::Database };
        Store::connect(&config).unwrap()
    };
    store(db.login_url(), db.system_url()).refuse_unsafe_login().await.unwrap();
    for strong in [db.admin_url(), db.owner_url()] {
        for (store, variable) in [
            (store(strong.clone(), db.system_url()), "DATABASE_URL "),
            (store(db.login_url(), strong.clone()), "DATABASE_SYSTEM_URL "),
        ] {
            let why = store.refuse_unsafe_login().await.unwrap_err().to_string();
            assert!(why.starts_with(variable) && why.contains("use the login app_"), "{why}");
        }
    }
}
