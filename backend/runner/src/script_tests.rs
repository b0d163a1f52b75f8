use std::time::Duration;

use tempfile::TempDir;

use crate::clock::{Clock, boot_id};
use crate::perform::{Bounds, Performed, perform};
use crate::record::{Order, OrderedStep, Record, StepEnd, What, output_path, prepare};

const BOUNDS: Bounds = Bounds { permit_use: Duration::from_secs(15), output_bytes: 8192 };
const SH: &[&str] = &["/bin/sh"];
const BASH: &[&str] = &["/bin/bash"];
const PYTHON: &[&str] = &["/usr/bin/python3", "-I"];

/// Values that a shell, a template or a format would make something of.
const CORPUS: &[&str] = &[
    "$(touch canary)",
    "`touch canary`",
    "; touch canary #",
    "\"; touch canary; \"",
    "'; touch canary; '",
    "a && touch canary || touch canary",
    "| tee canary",
    "> canary",
    "${IFS}touch${IFS}canary",
    "$MENDWRIGHT_RUN $PATH $$ $0 !!",
    "{service.start} {p} {{p}} %s%n %(p)s",
    "* ? [a-z] ~root",
    "\\n\\x00\\\\ \\",
    "'''\nimport os; os.system('touch canary')\n'''",
    "EOF\ntouch canary\nEOF",
    "  lead and trail\t ",
    "\u{202e}\u{feff}naïve ☃",
];

/// A run of one script that finds `env` in its environment.
fn of(interpreter: &[&str], text: &str, env: &[(&str, &str)], limit_secs: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), 0, BOUNDS.output_bytes).unwrap();
    let pairs = |env: &[(&str, &str)]| env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let order = Order {
        job: "job".into(),
        fence: 5,
        notes: serde_json::Value::Null,
        boot_id: boot_id().unwrap(),
        steps: vec![OrderedStep {
            step: 1,
            argv: interpreter.iter().map(|word| (*word).to_owned()).collect(),
            script: Some(text.to_owned()),
            limit_secs,
            confined: true,
        }],
        limit_secs: 120,
        env: pairs(&[("PATH", "/usr/bin:/bin")]),
        script_env: pairs(env),
        confinement: Default::default(),
    };
    let record = Record::open(dir.path(), 0).unwrap().lock().unwrap();
    record.write_order(&order).unwrap();
    record.set_permit_asked(Clock::system().now()).unwrap();
    dir
}

/// Performs it: how the script ended, and what it said.
fn performed(dir: &TempDir) -> (StepEnd, String) {
    assert_eq!(perform(dir.path(), 0, 5, BOUNDS, &Clock::system()).unwrap(), Performed::Run);
    let events = Record::open(dir.path(), 0).unwrap().events(5).unwrap();
    let Some(What::End { how, output, .. }) = events.last().map(|event| event.what) else { panic!("{events:?}") };
    let kept = std::fs::read(output_path(dir.path(), 0)).unwrap();
    (how, String::from_utf8(kept[..usize::try_from(output.bytes).unwrap()].to_vec()).unwrap())
}

fn installed(interpreter: &[&str]) -> bool {
    std::path::Path::new(interpreter[0]).exists()
}

#[test]
fn a_script_says_what_it_says_and_ends_with_its_own_code() {
    for (interpreter, text) in [
        (SH, "echo out\necho err >&2\nexit 7\n"),
        (BASH, "a=(out err)\nfor w in \"${a[@]}\"; do echo $w; done\nexit 7\n"),
        (PYTHON, "import sys\nfor w in ('out', 'err'):\n    print(w)\nsys.exit(7)\n"),
    ] {
        if installed(interpreter) {
            let said = performed(&of(interpreter, text, &[], 60));
            assert_eq!(said, (StepEnd::Exited(7), "out\nerr\n".to_owned()), "{interpreter:?}");
        }
    }
}

#[test]
fn a_script_is_killed_at_its_time_limit() {
    let (how, said) = performed(&of(SH, "echo begun\nwhile :; do sleep 1000; done\n", &[], 1));
    assert_eq!((how, said.as_str()), (StepEnd::TimedOut, "begun\n"));
}

#[test]
fn an_interpreter_that_is_not_there_is_an_end_that_says_so() {
    let (how, said) = performed(&of(&["/no/such/interpreter"], "true", &[], 60));
    assert_eq!(how, StepEnd::Exited(127));
    assert!(said.contains("/no/such/interpreter"), "{said}");
}

#[test]
fn its_environment_is_what_was_ordered_and_no_more() {
    let dir = of(SH, "tr '\\0' '\\n' < /proc/$$/environ | sort\n", &[("MW_TRIES", "3"), ("MW_A_B", "x y")], 60);
    let (how, said) = performed(&dir);
    assert_eq!(how, StepEnd::Exited(0));
    assert_eq!(said, "MENDWRIGHT_STEP=1\nMW_A_B=x y\nMW_TRIES=3\nPATH=/usr/bin:/bin\n");
}

#[test]
fn a_step_that_is_no_script_finds_no_parameters_in_its_environment() {
    let dir = of(SH, "", &[("MW_TRIES", "3")], 60);
    let record = Record::open(dir.path(), 0).unwrap().lock().unwrap();
    let mut order = record.order().unwrap().unwrap();
    order.steps[0].script = None;
    order.steps[0].argv = vec!["/usr/bin/env".into()];
    record.write_order(&order).unwrap();
    record.set_permit_asked(Clock::system().now()).unwrap();
    drop(record);
    assert_eq!(performed(&dir).1, "MENDWRIGHT_STEP=1\nPATH=/usr/bin:/bin\n");
}

#[test]
fn whatever_a_parameter_holds_reaches_the_script_as_data() {
    for (interpreter, text) in [
        (SH, "cd \"$MW_AT\"\nprintf '%s' \"$MW_WORD\"\n"),
        (BASH, "cd \"$MW_AT\"\nprintf '%s' \"$MW_WORD\"\n"),
        (PYTHON, "import os, sys\nos.chdir(os.environ['MW_AT'])\nsys.stdout.buffer.write(os.environb[b'MW_WORD'])\n"),
    ] {
        if !installed(interpreter) {
            continue;
        }
        let at = tempfile::tempdir().unwrap();
        for word in CORPUS {
            let env = [("MW_AT", at.path().to_str().unwrap()), ("MW_WORD", *word)];
            let said = performed(&of(interpreter, text, &env, 60));
            assert_eq!(said, (StepEnd::Exited(0), (*word).to_owned()), "{interpreter:?}");
        }
        assert_eq!(std::fs::read_dir(at.path()).unwrap().count(), 0, "{interpreter:?} was told to do something");
    }
}

#[test]
fn nothing_is_made_on_the_disk_for_it_and_nobody_can_change_it() {
    let text = "ls \"$MW_AT\" | sort\ncat \"$0\" | head -n 1\necho more 2>/dev/null >> \"$0\" || echo sealed\n";
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("one"), "").unwrap();
    let (how, said) = performed(&of(SH, text, &[("MW_AT", at.path().to_str().unwrap())], 60));
    let expected = "one\nls \"$MW_AT\" | sort\nsealed\n";
    assert_eq!((how, said.as_str()), (StepEnd::Exited(0), expected));
    let dir = of(SH, "exit 0", &[], 60);
    performed(&dir);
    let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["output.0", "record.0"]);
}
