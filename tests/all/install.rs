//! The line that the console gives: from a token to an agent that is linked, below a folder of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use server::config::{NodeConfig, Transport};
use server::seed::Seed;
use server::up::{Installation, Options};
use store::TenantTx;
use store::auth::OperatorTx;
use store::enrolment_tokens::{self, For, New};
use store::fleet;
use store::pages::hosts::{self, Of};
use tempfile::TempDir;
use uuid::Uuid;
use web::install::{self, Agent, Profile};

use crate::support::program;

const SEED: &str = include_str!("../../infra/demo.yaml");
/// The token that each [`Served`] takes.
pub const TOKEN: &str = "mw_enroll_of_the_install_test";

/// A program that ends with the test.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with an authority of its own, which gives the agent away and takes [`TOKEN`] from two machines.
pub struct Served {
    installation: Installation,
    tenant: Uuid,
    /// Whose hosts the token makes.
    pub client: Uuid,
    /// What is given away.
    pub agent: Agent,
    /// The test's folder, which everybody may pass through.
    pub dir: TempDir,
}

impl Served {
    /// Starts it.
    pub async fn start() -> Served {
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
        let agent = Agent::open(&binary).unwrap();
        let mut served = Served { installation, tenant, client: Uuid::nil(), agent, dir };
        let mut making = served.tx().await;
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
        served.client = client_id;
        served
    }

    async fn tx(&self) -> TenantTx {
        let operator = OperatorTx::begin(&self.installation.store, &self.installation.owner_url()).await.unwrap();
        operator.into_tenant(self.tenant).await.unwrap()
    }

    /// The line that the console gives for a machine that is to become such an agent's.
    pub fn line(&self, agent: &Agent) -> String {
        let authority = Some(self.installation.authority.parse().unwrap());
        install::command(&self.installation.node.public_url, agent, authority, Profile::LowRisk, TOKEN)
    }

    /// The first host that has linked, of this name where one is said.
    pub async fn linked(&self, name: Option<&str>) -> hosts::Row {
        let linked = async {
            loop {
                let rows = hosts::list(&mut self.tx().await, Of::All, 10).await.unwrap();
                let is_it = |row: &hosts::Row| row.linked_at.is_some() && name.is_none_or(|name| row.name == name);
                if let Some(row) = rows.into_iter().find(is_it) {
                    return row;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), linked).await.expect("the agent links")
    }

    /// Ends it.
    pub async fn stop(self) {
        self.installation.stop().await.unwrap();
    }
}

/// Runs the line as a person would, but without sudo and below `root`.
fn run(line: &str, root: &Path, work: &Path) -> Output {
    let line = format!("{} --root {}", line.replace("| sudo sh ", "| sh "), root.display());
    Command::new("sh").arg("-c").arg(line).current_dir(work).stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_installs_the_agent_that_was_meant_and_the_machine_becomes_a_host() {
    let served = Served::start().await;
    let (work, root) = (served.dir.path().join("work"), served.dir.path().join("root"));
    std::fs::create_dir(&work).unwrap();

    let other = Agent { sha256: "0".repeat(64), ..served.agent.clone() };
    let refused = tokio::task::block_in_place(|| run(&served.line(&other), &root, &work));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("not the program that was meant"), "{said}");
    assert!(!root.join("usr").exists(), "nothing was installed");

    let done = tokio::task::block_in_place(|| run(&served.line(&served.agent), &root, &work));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("enrolled as host ") && said.contains("start it there with: "), "{said}");
    let installed = root.join("usr/local/bin/mendwright-agent");
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(&served.agent.path).unwrap());
    let unit = std::fs::read_to_string(root.join("etc/systemd/system/mendwright-agent.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/mendwright-agent run\n"));
    let state = root.join("var/lib/mendwright");
    assert!(std::fs::read_to_string(state.join("agent.toml")).unwrap().contains("profile = \"low-risk\""));

    // It starts as the script says, links, and waits for a person.
    let running = Command::new(&installed).arg("run").arg("--state-dir").arg(&state).stderr(Stdio::null()).spawn();
    let running = Killed(running.unwrap());
    let row = served.linked(None).await;
    assert!(row.is_newcomer && row.client_id == served.client && row.unlinked_at.is_none());
    assert_eq!(row.own_limits.unwrap()["profile"], "low-risk");
    drop(running);
    served.stop().await;
}
