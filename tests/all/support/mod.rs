//! One cluster for the whole test binary, a fresh database for each test.
//!
//! The cluster starts at the first [`TestDb::new`], without fsync, in a folder of the system's temp directory. It ends
//! with this process however that ends (parent-death signal), and a watching shell then removes the folder.

#![allow(dead_code, reason = "not every helper has a user at every moment")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use embedded::{Cluster, Options, SUPERUSER};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use store::{Clock, Store, StoreConfig};

/// A monotonic clock for a real part.
#[expect(clippy::disallowed_methods, reason = "a real part is driven")]
pub fn monotonic() -> std::sync::Arc<dyn Fn() -> std::time::Duration + Send + Sync> {
    let start = std::time::Instant::now();
    std::sync::Arc::new(move || start.elapsed())
}

const TEMPLATE: &str = "mendwright_template";

/// A migrated database of its own; dropped with the value.
pub struct TestDb {
    name: String,
}

impl TestDb {
    /// A fresh copy of the migrated template.
    pub async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin_url = cluster().url(SUPERUSER, "postgres");
        let mut admin = connect(&admin_url).await;
        let create = format!("CREATE DATABASE {name} OWNER app_owner TEMPLATE {TEMPLATE}");
        admin.execute(AssertSqlSafe(create)).await.expect("a database is copied from the template");
        Self { name }
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As the server signs in for tenants' work.
    pub fn login_url(&self) -> String {
        cluster().url("app_login", &self.name)
    }

    /// As the server signs in before a tenant is known.
    pub fn system_url(&self) -> String {
        cluster().url("app_system", &self.name)
    }

    /// As the migrations and the operator's command line sign in.
    pub fn owner_url(&self) -> String {
        cluster().url("app_owner", &self.name)
    }

    /// As a superuser, who sees every row: the test's own view.
    pub fn admin_url(&self) -> String {
        cluster().url(SUPERUSER, &self.name)
    }

    /// A superuser's connection.
    pub async fn admin(&self) -> PgConnection {
        connect(&self.admin_url()).await
    }

    /// A store on this database, under `clock`.
    pub fn store(&self, clock: Clock) -> Store {
        Store::connect(&StoreConfig {
            tenant_url: self.login_url(),
            system_url: self.system_url(),
            tenant_connections: 4,
            clock,
        })
        .expect("the URLs can be parsed")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let url = cluster().url(SUPERUSER, "postgres");
        // A test that has failed is not told a second thing; the folder goes with the process anyway.
        let _ =
            on_own_runtime(move || async move { connect(&url).await.execute(AssertSqlSafe(drop)).await.map(|_| ()) });
    }
}

/// A connection by URL.
pub async fn connect(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().expect("a URL of ours").connect().await.expect("the test cluster takes connections")
}

/// A program of ours, as this test run built it.
pub fn program(name: &str) -> PathBuf {
    let ours = std::env::current_exe().expect("this test has a path");
    let program = ours.parent().and_then(Path::parent).expect("target/debug/deps").join(name);
    assert!(program.is_file(), "{} is missing: run cargo test --workspace", program.display());
    program
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let root = std::env::temp_dir().join(format!("mendwright-tests-{}", std::process::id()));
        remove_folder_after_us(&root);
        let mut options = Options::new(&root).without_fsync();
        options.settings.push(("max_connections".to_owned(), "400".to_owned()));
        let cluster =
            Cluster::start(&options).unwrap_or_else(|error| panic!("the test cluster does not start: {error:#}"));
        let (admin, owner) = (cluster.url(SUPERUSER, "postgres"), cluster.url("app_owner", TEMPLATE));
        on_own_runtime(move || async move {
            store::migrate::prepare_cluster(&admin, TEMPLATE).await?;
            store::migrate::migrate(&owner).await
        })
        .unwrap_or_else(|error| panic!("the template cannot be migrated: {error:?}"));
        cluster
    })
}

/// Runs to its end, also from inside a test's own runtime.
fn on_own_runtime<T: Send + 'static, W: Future<Output = T>>(work: impl FnOnce() -> W + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work())
    });
    thread.join().expect("the work does not panic")
}

/// A shell whose input ends when this process does, however it does; it waits for the server's own end.
fn remove_folder_after_us(root: &Path) {
    let script = r#"cat; n=0; while [ -e "$0/data/postmaster.pid" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done; rm -rf "$0""#;
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(root).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().expect("sh runs");
    // Kept open for the life of the process.
    std::mem::forget(child);
}
