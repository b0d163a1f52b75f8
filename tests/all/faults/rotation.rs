//! The dispatch key is succeeded under two running servers and a host that is away: the next fix runs as before.

use std::process::Stdio;

use tokio::process::Command;

use super::harness::{Bench, Known, guarded};
use crate::support::program;

/// `mendwright keys rotate-dispatch`, as the operator says it beside a server.
async fn rotate(bench: &Bench) -> String {
    let mut command = Command::new(program("mendwright"));
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true).args(["keys", "rotate-dispatch"]);
    command.args(["--database-owner-url", &bench.urls.owner, "--keys"]).arg(bench.path("keys"));
    let output = guarded("the command ends", command.output()).await.expect("mendwright runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn both_of_two_servers_notice_and_a_host_that_was_away_over_two_rotations_is_healed() {
    let mut bench = Bench::up(Known::Fix, vec![], vec![]).await;
    bench.start_second_server().await;
    let said = rotate(&bench).await;
    assert!(said.contains("has version 2 now; the audits of 1 tenants"), "{said}");
    let held = "SELECT dispatch_version::bigint FROM hosts";
    bench.until("the linked host holds the new key", async || bench.count(held).await == 2).await;

    bench.kill_agent().await;
    assert!(rotate(&bench).await.contains("1 hosts hold an older one"));
    assert!(rotate(&bench).await.contains("has version 4 now"));
    assert_eq!(bench.count("SELECT count(*) FROM tenant_audit WHERE action = 'keys.rotated'").await, 3);
    let noticed = || std::fs::read_to_string(bench.path("server.log")).unwrap_or_default();
    let newest = "the dispatch key was succeeded version=4";
    bench.until("both servers notice", async || noticed().matches(newest).count() == 2).await;

    // The other server takes over: it was told of nothing but the rows.
    bench.kill_server_and_lead_to_second().await;
    bench.start_agent(vec![]).await;
    bench.until("the host holds the newest key", async || bench.count(held).await == 4).await;
    bench.victim.break_it();
    let fixed = "SELECT count(*) FROM runs WHERE state = 'fixed'";
    bench.until("it is fixed", async || bench.count(fixed).await == 1).await;
    assert_eq!(bench.victim.ledger().len(), 1);
}
