//! `agent.toml`: the host's own limits, which the server cannot change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wire::v1::{Envelope, HostLimits, Playbook, Profile, Purpose, Risk};

use crate::hours::{Hours, LocalTime};
use crate::service::declared::Service;
use crate::state::{self, write_private};

/// The host's own limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// What the person chose; without a file, nothing may be done.
    #[serde(default = "read_only")]
    pub profile: Profile,
    /// If not empty, only playbooks of these names.
    #[serde(default)]
    pub allowed_playbooks: Vec<String>,
    /// Most runs begun in an hour.
    #[serde(default = "six")]
    pub max_runs_per_hour: u32,
    /// If not empty, a fix begins within these only. An undo and diagnostics are not bound to them: what was let happen
    /// may be taken back at any hour.
    #[serde(default)]
    pub hours: Vec<Hours>,
    /// A fix that may take longer, or whose undo may, is not begun.
    pub max_run_secs: Option<u64>,
    /// The most data that a process of a fix may hold, in MiB. A service's own commands are not held to it: the
    /// service would live under it.
    pub max_memory_mib: Option<u64>,
    /// Whether a step may be a script. Not said: as the profile goes, and only `all-signed` allows them.
    pub scripts: Option<bool>,
    /// Below this cgroup v2 the groups of runs are made; none: below the agent's own.
    pub cgroup: Option<PathBuf>,
    /// Where systemd is asked about units: a D-Bus address; the system bus if none is said.
    pub bus: Option<String>,
    /// Services: units of systemd, or declared by pid file and commands. Only what is declared here can be started by
    /// name: the server never sends a command.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
}

fn read_only() -> Profile {
    Profile::ReadOnly
}

fn six() -> u32 {
    6
}

/// Why the file is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{0} cannot be read")]
    Read(PathBuf, #[source] io::Error),
    /// It is no TOML of this shape.
    #[error("{0} is not understood")]
    Syntax(PathBuf, #[source] Box<toml::de::Error>),
    /// A service's declaration makes no sense.
    #[error("service {0} in agent.toml: {1}")]
    Service(String, &'static str),
    /// A limit of nothing.
    #[error("{0} in agent.toml is 0: nothing could run. Leave it out for no limit, or set profile = \"read-only\"")]
    Zero(&'static str),
    /// No absolute path.
    #[error("cgroup in agent.toml: an absolute path is needed, such as /sys/fs/cgroup/mendwright")]
    Cgroup,
    /// The bus is no address.
    #[error("bus in agent.toml is no D-Bus address, as unix:path=/run/dbus/system_bus_socket is one: {0}")]
    Bus(String),
    /// It cannot be written.
    #[error("the host's own limits cannot be written")]
    Write(#[from] state::Error),
}

impl Limits {
    /// Reads the file at `path`. If there is none, the host is read-only.
    ///
    /// # Errors
    /// The file is there, but is not understood whole: a misspelled limit must not be no limit.
    pub fn load(path: &Path) -> Result<Self, Error> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::parse(path, ""),
            Err(e) => Err(Error::Read(path.to_owned(), e)),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let limits: Self = toml::from_str(text).map_err(|error| Error::Syntax(path.to_owned(), Box::new(error)))?;
        for (field, is_zero) in
            [("max_run_secs", limits.max_run_secs == Some(0)), ("max_memory_mib", limits.max_memory_mib == Some(0))]
        {
            if is_zero {
                return Err(Error::Zero(field));
            }
        }
        if limits.cgroup.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(Error::Cgroup);
        }
        for name in limits.services.keys() {
            if !is_service_name(name) {
                let what = "a name is letters, digits and . _ @ -, and begins with a letter or digit";
                return Err(Error::Service(name.clone(), what));
            }
        }
        if let Some(bus) = &limits.bus {
            bus.parse::<zbus::Address>().map_err(|error| Error::Bus(error.to_string()))?;
        }
        Ok(limits)
    }

    /// Writes the file at `path` from `profile` if there is none, and fills in a missing `profile` if there
    /// is. Nothing that a person wrote is changed.
    ///
    /// # Errors
    /// The file cannot be read, understood or written.
    pub fn write_profile(path: &Path, profile: Profile) -> Result<(), Error> {
        let word = match profile {
            Profile::ReadOnly => "read-only",
            Profile::LowRisk => "low-risk",
            Profile::AllSigned => "all-signed",
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => {
                let table: toml::Table =
                    toml::from_str(&text).map_err(|error| Error::Syntax(path.to_owned(), Box::new(error)))?;
                if table.contains_key("profile") {
                    return Ok(());
                }
                // In front: after the first table header it would belong to that table.
                format!("profile = \"{word}\"\n{text}")
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => format!(
                "# The host's own limits. The server cannot change them. Restart the agent after an edit.\n\
                 # read-only: no fixes; low-risk: signed playbooks of risk L; all-signed: every signed playbook.\n\
                 profile = \"{word}\"\n\
                 # If not empty, only these playbooks.\nallowed_playbooks = []\nmax_runs_per_hour = {}\n\
                 # Fixes begin in these hours only, by this host's clock and zone. Without: at any time.\n\
                 # hours = [\"mon-fri 22:00-06:00\", \"sat,sun 00:00-24:00\"]\n\
                 # A fix that may take longer is not begun; no process of a fix holds more memory.\n\
                 # max_run_secs = 900\n# max_memory_mib = 512\n\
                 # Whether a step may be a script of the playbook. Without: only under all-signed.\n# scripts = true\n",
                six()
            ),
            Err(e) => return Err(Error::Read(path.to_owned(), e)),
        };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| Error::Read(dir.to_owned(), e))?;
        }
        Ok(write_private(path, text.as_bytes())?)
    }

    /// Why these limits forbid that `playbook` does what `envelope` says at `local`; none if they allow it.
    pub fn forbid(&self, playbook: &Playbook, envelope: &Envelope, local: LocalTime) -> Option<String> {
        self.forbid_playbook(playbook).or_else(|| match envelope.job.purpose {
            Purpose::Fix => self.forbid_time(playbook, envelope, local),
            Purpose::Undo | Purpose::Diagnostics => None,
        })
    }

    fn forbid_time(&self, playbook: &Playbook, envelope: &Envelope, local: LocalTime) -> Option<String> {
        if !self.hours.is_empty() && !self.hours.iter().any(|hours| hours.contain(local)) {
            let hours: Vec<_> = self.hours.iter().map(ToString::to_string).collect();
            return Some(format!("it is {local} here, and fixes begin only within {}", hours.join("; ")));
        }
        let most = self.max_run_secs?;
        let undo = playbook.undo.iter().fold(0_u64, |sum, step| sum.saturating_add(step.limit_secs));
        let name = &playbook.name;
        match (envelope.limit_secs, undo) {
            (fix, _) if fix > most => Some(format!("{name} may take {fix} s; {most} s are the host's own limit")),
            (_, undo) if undo > most => {
                Some(format!("the undo of {name} may take {undo} s; {most} s are the host's own limit"))
            }
            _ => None,
        }
    }

    fn forbid_playbook(&self, playbook: &Playbook) -> Option<String> {
        let name = &playbook.name;
        if playbook.risk == Risk::E {
            return Some(format!("{name} has risk E, which is never run"));
        }
        match self.profile {
            Profile::ReadOnly => return Some("the host's profile is read-only".to_owned()),
            Profile::LowRisk if playbook.risk != Risk::L => {
                return Some(format!("{name} has risk {:?}; the host's profile allows L", playbook.risk));
            }
            _ => {}
        }
        if playbook.has_script() && !self.allows_scripts() {
            return Some(format!("{name} runs a script, and the host allows none (scripts in its agent.toml)"));
        }
        let narrowed = !self.allowed_playbooks.is_empty() && !self.allowed_playbooks.contains(name);
        narrowed.then(|| format!("{name} is not among the host's allowed playbooks"))
    }

    /// Whether a step may be a script.
    pub fn allows_scripts(&self) -> bool {
        match self.profile {
            Profile::ReadOnly => false,
            Profile::LowRisk => self.scripts.unwrap_or(false),
            Profile::AllSigned => self.scripts.unwrap_or(true),
        }
    }

    /// The most data that a process of a fix may hold, in bytes.
    pub fn max_memory_bytes(&self) -> Option<u64> {
        self.max_memory_mib.map(|mib| mib.saturating_mul(1024 * 1024))
    }

    /// As the console shows them.
    pub fn shown(&self, path: &Path) -> HostLimits {
        HostLimits {
            profile: self.profile,
            allowed_playbooks: self.allowed_playbooks.clone(),
            max_runs_per_hour: self.max_runs_per_hour,
            hours: self.hours.iter().map(ToString::to_string).collect(),
            max_run_secs: self.max_run_secs,
            max_memory_mib: self.max_memory_mib,
            scripts: self.allows_scripts(),
            services: self.services.keys().cloned().collect(),
            units: self
                .services
                .iter()
                .filter(|(_, service)| service.is_unit())
                .map(|(name, _)| name.clone())
                .collect(),
            path: path.display().to_string(),
        }
    }
}

/// Letters, digits and `. _ @ -`, beginning with a letter or digit: never an option, never a path.
pub fn is_service_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-');
    name.len() <= 128 && name.bytes().all(inner) && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::v1::{Effect, Interpreter, Script, Step};

    fn parse(text: &str) -> Result<Limits, Error> {
        Limits::parse(Path::new("agent.toml"), text)
    }

    fn playbook(name: &str, risk: Risk) -> Playbook {
        Playbook {
            name: name.into(),
            title: String::new(),
            risk,
            effect: Effect::Once,
            parameters: BTreeMap::new(),
            steps: Vec::new(),
            undo: Vec::new(),
            weight: 1,
        }
    }

    #[test]
    fn a_declared_service_is_read() {
        let limits = parse(
            "profile = \"low-risk\"\n[services.shop-web]\npid_file = \"/run/shop-web.pid\"\n\
             start = [\"/usr/local/bin/ctl\", \"start\"]\nstatus = [\"/usr/local/bin/ctl\", \"status\"]\n",
        )
        .unwrap();
        let Service::Commands(commands) = &limits.services["shop-web"] else { panic!("{limits:?}") };
        assert_eq!(commands.start, ["/usr/local/bin/ctl", "start"]);
        assert_eq!((commands.stop_limit.as_secs(), limits.max_runs_per_hour), (30, 6));
    }

    #[test]
    fn the_console_is_shown_which_services_are_units() {
        let limits =
            parse("[services.shop]\nunit = \"shop.service\"\n[services.web]\nstatus = [\"/bin/true\"]\n").unwrap();
        let shown = limits.shown(Path::new("agent.toml"));
        assert_eq!((shown.services, shown.units), (vec!["shop".to_owned(), "web".to_owned()], vec!["shop".to_owned()]));
    }

    #[test]
    fn a_misspelled_limit_is_an_error_and_not_no_limit() {
        for text in [
            "max_run_per_hour = 1",
            "profile = \"everything\"",
            "[services.x]\nstatus = []",
            "[services.x]\nstatus = [\"ctl\"]",
            "hours = [\"at night\"]",
            "max_run_secs = 0",
            "max_memory_mib = 0",
            "cgroup = \"mendwright\"",
            "bus = \"/run/dbus\"",
            "[services.x]\nunit = \"x.service\"\nstart = [\"/bin/true\"]",
            "[services.-x]\nstatus = [\"/bin/true\"]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("").unwrap().profile, Profile::ReadOnly);
    }

    #[test]
    fn each_profile_allows_what_it_says() {
        let with = |profile, allowed: &[&str]| Limits {
            profile,
            allowed_playbooks: allowed.iter().map(|s| (*s).to_owned()).collect(),
            ..parse("").unwrap()
        };
        for (limits, risk, allowed) in [
            (with(Profile::ReadOnly, &["p"]), Risk::L, false),
            (with(Profile::LowRisk, &[]), Risk::L, true),
            (with(Profile::LowRisk, &["p"]), Risk::M, false),
            (with(Profile::AllSigned, &[]), Risk::H, true),
            (with(Profile::AllSigned, &[]), Risk::E, false),
            (with(Profile::AllSigned, &["q"]), Risk::L, false),
            (with(Profile::AllSigned, &["q", "p"]), Risk::L, true),
        ] {
            assert_eq!(limits.forbid_playbook(&playbook("p", risk)).is_none(), allowed, "{limits:?} {risk:?}");
        }
    }

    #[test]
    fn a_script_runs_where_the_profile_or_the_host_says_so_and_never_read_only() {
        let script = Script { interpreter: Interpreter::Sh, text: "true".into() };
        let step = Step { title: String::new(), argv: Vec::new(), script: Some(script), limit_secs: 1 };
        let fixes = Playbook { steps: vec![step.clone()], ..playbook("p", Risk::L) };
        let undoes = Playbook { undo: vec![step], ..playbook("p", Risk::L) };
        for (text, allowed) in [
            ("", false),
            ("scripts = true", false),
            ("profile = \"low-risk\"", false),
            ("profile = \"low-risk\"\nscripts = true", true),
            ("profile = \"all-signed\"", true),
            ("profile = \"all-signed\"\nscripts = false", false),
        ] {
            let limits = parse(text).unwrap();
            for playbook in [&fixes, &undoes] {
                assert_eq!(limits.forbid_playbook(playbook).is_none(), allowed, "{text}");
            }
            assert_eq!(limits.shown(Path::new("agent.toml")).scripts, allowed, "{text}");
        }
    }

    #[test]
    fn enrolment_fills_in_a_missing_profile_and_changes_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/agent.toml");
        Limits::write_profile(&path, Profile::LowRisk).unwrap();
        assert_eq!(Limits::load(&path).unwrap().profile, Profile::LowRisk);
        Limits::write_profile(&path, Profile::AllSigned).unwrap();
        assert_eq!(Limits::load(&path).unwrap().profile, Profile::LowRisk);
        let own = "max_runs_per_hour = 2\n[services.x]\nstatus = [\"/bin/true\"]\n";
        fs::write(&path, own).unwrap();
        Limits::write_profile(&path, Profile::AllSigned).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("profile = \"all-signed\"\n{own}"));
    }
}
