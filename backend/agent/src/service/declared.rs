//! A service as the host declares it in `agent.toml`: by commands, or as a unit of systemd.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// A declared service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Declaration")]
pub enum Service {
    /// The host says by which commands it is started, stopped and asked.
    Commands(Commands),
    /// systemd runs it.
    Unit(Unit),
}

/// A service declared by pid file and commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// Where its pid stands, if it writes one.
    pub pid_file: Option<PathBuf>,
    /// Starts it.
    pub start: Vec<String>,
    /// Stops it.
    pub stop: Vec<String>,
    /// Tells its state by an LSB exit code.
    pub status: Vec<String>,
    /// Where it logs: its last lines are shown to a person who is called about it.
    pub log_file: Option<PathBuf>,
    /// While a process of `stop` lives, a death is not judged, at most this long.
    pub stop_limit: Duration,
}

impl Service {
    /// Whether systemd runs it.
    pub fn is_unit(&self) -> bool {
        matches!(self, Self::Unit(_))
    }

    /// Where it logs, if the host says.
    pub fn log_file(&self) -> Option<&Path> {
        match self {
            Self::Commands(commands) => commands.log_file.as_deref(),
            Self::Unit(unit) => unit.log_file.as_deref(),
        }
    }
}

/// A service unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `nginx.service` or `getty@tty1.service`.
    name: String,
    /// Where it logs, if to a file.
    log_file: Option<PathBuf>,
}

impl Unit {
    /// The name as systemd has it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::str::FromStr for Unit {
    type Err = &'static str;

    /// The characters are systemd's own. A template is no unit, and a first `-` would be an option.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let Some(stem) = name.strip_suffix(".service") else { return Err("the name of a unit ends in .service") };
        if stem.ends_with('@') {
            return Err("a template is no unit: say which instance of it");
        }
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.' | b'\\' | b'@');
        if name.len() > 255
            || !stem.bytes().all(inner)
            || !stem.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        {
            return Err("a unit's name is letters, digits and : - _ . \\ @, and begins with a letter or digit");
        }
        Ok(Self { name: name.to_owned(), log_file: None })
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    unit: Option<String>,
    pid_file: Option<PathBuf>,
    start: Option<Vec<String>>,
    stop: Option<Vec<String>>,
    status: Option<Vec<String>>,
    log_file: Option<PathBuf>,
    stop_limit_secs: Option<u64>,
}

impl TryFrom<Declaration> for Service {
    type Error = String;

    fn try_from(declared: Declaration) -> Result<Self, String> {
        let Declaration { unit, pid_file, start, stop, status, log_file, stop_limit_secs } = declared;
        if log_file.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err("log_file: an absolute path is needed".to_owned());
        }
        let Some(unit) = unit else {
            let status = status.ok_or("neither unit nor status is said: name systemd's unit, or a status command")?;
            let commands =
                [("start", start.unwrap_or_default()), ("stop", stop.unwrap_or_default()), ("status", status)];
            for (field, argv) in &commands {
                if argv.first().is_some_and(|program| !program.starts_with('/')) {
                    return Err(format!("{field}: a command begins with an absolute path"));
                }
            }
            let [(_, start), (_, stop), (_, status)] = commands;
            if status.is_empty() {
                return Err("status: a status command is needed".to_owned());
            }
            let stop_limit = Duration::from_secs(stop_limit_secs.unwrap_or(30));
            return Ok(Self::Commands(Commands { pid_file, start, stop, status, log_file, stop_limit }));
        };
        let beside = [
            ("pid_file", pid_file.is_some()),
            ("start", start.is_some()),
            ("stop", stop.is_some()),
            ("status", status.is_some()),
            ("stop_limit_secs", stop_limit_secs.is_some()),
        ];
        if let Some((field, _)) = beside.iter().find(|(_, said)| *said) {
            return Err(format!("unit and {field} are both said: a unit is started, stopped and asked by systemd"));
        }
        let unit: Unit = unit.parse().map_err(|why| format!("unit: {why}"))?;
        Ok(Self::Unit(Unit { log_file, ..unit }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Result<Service, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn a_unit_or_commands_and_the_fault_names_the_field() {
        assert_eq!(declared("unit = \"nginx.service\"").unwrap(), Service::Unit("nginx.service".parse().unwrap()));
        assert!(matches!(declared("status = [\"/bin/true\"]").unwrap(), Service::Commands(_)));
        for (text, said) in [
            ("", "neither unit nor status"),
            ("start = [\"/bin/true\"]", "neither unit nor status"),
            ("unit = \"a.service\"\nstatus = [\"/bin/true\"]", "unit and status are both said"),
            ("unit = \"a.service\"\npid_file = \"/run/a\"", "unit and pid_file are both said"),
            ("unit = \"a.timer\"", "unit: the name"),
            ("unit = \"a@.service\"", "unit: a template"),
            ("unit = \"-a.service\"", "unit: a unit's name"),
            ("unit = \"../a.service\"", "unit: a unit's name"),
            ("status = [\"ctl\"]", "status: a command begins"),
            ("status = []", "status: a status command"),
            ("unit = \"a.service\"\nlog_file = \"a.log\"", "log_file: an absolute path"),
            ("unti = \"a.service\"", "unknown field `unti`"),
        ] {
            let fault = declared(text).unwrap_err();
            assert!(fault.starts_with(said), "{text}: {fault}");
        }
        assert!(declared("unit = \"getty@tty1.service\"").is_ok());
        assert!(declared("unit = \"dev-disk\\\\x2dby.service\"").is_ok());
    }
}
