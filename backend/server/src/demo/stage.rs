//! Everything the demo consists of, brought up and taken down again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::RngExt as _;
use store::Store;
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::once::Report;
use super::sink::{Received, Sink};
use super::victim::{DISK, Files};
use super::{Fault, VICTIMS, Victim, ctl, folder, pages, volume};
use crate::config::{NodeConfig, Transport, Urls};
use crate::random::rng;
use crate::seed::{Seed, SeededHost};
use crate::up::{Installation, Options, enrol_server};

const SEED: &str = include_str!("../../../../infra/demo.yaml");
const SEED_PATH: &str = "infra/demo.yaml";
/// The file system that the seed looks at; the demo puts in where it has mounted it.
const DISK_PATH: &str = "/srv/cedar";
/// The folder of the service whose cache the seed sets aside; the demo puts in where it is.
const HOME_PATH: &str = "/srv/elm";
/// What the seed asks over HTTP; the demo puts in the address that it got.
const ASKED_URL: &str = "http://127.0.0.1:8017/";
const PASSWORD_VARIABLE: &str = "MENDWRIGHT_DEMO_PASSWORD";
const AGENT_STOP_LIMIT: Duration = Duration::from_secs(5);
/// No 0 and O, no 1 and l: it is typed from a screen.
const PASSWORD_LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The demo.
pub struct Stage {
    folder: PathBuf,
    password: String,
    installation: Option<Installation>,
    agents: Vec<(String, Child)>,
    sink: Option<Arc<Sink>>,
    email: String,
    login_id: Uuid,
    has_volume: bool,
    ask_first: bool,
    /// Routes beside the demo's own.
    pub also: Vec<web::Route>,
    /// What `--once` found.
    pub report: Option<Report>,
}

impl Stage {
    /// A fresh folder, and nothing in it yet. With `ask_first` no mapping acts by itself.
    pub fn claim(ask_first: bool) -> Result<Stage> {
        folder::sweep();
        let name: String = draw(8).to_lowercase();
        let folder = folder::claim(&name)?;
        log_to(&folder.join("server.log"))?;
        Ok(Stage {
            folder,
            password: draw(14),
            installation: None,
            agents: Vec::new(),
            sink: None,
            email: String::new(),
            login_id: Uuid::nil(),
            has_volume: false,
            ask_first,
            also: Vec::new(),
            report: None,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The rows, once it has risen.
    pub fn store(&self) -> Result<&Store> {
        Ok(&self.installation.as_ref().context("the demo has not risen")?.store)
    }

    /// Who acts.
    pub fn login_id(&self) -> Uuid {
        self.login_id
    }

    /// The subjects of the mails that arrived.
    pub fn subjects(&self) -> Vec<String> {
        self.mails().into_iter().map(|message| message.subject).collect()
    }

    /// The texts of the mails that arrived.
    pub fn mail_texts(&self) -> Vec<String> {
        self.mails().into_iter().map(|message| message.text).collect()
    }

    fn mails(&self) -> Vec<Received> {
        self.sink.as_ref().map(|sink| sink.messages()).unwrap_or_default()
    }

    /// The files of the service on `host`.
    pub fn files(&self, host: &str) -> Files {
        Files::of(&self.folder, host)
    }

    /// Brings up server, services and agents. What came up stays in `self` also when it fails.
    pub async fn rise(&mut self) -> Result<()> {
        let password = self.password.clone();
        let env = move |name: &str| (name == PASSWORD_VARIABLE).then(|| password.clone());
        let asked = self.start_asked().await?;
        let seed = self.mount(SEED)?.replace(ASKED_URL, &format!("http://{asked}/"));
        let seed = self.name_home(&seed)?;
        let mut seed = Seed::parse(Path::new(SEED_PATH), &seed, &env)?;
        if self.ask_first {
            seed.ask_first();
        }
        let (mail_addr, sink) = Sink::start(([127, 0, 0, 1], 0).into()).await.context("the demo's mailbox")?;
        let sink = self.sink.insert(Arc::new(sink)).clone();
        let node = NodeConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            transport: Transport::InsecureLoopback,
            public_url: None,
            agent_binary: None,
            smtp: Some(format!("smtp://{mail_addr}")),
            mail_from: "Mendwright <mendwright@harbour.example>".into(),
            // The server's own question goes to exactly this one port of this machine.
            allow_egress: vec![asked.to_string().parse()?],
            trusted_proxies: Vec::new(),
        };
        let options = Options { data: self.folder.join("data"), node, seed: Some(seed), durable: false };
        let mut routes = pages::routes(pages::Theatre::new(self.folder.clone(), sink));
        routes.append(&mut self.also);
        let installation = Installation::start(options, routes).await?;
        let seeded = installation.seeded.as_ref().context("the seed made nothing")?;
        let owner = seeded.members.first().context("the seed has no member")?;
        (self.email, self.login_id) = (owner.email.clone(), owner.login_id);
        let (server, authority) = (enrol_server(&installation.node), installation.authority.clone());
        let installation = self.installation.insert(installation);
        let seeded = installation.seeded.take().context("the seed made nothing")?;
        for victim in self.victims() {
            let host = seeded.hosts.iter().find(|h| h.host == victim.host);
            let host = host.with_context(|| format!("{SEED_PATH} has no host {}", victim.host))?;
            let agent = self.start_host(host, victim, &server, &authority).await?;
            self.agents.push((victim.host.to_owned(), agent));
        }
        let urls = self.urls()?;
        let note = folder::Note {
            pid: std::process::id(),
            tenant_url: urls.tenant,
            system_url: urls.system,
            login_id: self.login_id,
        };
        folder::write_note(&self.folder, &note)
    }

    /// Whether there is a small file system to fill.
    pub fn has_volume(&self) -> bool {
        self.has_volume
    }

    /// Those that can be broken here.
    pub fn victims(&self) -> Vec<&'static Victim> {
        VICTIMS.iter().filter(|victim| victim.fault != Fault::Filled || self.has_volume).collect()
    }

    /// Mounts the small file system, and tells the seed where it is.
    fn mount(&mut self, seed: &str) -> Result<String> {
        let victim = VICTIMS.iter().find(|victim| victim.fault == Fault::Filled).context("nothing fills up")?;
        ensure!(seed.contains(DISK_PATH), "{SEED_PATH} looks at no disk {DISK_PATH}");
        self.make_folders(victim.host)?;
        let at = self.folder.join(victim.host).join(DISK);
        self.has_volume = volume::mount(&at)?;
        if self.has_volume {
            fs::set_permissions(&at, fs::Permissions::from_mode(0o700))?;
            fs::DirBuilder::new().mode(0o700).create(at.join("agent"))?;
        } else {
            println!("Mounting a file system is not allowed here: ({}) is left out.", victim.name);
        }
        Ok(seed.replace(DISK_PATH, &at.display().to_string()))
    }

    /// Tells the seed where the service is whose cache is set aside.
    fn name_home(&self, seed: &str) -> Result<String> {
        let victim = VICTIMS.iter().find(|victim| victim.fault == Fault::Misconfigured).context("no settings break")?;
        ensure!(seed.contains(HOME_PATH), "{SEED_PATH} sets aside no cache in {HOME_PATH}");
        Ok(seed.replace(HOME_PATH, &self.files(victim.host).dir().display().to_string()))
    }

    /// Where the agent of `victim` keeps its own files: the one of the disk that fills up, on that very disk.
    fn state_dir(&self, victim: &Victim) -> PathBuf {
        let dir = self.folder.join(victim.host);
        if victim.fault == Fault::Filled { dir.join(DISK).join("agent") } else { dir.join("agent") }
    }

    /// Starts the service that the server asks over HTTP: where it listens is only known once it does.
    async fn start_asked(&self) -> Result<SocketAddr> {
        ensure!(SEED.contains(ASKED_URL), "{SEED_PATH} asks nothing of {ASKED_URL}");
        let victim = VICTIMS.iter().find(|victim| victim.fault == Fault::Frozen).context("nothing hangs")?;
        let files = self.files(victim.host);
        self.make_folders(victim.host)?;
        ctl::start_by_command(&files).await?;
        let port = files.port().context("its port is unknown")?;
        Ok((Ipv4Addr::LOCALHOST, port).into())
    }

    /// A host's folders: its service's and its agent's.
    fn make_folders(&self, host: &str) -> Result<()> {
        let dir = self.folder.join(host);
        for path in [&dir, &dir.join("service"), &dir.join("agent")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        Ok(())
    }

    fn urls(&self) -> Result<Urls> {
        Ok(self.installation.as_ref().context("the demo has not risen")?.urls())
    }

    /// A host: its service, started; its own limits file, which declares the service; its agent, enrolled and running.
    async fn start_host(&self, host: &SeededHost, victim: &Victim, server: &str, authority: &str) -> Result<Child> {
        let dir = self.folder.join(&host.host);
        let (files, state) = (self.files(&host.host), self.state_dir(victim));
        self.make_folders(&host.host)?;
        let ours = std::env::current_exe()?;
        files.write_settings()?;
        ctl::start_by_command(&files).await?;
        // Not of low risk: this host's owner allows just these by name.
        let (profile, allowed) = match victim.fault {
            Fault::Frozen => ("all-signed", "allowed_playbooks = [\"restart-hung-service\"]\n"),
            Fault::Filled => ("all-signed", "allowed_playbooks = [\"clean-old-logs\", \"release-deleted-logs\"]\n"),
            Fault::Killed | Fault::Misconfigured => ("low-risk", ""),
        };
        fs::write(state.join("agent.toml"), format!("{allowed}{}", limits_file(victim.service, &ours, &files)))?;

        let program = ours.with_file_name("mendwright-agent");
        ensure!(program.is_file(), "{} is missing: build it with cargo build -p agent", program.display());
        let enrolled = Command::new(&program)
            .args(["enroll", "--server", server, "--profile", profile, "--authority", authority, "--state-dir"])
            .arg(&state)
            .env("MENDWRIGHT_TOKEN", host.token.reveal())
            .stdin(Stdio::null())
            .output()
            .await?;
        ensure!(
            enrolled.status.success(),
            "{} could not enrol: {}",
            host.host,
            String::from_utf8_lossy(&enrolled.stderr).trim()
        );
        let log = fs::File::options().create(true).append(true).open(dir.join("agent.log"))?;
        Command::new(&program)
            .args(["run", "--state-dir"])
            .arg(&state)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0) // Ctrl-C at the terminal is ours to handle
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))
    }

    /// Resolves when an agent ends by itself.
    pub async fn first_to_end(&mut self) -> Option<String> {
        let waits = self.agents.iter_mut().map(|(host, child)| {
            Box::pin(async move {
                drop(child.wait().await);
                host.clone()
            })
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() { None } else { Some(futures_util::future::select_all(waits).await.0) }
    }

    /// What to do now.
    pub fn print_invitation(&self) {
        let Some(installation) = &self.installation else { return };
        let ours = std::env::current_exe().map(|p| p.display().to_string()).unwrap_or_else(|_| "mendwright".into());
        println!("\nMendwright runs at {}", installation.node.public_url);
        println!("  sign in with {}  {}\n", self.email, self.password);
        println!(
            "Open {}/demo, sign in, and press a button. From another terminal it goes like this:",
            installation.node.public_url
        );
        for victim in self.victims() {
            println!("  {ours} demo break {}   # {}", victim.name, victim.story);
        }
        println!(
            "\nEach incident's page says what was seen, what was decided and why. Ctrl-C ends and removes everything."
        );
    }

    /// The last lines of every log, for a demo that failed.
    pub fn print_logs(&self) {
        let mut logs = vec![self.folder.join("server.log"), self.folder.join("data/cluster/log")];
        logs.extend(VICTIMS.iter().map(|v| self.folder.join(v.host).join("agent.log")));
        for path in logs {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {}", path.display());
            for line in lines.iter().skip(lines.len().saturating_sub(15)) {
                eprintln!("{line}");
            }
        }
    }

    /// Leaves every mail in the folder, as it came.
    fn keep_mails(&self) {
        for (number, mail) in self.mails().into_iter().enumerate() {
            let path = self.folder.join(format!("mail-{}.eml", number + 1));
            if let Err(error) = fs::write(&path, &mail.raw) {
                eprintln!("mendwright: {} could not be written: {error}", path.display());
            }
        }
    }

    /// Ends agents, services, server and cluster, and removes the folder.
    pub async fn stop(&mut self, keep: bool) {
        for (_, child) in &self.agents {
            if let Some(pid) = child.id() {
                let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
            }
        }
        for (host, mut child) in self.agents.drain(..) {
            if tokio::time::timeout(AGENT_STOP_LIMIT, child.wait()).await.is_err() {
                tracing::warn!(host, "the agent did not end in time");
                drop(child.kill().await);
            }
        }
        for victim in &VICTIMS {
            drop(ctl::kill_hard(&self.files(victim.host)));
        }
        if let Some(installation) = self.installation.take()
            && let Err(error) = installation.stop().await
        {
            eprintln!("mendwright: {error:#}");
        }
        folder::end_leftovers(&self.folder);
        volume::unmount_below(&self.folder);
        if keep {
            folder::remove_note(&self.folder);
            self.keep_mails();
            println!("The folder {} is left behind.", self.folder.display());
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("mendwright: {} could not be removed: {error}", self.folder.display());
        }
    }
}

/// The host's own limits file: services are declared here, and the server never sends a command.
fn limits_file(name: &str, ours: &Path, files: &Files) -> String {
    let command = |action: &str| {
        format!("[{:?}, \"demo-ctl\", {action:?}, \"--dir\", {:?}]", ours.display().to_string(), files.dir())
    };
    format!(
        "max_runs_per_hour = 6\n\n[services.{name}]\npid_file = {:?}\nlog_file = {:?}\nstart = {}\nstop = {}\nstatus = {}\nstop_limit_secs = 10\n",
        files.pid_file(),
        files.log(),
        command("start"),
        command("stop"),
        command("status"),
    )
}

fn draw(length: usize) -> String {
    let mut rng = rng();
    (0..length).map(|_| char::from(PASSWORD_LETTERS[rng.random_range(0..PASSWORD_LETTERS.len())])).collect()
}

fn log_to(path: &Path) -> Result<()> {
    let file = fs::File::create(path)?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(crate::LOG_FILTER));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::sync::Mutex::new(file)).init();
    Ok(())
}
