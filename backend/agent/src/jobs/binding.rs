//! A playbook's steps with their parameters put in: argument vectors, never a shell string.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wire::v1::{Interpreter, ParameterType, Playbook, Script, Step, Value, script_variable};

use crate::limits::{Limits, is_service_name};
use crate::service::declared::Service;
use crate::service::systemd;

/// The longest text of a parameter, in bytes.
const MAX_TEXT: usize = 1024;

/// A parameter's value, checked against its type.
enum Bound<'a> {
    Text(String),
    Service(&'a str, &'a Service),
}

/// A step with its parameters put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The program and its arguments; of a script, its interpreter.
    pub argv: Vec<String>,
    /// The text of a script, as it was signed.
    pub script: Option<String>,
    /// Whether the program is one that the host declared for a service.
    pub declared: bool,
}

/// Steps with their parameters put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// Each step, in order.
    pub steps: Vec<Line>,
    /// The parameters as scripts find them in their environment; empty if no step is a script.
    pub script_env: Vec<(String, String)>,
}

/// Each of `steps`, which are `playbook`'s, with `values` put in: into arguments, and for scripts into the environment.
///
/// # Errors
/// A sentence: which value does not fit, and why.
pub fn bind(
    playbook: &Playbook,
    steps: &[Step],
    values: &BTreeMap<String, Value>,
    limits: &Limits,
) -> Result<Lines, String> {
    if let Some(name) = values.keys().find(|name| !playbook.parameters.contains_key(*name)) {
        return Err(format!("the playbook has no parameter {name}"));
    }
    let mut bound = BTreeMap::new();
    for (name, kind) in &playbook.parameters {
        let value = values.get(name).ok_or_else(|| format!("parameter {name} has no value"))?;
        let value = fit(kind, value, limits).map_err(|why| format!("parameter {name}: {why}"))?;
        bound.insert(name.as_str(), value);
    }
    let lines = steps.iter().map(|step| match &step.script {
        None => arguments(&step.argv, &bound, limits.bus.as_deref()),
        Some(script) => read_by(script, &step.argv),
    });
    let lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
    let has_script = lines.iter().any(|line| line.script.is_some());
    let script_env = if has_script { environment(&bound)? } else { Vec::new() };
    Ok(Lines { steps: lines, script_env })
}

/// A script's interpreter. Its text is left as it was signed: nothing is ever put into it.
fn read_by(script: &Script, argv: &[String]) -> Result<Line, String> {
    if !argv.is_empty() {
        return Err("a step is a program or a script, not both".to_owned());
    }
    if script.text.contains('\0') {
        return Err("a script holds a zero byte".to_owned());
    }
    let mut argv = vec![script.interpreter.program().to_owned()];
    if script.interpreter == Interpreter::Python3 {
        // Isolated: neither the environment nor a folder beside the script says what it imports.
        argv.push("-I".to_owned());
    }
    Ok(Line { argv, script: Some(script.text.clone()), declared: false })
}

/// Each parameter as an environment value: text, whatever it holds.
fn environment(bound: &BTreeMap<&str, Bound<'_>>) -> Result<Vec<(String, String)>, String> {
    bound
        .iter()
        .map(|(name, value)| {
            let variable = script_variable(name).ok_or_else(|| {
                format!("parameter {name} cannot be a script's: lower-case letters, digits and _, a letter first")
            })?;
            let value = match value {
                Bound::Text(text) => text.clone(),
                Bound::Service(service, _) => (*service).to_owned(),
            };
            Ok((variable, value))
        })
        .collect()
}

fn fit<'a>(kind: &ParameterType, value: &Value, limits: &'a Limits) -> Result<Bound<'a>, String> {
    match (kind, value) {
        (ParameterType::Int { min, max }, Value::Number(number)) => {
            // Above 2^53 a float is no longer exactly the number that was meant.
            if number.fract() != 0.0 || number.abs() > 9_007_199_254_740_992.0 {
                return Err("not a whole number".to_owned());
            }
            let number = *number as i64;
            if number < *min || number > *max {
                return Err(format!("{number} is not between {min} and {max}"));
            }
            Ok(Bound::Text(number.to_string()))
        }
        (ParameterType::Int { .. }, Value::Text(_)) => Err("not a number".to_owned()),
        (_, Value::Number(_)) => Err("not a text".to_owned()),
        (kind, Value::Text(text)) => {
            if text.is_empty() || text.len() > MAX_TEXT || text.starts_with('-') || text.chars().any(char::is_control) {
                return Err(
                    "a value is not empty, not too long, without control characters, and does not begin with -"
                        .to_owned(),
                );
            }
            fit_text(kind, text, limits)
        }
    }
}

fn fit_text<'a>(kind: &ParameterType, text: &str, limits: &'a Limits) -> Result<Bound<'a>, String> {
    match kind {
        ParameterType::ServiceName => {
            if !is_service_name(text) {
                return Err("not a service name".to_owned());
            }
            let (name, service) = limits
                .services
                .get_key_value(text)
                .ok_or_else(|| format!("service {text} is not declared in the host's agent.toml"))?;
            Ok(Bound::Service(name, service))
        }
        ParameterType::PathUnder { root } => {
            let resolve = |path: &str| fs::canonicalize(path).map_err(|error| format!("{path}: {error}"));
            if !Path::new(text).is_absolute() {
                return Err("not an absolute path".to_owned());
            }
            let (root, path) = (resolve(root)?, resolve(text)?);
            if path == root || !path.starts_with(&root) {
                return Err(format!("{text} is not below {}", root.display()));
            }
            path.into_os_string().into_string().map(Bound::Text).map_err(|_| "the path is no text".to_owned())
        }
        ParameterType::Enum { values } => {
            if !values.iter().any(|value| value == text) {
                return Err("not one of the allowed words".to_owned());
            }
            Ok(Bound::Text(text.to_owned()))
        }
        ParameterType::Int { .. } => Err("not a number".to_owned()),
    }
}

fn arguments(argv: &[String], bound: &BTreeMap<&str, Bound<'_>>, bus: Option<&str>) -> Result<Line, String> {
    let (mut arguments, mut declared_program) = (Vec::new(), false);
    for (at, element) in argv.iter().enumerate() {
        let Some(reference) = element.strip_prefix('{').and_then(|e| e.strip_suffix('}')) else {
            arguments.push(element.clone());
            continue;
        };
        let (name, part) = reference.split_once('.').map_or((reference, None), |(n, p)| (n, Some(p)));
        match (bound.get(name), part) {
            (Some(Bound::Service(service, declared)), Some(part)) => {
                declared_program |= at == 0;
                arguments.extend(declared_command(service, declared, part, bus)?);
            }
            // A value is never a program: a program is written in the playbook or declared on the host.
            (Some(Bound::Text(_) | Bound::Service(..)), None) if at == 0 => {
                return Err(format!("{element} cannot be the program"));
            }
            (Some(Bound::Text(text)), None) => arguments.push(text.clone()),
            (Some(Bound::Service(service, _)), None) => arguments.push((*service).to_owned()),
            _ => return Err(format!("{element} names no parameter")),
        }
    }
    match arguments.first() {
        Some(program) if program.starts_with('/') => {}
        _ => return Err("a step's program is not an absolute path".to_owned()),
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return Err("an argument holds a zero byte".to_owned());
    }
    Ok(Line { argv: arguments, script: None, declared: declared_program })
}

fn declared_command(name: &str, service: &Service, part: &str, bus: Option<&str>) -> Result<Vec<String>, String> {
    let commands = match service {
        Service::Commands(commands) => commands,
        Service::Unit(unit) => {
            let action = part.parse().map_err(|()| format!("a unit has no command {part}"))?;
            return Ok(systemd::act::command(action, unit, bus));
        }
    };
    let command = match part {
        "start" => &commands.start,
        "stop" => &commands.stop,
        "status" => &commands.status,
        _ => return Err(format!("a service that is declared by commands has no command {part}")),
    };
    if command.is_empty() {
        return Err(format!("service {name} declares no {part} command"));
    }
    Ok(command.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::v1::{Effect, Risk};

    fn limits() -> Limits {
        toml::from_str(
            "bus = \"unix:path=/run/b\"\n[services.proxy]\nunit = \"nginx.service\"\n\
             [services.shop-web]\nstart = [\"/ctl\", \"start\", \"shop\"]\nstatus = [\"/ctl\", \"status\"]\n",
        )
        .unwrap()
    }

    fn bound(kind: ParameterType, value: Value, argv: &[&str]) -> Result<Vec<Vec<String>>, String> {
        let playbook = Playbook {
            name: "p".into(),
            title: String::new(),
            risk: Risk::L,
            effect: Effect::Once,
            parameters: BTreeMap::from([("p".to_owned(), kind)]),
            steps: vec![Step {
                title: String::new(),
                argv: argv.iter().map(|a| (*a).into()).collect(),
                script: None,
                limit_secs: 1,
            }],
            undo: Vec::new(),
            weight: 1,
        };
        let lines = bind(&playbook, &playbook.steps, &BTreeMap::from([("p".to_owned(), value)]), &limits())?.steps;
        for line in &lines {
            assert_eq!(line.declared, argv[0].starts_with("{p."), "{argv:?}");
        }
        Ok(lines.into_iter().map(|line| line.argv).collect())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_service_becomes_what_the_host_declared() {
        let argv = ["{p.start}", "{p}", "x{p}"];
        let bound = bound(ParameterType::ServiceName, text("shop-web"), &argv).unwrap();
        assert_eq!(bound, [["/ctl", "start", "shop", "shop-web", "x{p}"]]);
    }

    #[test]
    fn a_unit_is_acted_on_by_our_own_program() {
        let bound = |argv: &str| bound(ParameterType::ServiceName, text("proxy"), &[argv]);
        for part in ["start", "stop", "restart", "status"] {
            let said = ["/proc/self/exe", "unit", part, "--bus", "unix:path=/run/b", "nginx.service"];
            assert_eq!(bound(&format!("{{p.{part}}}")).unwrap(), [said]);
        }
        assert_eq!(bound("{p.kill}").unwrap_err(), "a unit has no command kill");
    }

    #[test]
    fn what_is_not_declared_or_not_a_name_is_refused() {
        for (value, argv) in [
            (text("other"), "{p.start}"),
            (text("-x"), "{p.start}"),
            (text("../x"), "{p.start}"),
            (text(""), "{p.start}"),
            (Value::Number(1.0), "{p.start}"),
            (text("shop-web"), "{p.stop}"),
            (text("shop-web"), "{p.kill}"),
            (text("shop-web"), "{p}"),
            (text("shop-web"), "{q}"),
            (text("shop-web"), "relative"),
        ] {
            assert!(bound(ParameterType::ServiceName, value.clone(), &[argv]).is_err(), "{value:?} {argv}");
        }
    }

    #[test]
    fn numbers_and_words_are_held_to_their_types() {
        let int = ParameterType::Int { min: -1, max: 9 };
        let argv = ["/bin/x", "{p}"];
        assert_eq!(bound(int.clone(), Value::Number(-1.0), &argv).unwrap(), [["/bin/x", "-1"]]);
        for value in [Value::Number(10.0), Value::Number(0.5), Value::Number(f64::NAN), Value::Number(1e300), text("1")]
        {
            assert!(bound(int.clone(), value.clone(), &argv).is_err(), "{value:?}");
        }
        let words = ParameterType::Enum { values: vec!["on".into(), "-off".into()] };
        assert!(bound(words.clone(), text("on"), &argv).is_ok());
        assert!(bound(words.clone(), text("-off"), &argv).is_err());
        assert!(bound(words, text("o"), &argv).is_err());
    }

    #[test]
    fn a_path_that_leaves_its_root_through_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("in"), "").unwrap();
        fs::write(dir.path().join("out"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("out"), root.join("link")).unwrap();
        let kind = || ParameterType::PathUnder { root: root.to_str().unwrap().to_owned() };
        let try_path = |path: std::path::PathBuf| bound(kind(), text(path.to_str().unwrap()), &["/bin/x", "{p}"]);
        assert!(try_path(root.join("in")).is_ok());
        for path in [root.join("link"), root.join("../out"), root.clone(), root.join("missing"), "in".into()] {
            assert!(try_path(path.clone()).is_err(), "{path:?}");
        }
    }

    fn scripted(parameter: &str, kind: ParameterType, script: Script) -> Playbook {
        let step = |script| Step { title: String::new(), argv: Vec::new(), script, limit_secs: 1 };
        Playbook {
            name: "p".into(),
            title: String::new(),
            risk: Risk::L,
            effect: Effect::Once,
            parameters: BTreeMap::from([(parameter.to_owned(), kind)]),
            steps: vec![step(Some(script))],
            undo: Vec::new(),
            weight: 1,
        }
    }

    fn bind_script(parameter: &str, kind: ParameterType, script: Script, value: Value) -> Result<Lines, String> {
        let playbook = scripted(parameter, kind, script);
        bind(&playbook, &playbook.steps, &BTreeMap::from([(parameter.to_owned(), value)]), &limits())
    }

    #[test]
    fn nothing_is_put_into_a_script_and_its_parameters_are_environment_values() {
        let signed = "echo {word} {word.start} $MW_WORD ${MW_WORD}\n";
        for word in ["$(id)", "`id`", "'; id; '", "\"; id; \"", "{word}", "a b  c", "%s", "\\n", "*", "☃"] {
            let kind = ParameterType::Enum { values: vec![word.to_owned()] };
            let script = Script { interpreter: Interpreter::Sh, text: signed.to_owned() };
            let lines = bind_script("word", kind, script, text(word)).unwrap();
            assert_eq!(lines.script_env, [("MW_WORD".to_owned(), word.to_owned())]);
            assert_eq!(lines.steps[0].argv, ["/bin/sh"]);
            assert_eq!(lines.steps[0].script.as_deref(), Some(signed));
        }
        let named = |kind, value| {
            let script = Script { interpreter: Interpreter::Python3, text: signed.to_owned() };
            let lines = bind_script("a_name2", kind, script, value).unwrap();
            assert_eq!(lines.steps[0].argv, ["/usr/bin/python3", "-I"]);
            lines.script_env
        };
        let service = named(ParameterType::ServiceName, text("shop-web"));
        assert_eq!(service, [("MW_A_NAME2".to_owned(), "shop-web".to_owned())]);
        let number = named(ParameterType::Int { min: 0, max: 9 }, Value::Number(7.0));
        assert_eq!(number, [("MW_A_NAME2".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn a_script_that_cannot_be_told_apart_or_is_two_things_is_refused() {
        let script = || Script { interpreter: Interpreter::Bash, text: "true".into() };
        for name in ["A", "a-b", "a b", "_a", "1a", "a=b", "é", ""] {
            let int = ParameterType::Int { min: 0, max: 9 };
            assert!(bind_script(name, int, script(), Value::Number(1.0)).is_err(), "{name:?}");
        }
        let zero = Script { text: "a\0b".into(), ..script() };
        assert!(bind_script("a", ParameterType::Int { min: 0, max: 9 }, zero, Value::Number(1.0)).is_err());
        let mut both = scripted("a", ParameterType::Int { min: 0, max: 9 }, script());
        both.steps[0].argv = vec!["/bin/true".into()];
        let values = BTreeMap::from([("a".to_owned(), Value::Number(1.0))]);
        assert!(bind(&both, &both.steps, &values, &limits()).is_err());
    }

    #[test]
    fn a_missing_and_an_unknown_value_are_refused() {
        let playbook = |parameters| Playbook {
            name: "p".into(),
            title: String::new(),
            risk: Risk::L,
            effect: Effect::Once,
            parameters,
            steps: Vec::new(),
            undo: Vec::new(),
            weight: 1,
        };
        let declared = BTreeMap::from([("p".to_owned(), ParameterType::ServiceName)]);
        assert!(bind(&playbook(declared), &[], &BTreeMap::new(), &limits()).is_err());
        let given = BTreeMap::from([("p".to_owned(), text("x"))]);
        assert!(bind(&playbook(BTreeMap::new()), &[], &given, &limits()).is_err());
    }
}
