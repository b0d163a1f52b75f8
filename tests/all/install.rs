//! The line that the console gives: from a token to an agent that is linked, below a folder of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use server::config::{NodeConfig, Transport};
use server::seed::Seed;
use server::up::{Installation, Options};
use store::auth::OperatorTx;
use store::enrolment_tokens::{self, For, New};
use store::fleet;
use store::pages::hosts::{self, Of};
use web::install::{self, Agent, Profile};

use crate::support::program;

const SEED: &str = include_str!("../../infra/demo.yaml");
const TOKEN: &str = "mw_enroll_of_the_install_test";

/// A program that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the line as a person would, but without sudo and below `root`.
fn run(line: &str, root: &Path, work: &Path) -> Output {
    let line = format!("{} --root {}", line.replace("| sudo sh ", "| sh "), root.display());
    Command::new("sh").arg("-c").arg(line).current_dir(work).stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_installs_the_agent_that_was_meant_and_the_machine_becomes_a_host() {
    let dir = tempfile::Builder::new().prefix("mw-install-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let binary = program("mendwright-agent");
    let node = NodeConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        transport: Transport::Tls,
        public_url: None,
        agent_binary: Some(binary.clone()),
        smtp: None,
        mail_from: "mendwright@example.test".into(),
        allow_egress: Vec::new(),
        trusted_proxies: Vec::new(),
    };
    let seed = Seed::parse(Path::new("demo.yaml"), SEED, &|_| Some("a long password".into())).unwrap();
    let options = Options { data: dir.path().join("data"), node, seed: Some(seed), durable: false };
    let installation = Installation::start(options, Vec::new()).await.unwrap();
    let tenant = installation.seeded.as_ref().unwrap().tenant_id;
    let tx = async || {
        let operator = OperatorTx::begin(&installation.store, &installation.owner_url()).await.unwrap();
        operator.into_tenant(tenant).await.unwrap()
    };
    let mut making = tx().await;
    let client_id = fleet::list_clients(&mut making).await.unwrap()[0].client_id;
    let new = New {
        client_id,
        site_id: None,
        tags: &serde_json::json!({}),
        networks: &["127.0.0.0/8".to_owned()],
        whom: &For::Many(2),
        begins: "mw_enroll_of",
        hash: keys::token::hash(TOKEN),
        lives: Duration::from_secs(600),
        by: "test",
    };
    enrolment_tokens::insert(&mut making, &new).await.unwrap();
    making.commit().await.unwrap();

    let agent = Agent::open(&binary).unwrap();
    let authority = Some(installation.authority.parse().unwrap());
    let server = &installation.node.public_url;
    let line = |agent: &Agent| install::command(server, agent, authority, Profile::LowRisk, TOKEN);
    let (work, root) = (dir.path().join("work"), dir.path().join("root"));
    std::fs::create_dir(&work).unwrap();

    let other = Agent { sha256: "0".repeat(64), ..agent.clone() };
    let refused = tokio::task::block_in_place(|| run(&line(&other), &root, &work));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("not the program that was meant"), "{said}");
    assert!(!root.join("usr").exists(), "nothing was installed");

    let done = tokio::task::block_in_place(|| run(&line(&agent), &root, &work));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("enrolled as host ") && said.contains("start it there with: "), "{said}");
    let installed = root.join("usr/local/bin/mendwright-agent");
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(&binary).unwrap());
    let unit = std::fs::read_to_string(root.join("etc/systemd/system/mendwright-agent.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/mendwright-agent run\n"));
    let state = root.join("var/lib/mendwright");
    assert!(std::fs::read_to_string(state.join("agent.toml")).unwrap().contains("profile = \"low-risk\""));

    // It starts as the script says, links, and waits for a person.
    let running = Command::new(&installed).arg("run").arg("--state-dir").arg(&state).stderr(Stdio::null()).spawn();
    let running = Killed(running.unwrap());
    let linked = async {
        loop {
            let rows = hosts::list(&mut tx().await, Of::All, 10).await.unwrap();
            if let Some(row) = rows.into_iter().find(|row| row.linked_at.is_some()) {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let row = tokio::time::timeout(Duration::from_secs(30), linked).await.expect("the agent links");
    assert!(row.is_newcomer && row.client_id == client_id && row.unlinked_at.is_none());
    assert_eq!(row.own_limits.unwrap()["profile"], "low-risk");
    drop(running);
    installation.stop().await.unwrap();
}
