//! `make infra`: the Ansible role and the snippet for cloud-init, run by Ansible and cloud-init themselves on machines that are
//! thrown away, against a server on loopback. What is a machine here: `tests/machine/start`.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::install::{Killed, Served, TOKEN};
use crate::support::workspace;

/// A Python environment with Ansible and what cloud-init imports; in it the unpacked package of cloud-init.
fn tools() -> PathBuf {
    let Some(folder) = std::env::var_os("MENDWRIGHT_INFRA") else { panic!("say where the tools are") };
    PathBuf::from(folder)
}

/// Everything that a program printed.
fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A file that only its owner reads.
fn write_private(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What looks like a machine that was just made; gone with the value.
struct Machine {
    name: &'static str,
    /// Its PID 1, as we see it.
    pid: String,
    folder: PathBuf,
    _lives: Killed,
}

impl Machine {
    fn start(name: &'static str, served: &Served) -> Machine {
        let folder = served.dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("token"), TOKEN).unwrap();
        let mut child = Command::new("unshare")
            .args(["--mount", "--pid", "--uts", "--fork", "--kill-child", "bash"])
            .arg(workspace().join("tests/machine/start"))
            .arg(name)
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut pid = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let lives = Killed(child);
        let pid = pid.trim().to_owned();
        assert!(!pid.is_empty(), "{name} does not start: that takes root, and a kernel that lays folders over others");
        Machine { name, pid, folder, _lives: lives }
    }

    /// A program there.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.pid, "--mount", "--pid", "--uts", "--"])
            .arg(program)
            .env_clear()
            .envs([("PATH", path.as_str()), ("HOME", "/root"), ("TMPDIR", "/var/tmp"), ("LC_ALL", "C.UTF-8")])
            .stdin(Stdio::null());
        command
    }

    fn runs(&self, command: &mut Command) -> (bool, String) {
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let said = printed(&output);
        assert!(!said.contains(TOKEN), "the token was printed on {}", self.name);
        (output.status.success(), said)
    }

    /// What a script prints there; it has to end well.
    fn says(&self, script: &str) -> String {
        let (done, said) = self.runs(self.command("bash").args(["-euo", "pipefail", "-c", script]));
        assert!(done, "{script}: {said}");
        said
    }

    /// What was written there under a name of ours.
    fn written(&self) -> String {
        let layers = self.folder.join("layers");
        self.says(&format!("find {} -iname '*mendwright*' ! -type c", layers.display()))
    }

    /// Looks at what an installation leaves, and at what others could read while it was made.
    async fn is_a_host_of(&self, served: &Served) {
        let row = served.linked(Some(self.name)).await;
        assert!(row.is_newcomer && row.client_id == served.client && row.unlinked_at.is_none());
        assert_eq!(row.own_limits.unwrap()["profile"], "low-risk");
        assert!(self.says("cat /etc/mendwright/agent.toml").contains("profile = \"low-risk\"\n"));
        let sha256 = self.says("sha256sum </usr/local/bin/mendwright-agent");
        assert!(sha256.starts_with(&served.agent.sha256), "{sha256}");
        let asked = self.says("cat /run/asked");
        for what in ["daemon-reload", "enable --quiet mendwright-agent", "restart mendwright-agent"] {
            assert!(asked.lines().any(|line| line == what), "{what}: {asked}");
        }
        assert_eq!(self.says("sort -u /run/watched"), "curl\nmv\nsha256sum\n", "it was looked while these ran");
        assert_eq!(self.says("cat /run/found"), "", "nobody could read the token meanwhile");
        assert_eq!(self.says("look"), "", "nor afterwards");
    }
}

/// What follows in the line that the console gives.
fn after<'a>(line: &'a str, words: &str) -> &'a str {
    line.split_once(words).unwrap().1.split_whitespace().next().unwrap()
}

/// What Ansible says when it applies the role to the machine, and whether nothing failed.
fn play(machine: &Machine, variables: &Value, more: &[&str]) -> (bool, String) {
    let [settings, playbook, given] = ["ansible.cfg", "play.yml", "given.json"].map(|name| machine.folder.join(name));
    std::fs::write(&settings, "[defaults]\nnocolor = true\n").unwrap();
    std::fs::write(&playbook, "- hosts: all\n  roles: [mendwright_agent]\n").unwrap();
    write_private(&given, &variables.to_string());
    let mut command = machine.command(tools().join("bin/ansible-playbook"));
    command
        .args(["--inventory", "machine,", "--connection", "local", "-vvv"])
        .arg(format!("--extra-vars=@{}", given.display()))
        .args(more)
        .arg(&playbook)
        .env("ANSIBLE_CONFIG", &settings)
        .env("ANSIBLE_ROLES_PATH", workspace().join("infra/ansible/roles"));
    machine.runs(&mut command)
}

/// How many steps of a play changed something.
fn changed(said: &str) -> u32 {
    let recap = said.lines().rev().find(|line| line.contains("changed=") && line.contains("failed=")).unwrap();
    after(recap, "changed=").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Ansible: make infra"]
async fn the_role_makes_a_machine_a_host_once_and_says_what_stops_it() {
    let served = Served::start().await;
    let machine = Machine::start("by-ansible", &served);
    let line = served.line(&served.agent);
    let right = json!({
        "mendwright_agent_server": after(&line, "--server "),
        "mendwright_agent_token": TOKEN,
        "mendwright_agent_installer_sha256": after(&line, "&& echo '"),
        "mendwright_agent_sha256": after(&line, "--agent-sha256 "),
        "mendwright_agent_authority": after(&line, "--authority "),
        "ansible_python_interpreter": tools().join("bin/python"),
    });
    let but = |name: &str, value: &str| {
        let mut variables = right.clone();
        variables[name] = json!(value);
        variables
    };

    let other = "0".repeat(64);
    for (variables, why) in [
        (but("mendwright_agent_sha256", &other), "is not the program that was meant; nothing was installed"),
        (but("mendwright_agent_installer_sha256", &other), "did not match"),
        (but("mendwright_agent_token", ""), "Say mendwright_agent_token"),
    ] {
        let (done, said) = play(&machine, &variables, &[]);
        assert!(!done && said.contains(why) && changed(&said) == 0, "{why}: {said}");
        assert_eq!(machine.written(), "", "{why}: nothing is left half done");
    }
    let (done, said) = play(&machine, &right, &["--check"]);
    assert!(done && changed(&said) == 1, "{said}");
    assert_eq!(machine.written(), "", "it was only asked what would be done");

    let (done, said) = play(&machine, &right, &[]);
    assert!(done && changed(&said) == 1, "{said}");
    machine.is_a_host_of(&served).await;
    assert_eq!(machine.says("look root"), "", "the token is nowhere");

    // A host needs no token any more.
    let (done, said) = play(&machine, &but("mendwright_agent_token", ""), &[]);
    assert!(done && changed(&said) == 0, "{said}");
    machine.says("kill $(cat /run/units/mendwright-agent); rm /run/units/mendwright-agent");
    let (done, said) = play(&machine, &right, &[]);
    assert!(done && changed(&said) == 1, "what was stopped is started: {said}");
    assert!(machine.says("cat /run/asked").lines().any(|line| line == "start mendwright-agent"));
    drop(machine);
    served.stop().await;
}

/// What cloud-init says at a machine's first boot with `user_data`, and whether every step ended well.
fn boot(machine: &Machine, user_data: &str) -> (bool, String) {
    let package = tools().join("cloud-init");
    let cloud_init = |arguments: &[&str]| {
        let mut command = machine.command(tools().join("bin/python"));
        command.args(["-m", "cloudinit.cmd.main"]).args(arguments);
        command.env("PYTHONPATH", package.join("usr/lib/python3/dist-packages"));
        machine.runs(&mut command)
    };
    let given = machine.folder.join("user-data");
    write_private(&given, user_data);
    let (done, said) = cloud_init(&["schema", "--config-file", given.to_str().unwrap()]);
    assert!(done, "{said}");
    machine.says(&format!(
        "mkdir -p /etc/cloud/cloud.cfg.d /var/lib/cloud/seed/nocloud
         cp {} /etc/cloud/cloud.cfg
         cp {}/etc/cloud/cloud.cfg.d/05_logging.cfg /etc/cloud/cloud.cfg.d/
         echo 'instance-id: one' >/var/lib/cloud/seed/nocloud/meta-data
         cp -p {} /var/lib/cloud/seed/nocloud/user-data",
        workspace().join("tests/machine/cloud.cfg").display(),
        package.display(),
        given.display(),
    ));
    let stages: [&[&str]; 3] = [&["init", "--local"], &["init"], &["modules", "--mode=config"]];
    for stage in stages {
        let (done, said) = cloud_init(stage);
        assert!(done, "{stage:?}: {said}");
    }
    cloud_init(&["modules", "--mode=final"])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs cloud-init: make infra"]
async fn the_snippet_makes_a_machine_a_host_at_its_first_boot_and_takes_the_token_away() {
    let served = Served::start().await;
    let line = served.line(&served.agent);
    let snippet = std::fs::read_to_string(workspace().join("infra/cloud-init/mendwright-agent.yaml")).unwrap();
    let filled = |installer: &str| {
        let authority = format!("authority={}\n", after(&line, "--authority "));
        let mut filled = snippet.clone();
        for (place, value) in [
            ("ENROLMENT_TOKEN", TOKEN),
            ("https://mend.example.com", after(&line, "--server ")),
            ("authority=\n", authority.as_str()),
            ("INSTALLER_SHA256", installer),
            ("AGENT_SHA256", after(&line, "--agent-sha256 ")),
        ] {
            assert_eq!(filled.matches(place).count(), 1, "{place}");
            filled = filled.replace(place, value);
        }
        filled
    };
    let left = |machine: &Machine| machine.says("ls /run/mendwright");

    let machine = Machine::start("not-by-cloud-init", &served);
    let (done, said) = boot(&machine, &filled(&"0".repeat(64)));
    assert!(!done && said.contains("install.sh: FAILED"), "{said}");
    assert_eq!((machine.written().as_str(), left(&machine).as_str()), ("", "enrol.sh\ninstall.sh\n"));
    drop(machine);

    let machine = Machine::start("by-cloud-init", &served);
    let (done, said) = boot(&machine, &filled(after(&line, "&& echo '")));
    assert!(done, "{said}");
    machine.is_a_host_of(&served).await;
    assert_eq!(left(&machine), "enrol.sh\ninstall.sh\n");
    // cloud-init's own copies of what it was given are root's.
    let copies = format!("{}/var/lib/cloud/", machine.folder.join("layers").display());
    let found = machine.says("look root");
    assert!(found.contains("user-data") && found.lines().all(|path| path.starts_with(&copies)), "{found}");
    drop(machine);
    served.stop().await;
}
