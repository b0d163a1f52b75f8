//! What a machine needs to become a host: the agent's program, the script that installs it, and the line that runs it.

use std::io;
use std::path::{Path, PathBuf};

use keys::Digest;

/// The script, with the place where the unit of systemd goes.
const SCRIPT: &str = include_str!("../../../infra/install/install.sh");
const UNIT: &str = include_str!("../../../infra/systemd/mendwright-agent.service");

/// The largest program that is given away.
const SIZE_MAX: u64 = 512 * 1024 * 1024;

/// The agent's program as this server gives it away.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Where it is.
    pub path: PathBuf,
    /// As `uname -m` says it.
    pub machine: &'static str,
    /// SHA-256, hex: what is installed is exactly this.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Agent {
    /// Looks at the program at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is no program for Linux on a machine that we know.
    pub fn open(path: &Path) -> io::Result<Agent> {
        let other = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        if std::fs::metadata(path)?.len() > SIZE_MAX {
            return Err(other("it is too large to be the agent"));
        }
        let bytes = std::fs::read(path)?;
        let head = bytes.get(..20).unwrap_or_default();
        if !head.starts_with(b"\x7fELF") || head.len() < 20 {
            return Err(other("it is no program for Linux"));
        }
        let machine = match u16::from_le_bytes([head[18], head[19]]) {
            62 => "x86_64",
            183 => "aarch64",
            40 => "armv7l",
            243 => "riscv64",
            _ => return Err(other("it is a program for a machine that is not known")),
        };
        Ok(Agent { path: path.to_owned(), machine, sha256: keys::digest(&bytes).to_string(), size: bytes.len() as u64 })
    }

    /// Its file's name at `/install/`.
    pub fn file(&self) -> String {
        format!("mendwright-agent-{}", self.machine)
    }
}

/// What a host allows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// No fixes.
    ReadOnly,
    /// Signed playbooks of risk L.
    LowRisk,
    /// Every signed playbook.
    AllSigned,
}

impl Profile {
    /// Every profile with its word.
    pub const ALL: [(Profile, &'static str); 3] =
        [(Profile::ReadOnly, "read-only"), (Profile::LowRisk, "low-risk"), (Profile::AllSigned, "all-signed")];

    /// The profile of a word.
    pub fn parse(word: &str) -> Option<Profile> {
        Profile::ALL.iter().find(|(_, w)| *w == word).map(|(profile, _)| *profile)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Profile::ALL.iter().find(|(profile, _)| *profile == self).map_or("read-only", |(_, word)| word)
    }
}

/// The script as it is served.
pub fn script() -> String {
    SCRIPT.replace("@UNIT@\n", UNIT)
}

/// SHA-256 of [`script`], hex.
pub fn script_sha256() -> String {
    keys::digest(script().as_bytes()).to_string()
}

/// The line that makes a machine a host: it fetches the script, looks whether it is the one that was meant, and hands it
/// the token on its standard input, so that no list of processes shows it.
pub fn command(server: &str, agent: &Agent, authority: Option<Digest>, profile: Profile, token: &str) -> String {
    let (insecure, pin) = match authority {
        Some(authority) => (" --insecure", format!(" --authority {authority}")),
        None => ("", String::new()),
    };
    format!(
        "curl -fsS{insecure} -o mendwright-install.sh {server}/install.sh && echo '{}  mendwright-install.sh' | sha256sum -c --quiet && echo '{token}' | sudo sh mendwright-install.sh --server {server} --agent-sha256 {} --profile {}{pin}",
        script_sha256(),
        agent.sha256,
        profile.word()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_carries_the_unit_and_no_place_is_left_open() {
        let script = script();
        assert!(script.contains("ExecStart=/usr/local/bin/mendwright-agent run\n") && !script.contains("@UNIT@"));
        assert!(script.contains("\n[Install]\nWantedBy=multi-user.target\nUNIT\n"));
    }

    #[test]
    fn the_line_names_what_is_installed_and_hides_the_token_from_the_list_of_processes() {
        let agent = Agent { path: "/x".into(), machine: "x86_64", sha256: "a".repeat(64), size: 1 };
        let line = command("https://mend.example", &agent, None, Profile::LowRisk, "mw_enroll_x");
        assert!(line.contains(&format!("--agent-sha256 {}", "a".repeat(64))) && line.contains(&script_sha256()));
        assert!(
            line.contains("echo 'mw_enroll_x' | sudo sh")
                && !line.contains("--authority")
                && !line.contains("--insecure")
        );
        let own = command("https://mend.example", &agent, Some(keys::digest(b"ca")), Profile::ReadOnly, "t");
        assert!(
            own.contains(" --insecure ")
                && own.ends_with(&format!("--profile read-only --authority {}", keys::digest(b"ca")))
        );
    }

    #[test]
    fn what_is_no_program_is_not_given_away() {
        let path = std::env::temp_dir().join(format!("mendwright-no-program-{}", std::process::id()));
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(Agent::open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        let own = Agent::open(&std::env::current_exe().unwrap()).unwrap();
        assert!(own.sha256.len() == 64 && own.size > 1000, "{own:?}");
    }
}
