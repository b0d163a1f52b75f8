//! What the host is, told at each link.

use wire::v1::{Down, Up};

use crate::bench::{Bench, SERVICE, TENANT};
use crate::fake;

#[tokio::test]
async fn a_host_says_what_it_is_at_each_link() {
    let bench = Bench::new("exit 1").await;
    let mut agent = bench.run(&[]).await;
    let found = agent.peer.until(|up| if let Up::Found(found) = up { Some(found) } else { None }).await;
    assert_eq!(found.boot_id, agent.hello.boot_id);
    assert_eq!(found.agent_version, agent.hello.agent_version);
    let services: Vec<_> = found.services.iter().map(|s| (s.name.as_str(), s.unit)).collect();
    assert_eq!(services, [(SERVICE, false)]);
    let port = bench.server.port();
    assert!(found.listening.iter().any(|listening| listening.port == port), "the test's own server: {found:?}");

    agent.peer.send(Down::Retry { after_secs: 0 }).await;
    let mut peer = bench.server.accept().await;
    fake::welcome(&mut peer, &bench.host_key, TENANT, false).await;
    let again = peer.until(|up| if let Up::Found(found) = up { Some(found) } else { None }).await;
    assert_eq!(again.kernel, found.kernel);
}
