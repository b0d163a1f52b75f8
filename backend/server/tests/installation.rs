//! `up` on a cluster of its own: what a seed makes, that it is refused twice, and that a failed one leaves nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use server::config::{NodeConfig, Transport};
use server::keystore::Keystore;
use server::seed::{ApplyError, Seed, apply};
use server::up::{Installation, Options};
use store::auth::{OperatorTx, by_login};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SEED: &str = include_str!("../../../infra/demo.yaml");

fn seed() -> Seed {
    Seed::parse(Path::new("infra/demo.yaml"), SEED, &|_| Some("a long password".into())).unwrap()
}

fn options(data: PathBuf, seed: Option<Seed>) -> Options {
    let node = NodeConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        transport: Transport::InsecureLoopback,
        public_url: None,
        agent_binary: None,
        smtp: None,
        mail_from: "mendwright@example.test".into(),
        allow_egress: Vec::new(),
        trusted_proxies: Vec::new(),
    };
    Options { data, node, seed, durable: false }
}

/// In the system's temp directory, where the database server's account may pass through.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("mw-up-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

async fn status_line(installation: &Installation, path: &str) -> String {
    let mut stream = TcpStream::connect(installation.node.addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_comes_up_seeded_once_and_comes_back() {
    let dir = folder();
    let data = dir.path().join("data");
    let first = Installation::start(options(data.clone(), Some(seed())), Vec::new()).await.unwrap();
    assert_eq!(status_line(&first, "/sign-in").await, "HTTP/1.1 200 OK");
    for demos in ["/demo", "/demo/mails", "/demo/mails/1", "/demo/mails/1/page"] {
        assert_eq!(status_line(&first, demos).await, "HTTP/1.1 404 Not Found", "{demos}");
    }
    let seeded = first.seeded.as_ref().unwrap();
    let hosts: Vec<&str> = seeded.hosts.iter().map(|h| h.host.as_str()).collect();
    assert_eq!(hosts, ["alder-01", "birch-01", "cedar-01", "dune-01", "elm-01", "fern-01"]);
    let member = by_login(&first.store, seeded.members[0].login_id).await.unwrap().unwrap();
    assert_eq!(member.scope.tenant_id(), seeded.tenant_id);
    let authority = first.authority.clone();
    first.stop().await.unwrap();

    let refused = Installation::start(options(data.clone(), Some(seed())), Vec::new()).await.err().unwrap();
    assert!(refused.to_string().contains("already has a tenant"), "{refused:#}");

    let again = Installation::start(options(data, None), Vec::new()).await.unwrap();
    assert_eq!(again.authority, authority, "agents have pinned it");
    again.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_fails_half_way_leaves_nothing() {
    let dir = folder();
    let data = dir.path().join("data");
    let installation = Installation::start(options(data.clone(), None), Vec::new()).await.unwrap();
    let keystore = Keystore::open(&data.join("keys")).unwrap();
    let owner = installation.owner_url();
    // A login of the same address is found only after the tenant was written.
    let mut operator = OperatorTx::begin(&installation.store, &owner).await.unwrap();
    operator.insert_login("owner@harbour.example", "x").await.unwrap();
    operator.into_tenant(store::Store::new_id()).await.unwrap().commit().await.unwrap();

    let error = apply(&installation.store, &owner, &keystore.master, seed()).await.unwrap_err();
    assert!(matches!(&error, ApplyError::Store(e) if e.conflict() == Some("logins_email_key")), "{error:?}");
    let mut operator = OperatorTx::begin(&installation.store, &owner).await.unwrap();
    assert_eq!(operator.count_tenants().await.unwrap(), 0);
    drop(operator);
    installation.stop().await.unwrap();
}
