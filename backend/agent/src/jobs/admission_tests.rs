use std::collections::BTreeMap;
use std::time::Duration;

use keys::succession::Pin;
use keys::{SigningKey, to_canonical};
use wire::v1::{Effect, Job, Purpose, Risk, Step};

use super::*;
use crate::hours::Weekday;

struct Bench {
    playbook_key: SigningKey,
    dispatch_key: SigningKey,
    pinned: Pinned,
    limits: Limits,
    rate: Rate,
}

fn bench() -> Bench {
    let (playbook_key, dispatch_key) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let pinned =
        Pinned { playbook: vec![playbook_key.public()], dispatch: Pin { version: 1, key: dispatch_key.public() } };
    let limits = toml::from_str("profile = \"low-risk\"\nmax_runs_per_hour = 2").unwrap();
    Bench { playbook_key, dispatch_key, pinned, limits, rate: Rate::default() }
}

fn playbook() -> Playbook {
    let step = |argv: &str| Step { title: String::new(), argv: vec![argv.to_owned()], script: None, limit_secs: 5 };
    Playbook {
        name: "restart".into(),
        title: "Restart".into(),
        risk: Risk::L,
        effect: Effect::Once,
        parameters: BTreeMap::new(),
        steps: vec![step("/bin/one"), step("/bin/two"), step("/bin/three")],
        undo: Vec::new(),
        weight: 1,
    }
}

fn envelope(playbook: &Playbook) -> Envelope {
    Envelope {
        tenant_id: Uuid::from_u128(1),
        host_id: Uuid::from_u128(2),
        instance_id: Uuid::from_u128(3),
        job: JobKey { run_id: Uuid::from_u128(4), purpose: Purpose::Fix, leg: 1, attempt: 1 },
        fence: 10,
        playbook_digest: keys::digest(to_canonical(playbook).unwrap().as_bytes()).to_string(),
        steps: (1, 3),
        parameters: BTreeMap::new(),
        check_id: Uuid::from_u128(5),
        target: "shop-web".into(),
        server_looked: false,
        ttl_secs: 60,
        limit_secs: 60,
    }
}

impl Bench {
    fn job(&self, playbook: &Playbook, envelope: &Envelope) -> Job {
        let (envelope, playbook) = (to_canonical(envelope).unwrap(), to_canonical(playbook).unwrap());
        Job {
            envelope_signature: self.dispatch_key.sign(Context::Envelope, &envelope),
            playbook_signature: self.playbook_key.sign(Context::Playbook, &playbook),
            envelope,
            playbook,
        }
    }

    fn admit(&self, job: &Job) -> Result<Admitted, RefusedReason> {
        let ground = Ground {
            tenant_id: Uuid::from_u128(1),
            host_id: Uuid::from_u128(2),
            instance_id: Uuid::from_u128(3),
            pinned: &self.pinned,
            limits: &self.limits,
            rate: &self.rate,
            max_fence: 9,
            now: Duration::from_secs(10),
            local: LocalTime { weekday: Weekday::Tue, minute: 12 * 60 },
        };
        admit(job, &ground).map_err(|refusal| refusal.reason)
    }

    fn reason(&self, job: &Job) -> Option<RefusedReason> {
        self.admit(job).err()
    }
}

#[test]
fn a_signed_job_for_this_host_is_admitted_with_the_steps_of_its_leg() {
    let bench = bench();
    let envelope = Envelope { steps: (2, 3), ..envelope(&playbook()) };
    let admitted = bench.admit(&bench.job(&playbook(), &envelope)).unwrap();
    let steps: Vec<_> = admitted.steps.ordered.iter().map(|step| (step.step, step.argv[0].as_str())).collect();
    assert_eq!(steps, [(2, "/bin/two"), (3, "/bin/three")]);
    assert_eq!(admitted.digest, keys::digest(to_canonical(&envelope).unwrap().as_bytes()).to_string());
}

#[test]
fn an_undo_performs_what_the_playbook_declares_as_one_and_diagnostics_perform_no_fix() {
    let bench = bench();
    let back = Step { title: String::new(), argv: vec!["/bin/back".to_owned()], script: None, limit_secs: 5 };
    let undoable = Playbook { undo: vec![back], ..playbook() };
    let of = |purpose, playbook: &Playbook, steps| {
        let good = envelope(playbook);
        let envelope = Envelope { job: JobKey { purpose, ..good.job }, steps, ..good };
        bench.admit(&bench.job(playbook, &envelope)).map(|admitted| admitted.steps)
    };
    assert_eq!(of(Purpose::Undo, &undoable, (1, 1)).unwrap().ordered[0].argv, ["/bin/back"]);
    for (purpose, playbook) in [(Purpose::Undo, playbook()), (Purpose::Diagnostics, undoable)] {
        assert_eq!(of(purpose, &playbook, (1, 1)).unwrap_err(), RefusedReason::Parameter);
    }
}

#[test]
fn unsigned_and_altered_texts_are_refused() {
    let bench = bench();
    let good = bench.job(&playbook(), &envelope(&playbook()));
    let swapped = |from: &str, to: &str, text: &String| {
        assert!(text.contains(from));
        text.replace(from, to)
    };
    for (what, job) in [
        ("unsigned envelope", Job { envelope_signature: String::new(), ..good.clone() }),
        ("unsigned playbook", Job { playbook_signature: String::new(), ..good.clone() }),
        ("altered envelope", Job { envelope: swapped("\"fence\":10", "\"fence\":11", &good.envelope), ..good.clone() }),
        ("altered playbook", Job { playbook: swapped("/bin/one", "/bin/evil", &good.playbook), ..good.clone() }),
        (
            "playbook signed by the dispatch key",
            Job { playbook_signature: bench.dispatch_key.sign(Context::Playbook, &good.playbook), ..good.clone() },
        ),
        (
            "envelope signed by a playbook key",
            Job { envelope_signature: bench.playbook_key.sign(Context::Envelope, &good.envelope), ..good.clone() },
        ),
        (
            "playbook signature for another purpose",
            Job { playbook_signature: bench.playbook_key.sign(Context::Envelope, &good.playbook), ..good.clone() },
        ),
    ] {
        assert_eq!(bench.reason(&job), Some(RefusedReason::Signature), "{what}");
    }
    assert_eq!(bench.reason(&good), None);
}

#[test]
fn another_signed_playbook_than_the_envelope_selects_is_refused() {
    let bench = bench();
    let other = Playbook { title: "Other".into(), ..playbook() };
    assert_eq!(bench.reason(&bench.job(&other, &envelope(&playbook()))), Some(RefusedReason::Signature));
}

#[test]
fn a_signed_text_that_is_not_canonical_is_refused() {
    let bench = bench();
    let mut job = bench.job(&playbook(), &envelope(&playbook()));
    job.envelope = format!(" {}", job.envelope);
    job.envelope_signature = bench.dispatch_key.sign(Context::Envelope, &job.envelope);
    assert_eq!(bench.reason(&job), Some(RefusedReason::Signature));
}

#[test]
fn envelopes_for_others_and_stale_ones_are_refused() {
    let bench = bench();
    let good = envelope(&playbook());
    let stranger = Uuid::from_u128(99);
    for (envelope, reason) in [
        (Envelope { tenant_id: stranger, ..good.clone() }, RefusedReason::Foreign),
        (Envelope { host_id: stranger, ..good.clone() }, RefusedReason::Foreign),
        (Envelope { instance_id: stranger, ..good.clone() }, RefusedReason::Foreign),
        (Envelope { ttl_secs: 0, ..good.clone() }, RefusedReason::Stale),
        (Envelope { fence: 9, ..good.clone() }, RefusedReason::Stale),
        (Envelope { steps: (0, 1), ..good.clone() }, RefusedReason::Parameter),
        (Envelope { steps: (2, 1), ..good.clone() }, RefusedReason::Parameter),
        (Envelope { steps: (1, 4), ..good }, RefusedReason::Parameter),
    ] {
        assert_eq!(bench.reason(&bench.job(&playbook(), &envelope)), Some(reason), "{envelope:?}");
    }
}

#[test]
fn the_hosts_own_limits_hold_whatever_is_signed() {
    let mut bench = bench();
    let risky = Playbook { risk: Risk::M, ..playbook() };
    assert_eq!(bench.reason(&bench.job(&risky, &envelope(&risky))), Some(RefusedReason::HostLimits));
    bench.rate.note(Duration::from_secs(1));
    bench.rate.note(Duration::from_secs(2));
    let job = bench.job(&playbook(), &envelope(&playbook()));
    assert_eq!(bench.reason(&job), Some(RefusedReason::HostLimits));
}

#[test]
fn a_fix_begins_within_the_hosts_hours_and_its_undo_at_any() {
    let limits = |hours: &str| toml::from_str(&format!("profile = \"low-risk\"\nhours = [{hours}]")).unwrap();
    let at_night = Bench { limits: limits("\"daily 22:00-06:00\""), ..bench() };
    let at_noon = Bench { limits: limits("\"daily 22:00-06:00\", \"tue 12:00-12:01\""), ..bench() };
    let undoable = Playbook { undo: playbook().steps, ..playbook() };
    let fix = envelope(&undoable);
    let undo = Envelope { job: JobKey { purpose: Purpose::Undo, ..fix.job }, ..fix.clone() };
    assert_eq!(at_night.reason(&at_night.job(&undoable, &fix)), Some(RefusedReason::HostLimits));
    assert_eq!(at_noon.reason(&at_noon.job(&undoable, &fix)), None);
    assert_eq!(at_night.reason(&at_night.job(&undoable, &undo)), None);
}

#[test]
fn a_fix_that_may_take_too_long_or_whose_undo_may_is_not_begun() {
    let limits = toml::from_str("profile = \"low-risk\"\nmax_run_secs = 60").unwrap();
    let bench = Bench { limits, ..bench() };
    let good = envelope(&playbook());
    assert_eq!(bench.reason(&bench.job(&playbook(), &good)), None);
    let long = Envelope { limit_secs: 61, ..good };
    assert_eq!(bench.reason(&bench.job(&playbook(), &long)), Some(RefusedReason::HostLimits));
    let slow = Step { limit_secs: 61, ..playbook().steps[0].clone() };
    let slow = Playbook { undo: vec![slow], ..playbook() };
    assert_eq!(bench.reason(&bench.job(&slow, &envelope(&slow))), Some(RefusedReason::HostLimits));
}

#[test]
fn what_the_host_declared_for_a_service_is_not_confined_and_what_a_playbook_says_is() {
    let limits = "profile = \"low-risk\"\n[services.shop-web]\nstart = [\"/ctl\", \"start\"]\nstatus = [\"/ctl\"]";
    let bench = Bench { limits: toml::from_str(limits).unwrap(), ..bench() };
    let mut playbook = playbook();
    playbook.parameters.insert("service".into(), ParameterType::ServiceName);
    playbook.steps[1].argv = vec!["{service.start}".into()];
    let mut envelope = envelope(&playbook);
    envelope.parameters.insert("service".into(), Value::Text("shop-web".into()));
    let admitted = bench.admit(&bench.job(&playbook, &envelope)).unwrap();
    assert_eq!(admitted.steps.ordered.iter().map(|step| step.confined).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(admitted.services, ["shop-web"]);
}
