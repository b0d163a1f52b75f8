//! `demo --once`: breaks everything, waits for what must come of it, and says whether it did.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Serialize;
use store::Store;
use store::auth::Member;
use store::pages::{hosts, incident, incidents};
use uuid::Uuid;

use super::stage::Stage;
use super::{Victim, breaking};

const POLL: Duration = Duration::from_millis(100);
/// Agents link and say that all is well.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// From a break to its end: detection, fix, settle time and stability window, on a slow machine.
const END_LIMIT: Duration = Duration::from_secs(120);
/// After the last mail that must come, one that must not would come within this.
const QUIET: Duration = Duration::from_secs(2);
/// What (e)'s log ends with: its fix's output and its mail hold it.
const LAST_LINE: &str = "there is no setting \"greting\"";

/// What came of it: the last line of the output.
#[derive(Debug, Serialize)]
pub struct Report {
    victims: Vec<Line>,
    mails: usize,
    ok: bool,
}

/// One service. Milliseconds count from its kill.
#[derive(Debug, Clone, Serialize)]
struct Line {
    name: &'static str,
    detected_ms: Option<i64>,
    started_ms: Option<i64>,
    verified_ms: Option<i64>,
    outcome: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// What the store says of a host's newest incident.
#[derive(Debug, Default)]
struct Look {
    state: String,
    outcome: Option<String>,
    detected_at: Option<Timestamp>,
    runs: Vec<incident::Run>,
    /// Why a person was called.
    reason: Option<String>,
}

impl Look {
    fn fixed(&self) -> bool {
        self.outcome.as_deref() == Some("fixed")
    }

    fn escalated(&self) -> bool {
        self.state == "escalated"
    }

    fn held(&self) -> bool {
        self.runs.first().is_some_and(|run| run.state == "held")
    }

    /// How it stands, for a message.
    fn words(&self) -> String {
        let run = self.runs.first().map_or("no run".into(), |run| {
            format!("run {} ({})", run.state, run.hold_reason.as_ref().or(run.end_reason.as_ref()).map_or("", |r| r))
        });
        let why = self.reason.as_deref().unwrap_or("nobody was called");
        if self.state.is_empty() { "no incident".into() } else { format!("incident {}, {run}: {why}", self.state) }
    }
}

struct Scene<'a> {
    store: &'a Store,
    member: Member,
    victim: &'static Victim,
    /// Client and host.
    host: (Uuid, Uuid),
    broken_at: Timestamp,
    /// The pid that it had.
    struck_pid: i32,
}

/// Plays it to its end; true: all as it must be.
pub async fn play(stage: &mut Stage) -> Result<bool> {
    let store = stage.store()?.clone();
    let mut scenes = Vec::new();
    let victims = stage.victims();
    for &victim in &victims {
        let member = breaking::member(&store, stage.login_id()).await?;
        let host = wait_until_well(&store, &member, victim).await?;
        scenes.push(Scene { store: &store, member, victim, host, broken_at: Timestamp::MIN, struck_pid: 0 });
    }
    let names: Vec<&str> = victims.iter().map(|victim| victim.name).collect();
    println!("All hosts are linked and well. Breaking {}.", names.join(", "));
    for scene in &mut scenes {
        if scene.victim.name == "f" {
            breaking::hands_off(&store, &scene.member, scene.host).await?;
        }
        let mut tx = store.begin(&scene.member.scope).await?;
        scene.broken_at = tx.now().await?;
        drop(tx);
        scene.struck_pid = breaking::strike(scene.victim.fault, &stage.files(scene.victim.host))?;
    }
    let mut lines = Vec::new();
    for scene in &scenes {
        lines.push(match scene.victim.name {
            "a" | "b" => {
                let look = scene.wait("fixed", Look::fixed).await?;
                // One that hung is another process now: nobody just let it go on.
                let is_new = stage.files(scene.victim.host).living().is_some_and(|pid| pid != scene.struck_pid);
                scene.line(&look, if look.fixed() && is_new { "fixed" } else { "failed" })
            }
            "c" => {
                let look = scene.wait("fixed", Look::fixed).await?;
                let ended = |state: &str| look.runs.iter().filter(|run| run.state == state).count();
                // The first rung ran and was not enough, the second was.
                let climbed = look.runs.len() == 2 && ended("not_fixed") == 1 && ended("fixed") == 1;
                scene.line(&look, if look.fixed() && climbed { "fixed" } else { "failed" })
            }
            "d" => {
                let look = scene.wait("escalated", Look::escalated).await?;
                let files = stage.files(scene.victim.host);
                let untouched =
                    look.runs.is_empty() && files.living().is_none() && files.pid() == Some(scene.struck_pid);
                scene.line(&look, if look.escalated() && untouched { "escalated" } else { "failed" })
            }
            "e" => {
                let look = scene.wait("escalated", Look::escalated).await?;
                // Tried once, of no help, and taken back: its cache is where it was.
                let files = stage.files(scene.victim.host);
                let taken_back = look.runs.len() == 1 && look.runs[0].state == "undone" && files.has_cache();
                let is_dead = files.living().is_none();
                let ok = look.escalated() && taken_back && is_dead && scene.output_holds(LAST_LINE).await?;
                scene.line(&look, if ok { "escalated" } else { "failed" })
            }
            _ => {
                let held = scene.wait("held", Look::held).await?;
                let unchanged = stage.files(scene.victim.host).living().is_none();
                breaking::release(&store, &scene.member, scene.host).await?;
                let look = scene.wait("fixed", Look::fixed).await?;
                let outcome = if held.held() && unchanged && look.fixed() { "held_then_fixed" } else { "failed" };
                scene.line(&look, outcome)
            }
        });
    }
    let wanted = Wanted::of(&names);
    let subjects = wait_for_mails(stage, wanted.mails()).await?;
    let told = stage.mail_texts().iter().any(|text| text.contains(LAST_LINE));
    if !told {
        eprintln!("(e) no mail holds the last line of its log, {LAST_LINE:?}");
    }
    let mut report = judge(lines, &subjects, &wanted);
    report.ok &= told;
    print_table(&report, &subjects);
    let ok = report.ok;
    stage.report = Some(report);
    Ok(ok)
}

impl Scene<'_> {
    /// Looks until `done`, or until it takes too long: then what was seen last.
    async fn wait(&self, what: &str, done: impl Fn(&Look) -> bool) -> Result<Look> {
        let mut last = Look::default();
        let waiting = async {
            loop {
                last = self.look().await?;
                if done(&last) {
                    return Ok::<(), anyhow::Error>(());
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(END_LIMIT, waiting).await {
            Ok(result) => result?,
            Err(_) => eprintln!("({}) is not {what} after {END_LIMIT:?}: {}", self.victim.name, last.words()),
        }
        Ok(last)
    }

    async fn look(&self) -> Result<Look> {
        let mut tx = self.store.begin(&self.member.scope).await?;
        let Some(row) = incidents::list_of_host(&mut tx, self.host.1, 1).await?.into_iter().next() else {
            return Ok(Look::default());
        };
        let alerts = incident::list_alerts(&mut tx, row.incident_id).await?;
        let runs = incident::list_runs(&mut tx, row.incident_id).await?;
        let story = incident::find(&mut tx, row.incident_id).await?;
        Ok(Look {
            reason: story.and_then(|incident| incident.escalation_reason),
            state: row.state,
            outcome: row.outcome,
            detected_at: alerts.first().map(|alert| alert.signalled_at.unwrap_or(alert.opened_at)),
            runs,
        })
    }

    /// Whether a fix of the host's newest incident wrote this.
    async fn output_holds(&self, text: &str) -> Result<bool> {
        let mut tx = self.store.begin(&self.member.scope).await?;
        let Some(row) = incidents::list_of_host(&mut tx, self.host.1, 1).await?.into_iter().next() else {
            return Ok(false);
        };
        let results = incident::list_results(&mut tx, row.incident_id).await?;
        Ok(results.iter().any(|result| String::from_utf8_lossy(&result.output).contains(text)))
    }

    fn line(&self, look: &Look, outcome: &str) -> Line {
        if outcome == "failed" {
            eprintln!("({}) {}", self.victim.name, look.words());
        }
        let since = |at: Timestamp| (at - self.broken_at).total(jiff::Unit::Millisecond).map_or(0, |ms| ms as i64);
        let run = look.runs.last();
        Line {
            name: self.victim.name,
            detected_ms: look.detected_at.map(since),
            started_ms: run.and_then(|r| r.started_at).map(since),
            verified_ms: run.filter(|_| look.fixed()).and_then(|r| r.ended_at).map(since),
            outcome: outcome.to_owned(),
        }
    }
}

/// Until the host is linked and all its checks are ok.
async fn wait_until_well(store: &Store, member: &Member, victim: &Victim) -> Result<(Uuid, Uuid)> {
    let (name, checks) = (victim.host, victim.checks());
    let waiting = async {
        loop {
            let mut tx = store.begin(&member.scope).await?;
            let rows = hosts::list(&mut tx, hosts::Of::All, 100).await?;
            drop(tx);
            let well =
                |r: &&hosts::Row| r.unlinked_at.is_none() && r.ok == checks && r.critical + r.no_data + r.warning == 0;
            if let Some(row) = rows.iter().find(|row| row.name == name).filter(well) {
                return Ok::<_, anyhow::Error>((row.client_id, row.host_id));
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(READY_LIMIT, waiting).await.with_context(|| format!("{name} is not linked and well"))?
}

async fn wait_for_mails(stage: &Stage, mails: usize) -> Result<Vec<String>> {
    let waiting = async {
        while stage.subjects().len() < mails {
            tokio::time::sleep(POLL).await;
        }
    };
    drop(tokio::time::timeout(READY_LIMIT, waiting).await);
    tokio::time::sleep(QUIET).await;
    Ok(stage.subjects())
}

/// What must come of it.
struct Wanted {
    outcomes: Vec<&'static str>,
}

impl Wanted {
    /// Of the victims of these names.
    fn of(names: &[&str]) -> Wanted {
        let outcome = |name: &&str| match *name {
            "d" | "e" => "escalated",
            "f" => "held_then_fixed",
            _ => "fixed",
        };
        Wanted { outcomes: names.iter().map(outcome).collect() }
    }

    fn count(&self, outcome: &str) -> usize {
        self.outcomes.iter().filter(|wanted| **wanted == outcome).count()
    }

    /// One for each, and one more for what is held before it is fixed.
    fn mails(&self) -> usize {
        self.outcomes.len() + self.count("held_then_fixed")
    }
}

/// All as it must be: the outcomes, and exactly their mails.
fn judge(victims: Vec<Line>, subjects: &[String], wanted: &Wanted) -> Report {
    let outcomes: Vec<&str> = victims.iter().map(|line| line.outcome.as_str()).collect();
    let count = |prefix: &str| subjects.iter().filter(|s| s.starts_with(prefix)).count();
    let mails = (count("Fixed:"), count("Needs you:"), count("Held:"), subjects.len());
    let held = wanted.count("held_then_fixed");
    let by_kind = (wanted.count("fixed") + held, wanted.count("escalated"), held, wanted.mails());
    let ok = outcomes == wanted.outcomes && mails == by_kind;
    Report { victims, mails: subjects.len(), ok }
}

fn print_table(report: &Report, subjects: &[String]) {
    let ms = |value: Option<i64>| value.map_or("–".to_owned(), |v| format!("{v} ms"));
    println!("\n{:<6} {:>12} {:>12} {:>12}  outcome", "victim", "detected", "started", "verified");
    for line in &report.victims {
        let (detected, started, verified) = (ms(line.detected_ms), ms(line.started_ms), ms(line.verified_ms));
        println!("{:<6} {detected:>12} {started:>12} {verified:>12}  {}", line.name, line.outcome);
    }
    println!("\nMails: {}", report.mails);
    for subject in subjects {
        println!("  {subject}");
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::super::VICTIMS;
    use super::*;

    fn line(name: &'static str, outcome: &str) -> Line {
        Line { name, detected_ms: Some(5), started_ms: None, verified_ms: None, outcome: outcome.into() }
    }

    #[test]
    fn an_eighth_mail_or_another_outcome_is_a_failure() {
        let wanted = Wanted::of(&VICTIMS.map(|victim| victim.name));
        assert_eq!(wanted.mails(), 7);
        assert_eq!(Wanted::of(&["a", "b", "d", "e", "f"]).mails(), 6, "where nothing can be mounted");
        let outcomes = ["fixed", "fixed", "fixed", "escalated", "escalated", "held_then_fixed"];
        let lines =
            || VICTIMS.iter().zip(outcomes).map(|(victim, outcome)| line(victim.name, outcome)).collect::<Vec<_>>();
        let subjects = ["Fixed: a", "Fixed: b", "Fixed: c", "Needs you: d", "Needs you: e", "Held: f", "Fixed: f"];
        let mut mails: Vec<String> = subjects.map(String::from).into();
        assert!(judge(lines(), &mails, &wanted).ok);
        mails.push("Fixed: again".into());
        assert!(!judge(lines(), &mails, &wanted).ok);
        mails.truncate(7);
        let mut other = lines();
        other[3] = line("d", "failed");
        assert!(!judge(other, &mails, &wanted).ok);
    }

    #[test]
    fn the_last_line_has_the_promised_form() {
        let report = Report { victims: vec![line("d", "escalated")], mails: 4, ok: true };
        assert_eq!(
            report.to_string(),
            r#"{"victims":[{"name":"d","detected_ms":5,"started_ms":null,"verified_ms":null,"outcome":"escalated"}],"mails":4,"ok":true}"#
        );
    }
}
