//! A step that is a script of its playbook.

use std::fs;

use wire::v1::{Down, Ended, Interpreter, Job, ParameterType, RefusedReason, Script, Step, Up, Value};

use crate::bench::{Bench, Linked, ended, job_of};

/// What a shell would make something of.
const WORD: &str = "$(touch canary); `touch canary` \"'${IFS}* {service.start}";

/// A fix of one script that is told [`WORD`].
fn scripted(agent: &Linked, fence: i64, text: &str) -> Job {
    let step = Step {
        title: "step".into(),
        argv: Vec::new(),
        script: Some(Script { interpreter: Interpreter::Sh, text: text.into() }),
        limit_secs: 60,
    };
    let words = ParameterType::Enum { values: vec![WORD.into()] };
    let write = |playbook: &mut wire::v1::Playbook| {
        playbook.steps = vec![step];
        playbook.parameters.insert("word".into(), words);
    };
    let put = |envelope: &mut wire::v1::Envelope| {
        envelope.parameters.insert("word".into(), Value::Text(WORD.into()));
    };
    job_of(agent.prove.instance_id, fence, &[], write, put).0
}

#[tokio::test]
async fn a_script_reads_its_parameters_as_data_and_its_exit_code_is_the_jobs() {
    let bench = Bench::new("exit 1").await;
    let mut agent = bench.run(&[]).await;
    assert!(agent.hello.limits.scripts);
    agent.configure().await;
    let at = bench.path("at");
    fs::create_dir(&at).unwrap();
    let text = format!("cd '{}'\nprintf '%s' \"$MW_WORD\"\nenv | sed 's/=.*//' > names\nexit 9\n", at.display());
    let job = scripted(&agent, 5, &text);
    agent.peer.send(Down::Job(job)).await;
    agent.permit().await;
    let body = agent.result(&bench).await;
    assert_eq!(ended(&body), &Ended::Exited { code: 9 });
    assert_eq!(body.output_digest, keys::digest(WORD.as_bytes()).to_string());
    let names = fs::read_to_string(at.join("names")).unwrap();
    let mut names: Vec<&str> =
        names.lines().filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "_" | "SHLVL")).collect();
    names.sort_unstable();
    let ours = ["ATTEMPT", "LEG", "PURPOSE", "RUN", "STEP"].map(|name| format!("MENDWRIGHT_{name}"));
    let all: Vec<&str> = ["LC_ALL"]
        .into_iter()
        .chain(ours.iter().map(String::as_str))
        .chain(["MW_SERVICE", "MW_WORD", "PATH"])
        .collect();
    assert_eq!(names, all);
    assert_eq!(fs::read_dir(&at).unwrap().count(), 1, "nothing in the word was done");
}

#[tokio::test]
async fn a_host_that_allows_no_scripts_refuses_them_by_its_own_limits() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "scripts = false\n[services.shop-web]\nstatus = [\"/bin/false\"]\n";
    let bench = Bench::declared(dir, toml).await;
    let mut agent = bench.run(&[]).await;
    assert!(!agent.hello.limits.scripts);
    agent.configure().await;
    let job = scripted(&agent, 5, "true");
    agent.peer.send(Down::Job(job)).await;
    let refused = agent.peer.until(|up| if let Up::Refused(refused) = up { Some(refused) } else { None }).await;
    assert_eq!((refused.fence, refused.reason), (5, RefusedReason::HostLimits));
    assert!(refused.detail.contains("the host allows none (scripts in its agent.toml)"), "{}", refused.detail);
}

#[tokio::test]
async fn a_script_that_does_not_fit_into_the_runs_record_is_not_begun() {
    let bench = Bench::new("exit 1").await;
    let mut agent = bench.run(&[]).await;
    agent.configure().await;
    let job = scripted(&agent, 5, &"# too long for its place\n".repeat(2_000));
    agent.peer.send(Down::Job(job)).await;
    let refused = agent.peer.until(|up| if let Up::Refused(refused) = up { Some(refused) } else { None }).await;
    assert_eq!(refused.reason, RefusedReason::Unable);
    assert!(refused.detail.contains("too long for the run's record"), "{}", refused.detail);
}
