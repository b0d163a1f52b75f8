//! The demo as its user meets it: real processes, real pages, and every run and non-run explained.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _};

use crate::support::program;

/// Ten times what the slowest wait takes on a slow machine.
const GUARD: Duration = Duration::from_secs(60);

struct Demo {
    child: Child,
    folder: PathBuf,
    url: String,
    email: String,
    password: String,
    cookie: String,
    http: reqwest::Client,
    rows: PgPool,
}

impl Demo {
    /// Starts `mendwright demo`, reads its invitation, and signs in.
    async fn start() -> Demo {
        // It ends with this test, however this test ends.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "INT"])
            .arg(program("mendwright"))
            .arg("demo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut find = |before: &str| loop {
            let line = lines.next().expect("the demo invites").unwrap();
            if let Some((_, rest)) = line.split_once(before) {
                return rest.trim().to_owned();
            }
        };
        let folder = PathBuf::from(find("The demo's folder is "));
        let url = find("Mendwright runs at ");
        let seat = find("sign in with ");
        let (email, password) = seat.split_once("  ").expect("a sign-in");
        // Whatever it prints from here on must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let note: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("demo.json")).unwrap()).unwrap();
        let options: PgConnectOptions = note["tenant_url"].as_str().unwrap().parse().unwrap();
        let rows =
            PgPoolOptions::new().max_connections(1).connect_with(options.username(embedded::SUPERUSER)).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut demo = Demo {
            child,
            folder,
            url,
            email: email.to_owned(),
            password: password.trim().to_owned(),
            cookie: String::new(),
            http,
            rows,
        };
        let form = format!("email={}&password={}", demo.email.replace('@', "%40"), demo.password);
        let answer = demo.post("/sign-in", form).await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        demo.cookie = cookie.split(';').next().unwrap().to_owned();
        demo
    }

    async fn post(&self, path: &str, form: String) -> reqwest::Response {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("origin", &self.url)
            .header("sec-fetch-site", "same-origin");
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").header("cookie", &self.cookie);
        let answer = request.body(form).send().await.unwrap();
        assert!(answer.status().is_redirection(), "{path}: {}", answer.status());
        answer
    }

    /// A page's words, without its tags.
    async fn page(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        words(&answer.text().await.unwrap())
    }

    /// The first column of all rows, as text.
    async fn list(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&self.rows).await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}")).iter().map(|row| row.get(0)).collect()
    }

    /// Waits until the query gives just these.
    async fn until(&self, sql: &str, wanted: &[&str]) {
        let mut last = Vec::new();
        let waiting = async {
            loop {
                last = self.list(sql).await;
                if last == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(GUARD, waiting).await;
        assert!(ended.is_ok(), "{sql}: {last:?} instead of {wanted:?}");
    }

    /// Whether this machine let the demo mount (c)'s file system.
    async fn has_volume(&self) -> bool {
        !self.list("SELECT name FROM hosts WHERE name = 'cedar-01'").await.is_empty()
    }

    /// Waits until a page is so.
    async fn until_page(&self, path: &str, so: impl Fn(&str) -> bool) {
        let mut last = String::new();
        let waiting = async {
            loop {
                last = self.page(path).await;
                if so(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(GUARD, waiting).await;
        assert!(ended.is_ok(), "{path}: {last}");
    }

    /// The token of a page's forms.
    async fn token(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie).send().await.unwrap();
        let page = answer.text().await.unwrap();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    /// Everything that was decided of an incident, oldest first: `[stage, subject, record]`.
    async fn decisions(&self, incident: &str) -> Vec<Value> {
        let sql = format!(
            "SELECT jsonb_build_array(stage, subject_id, record)::text FROM decisions WHERE incident_id = '{incident}'
             AND outcome NOT IN ('deduplicated', 'recovered', 'older', 'left_to_verdict') ORDER BY decided_at, decision_id"
        );
        self.list(&sql).await.iter().map(|decision| serde_json::from_str(decision).unwrap()).collect()
    }

    /// An incident's decisions and the page that tells of them, both of one moment.
    async fn incident(&self, incident: &str) -> (Vec<Value>, String) {
        loop {
            let decisions = self.decisions(incident).await;
            let page = self.page(&format!("/incidents/{incident}")).await;
            if self.decisions(incident).await == decisions {
                return (decisions, page);
            }
        }
    }

    fn command(&self, args: &[&str]) {
        let done = Command::new(program("mendwright")).args(args).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "{args:?}");
    }

    /// Presses a button of the demo's page.
    async fn press(&self, button: &str, victim: &str) {
        let token = self.token("/demo").await;
        let answer = self.post(&format!("/demo/{button}"), format!("csrf={token}&victim={victim}")).await;
        assert_eq!(answer.headers()["location"], format!("/demo#victim-{victim}"));
    }

    fn break_it(&self, name: &str) {
        self.command(&["demo", "break", name, "--folder", self.folder.to_str().unwrap()]);
    }

    fn ctl(&self, action: &str, host: &str) {
        let dir = self.folder.join(host).join("service");
        self.command(&["demo-ctl", action, "--dir", dir.to_str().unwrap()]);
    }

    /// Ends it as Ctrl-C does.
    fn stop(mut self) -> PathBuf {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.folder.clone()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT);
        let _ = self.child.wait();
    }
}

fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(if c == '\u{a0}' { ' ' } else { c }),
            _ => {}
        }
    }
    let text = text.replace("&#39;", "'").replace("&#34;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const VERDICTS: &str = "SELECT h.name || ' ' || s.verdict FROM check_states s JOIN hosts h USING (tenant_id, host_id) WHERE h.name <> 'cedar-01' ORDER BY 1";
/// (c) is where a file system may be mounted, and has a test of its own. The hung one of (b) has two checks: its process, and its answer.
const ALL_WELL: [&str; 6] = ["alder-01 ok", "birch-01 ok", "birch-01 ok", "dune-01 ok", "elm-01 ok", "fern-01 ok"];
const RUNS: &str = "SELECT h.name || ' ' || r.state FROM runs r JOIN hosts h USING (tenant_id, host_id) ORDER BY r.planned_at, r.run_id";
const RUNS_SORTED: &str =
    "SELECT h.name || ' ' || r.state FROM runs r JOIN hosts h USING (tenant_id, host_id) ORDER BY 1";
/// Without those that say that what was broken again at once is held: that is told only within the watch for a relapse.
const MAILS: &str = "SELECT split_part(subject, ':', 1) FROM outbox WHERE state = 'sent' AND subject NOT LIKE 'Held: website%' ORDER BY 1";
const INCIDENTS: &str = "SELECT h.name || ' ' || i.state FROM incidents i JOIN alerts a USING (tenant_id, incident_id)
   JOIN hosts h ON h.tenant_id = a.tenant_id AND h.host_id = a.host_id ORDER BY h.name, i.opened_at";

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_heals_explains_every_run_and_every_non_run_and_leaves_nothing() {
    let demo = Demo::start().await;
    demo.until(VERDICTS, &ALL_WELL).await;

    // Stopped on purpose: no failure, no run, and the page says which.
    demo.ctl("stop", "alder-01");
    demo.until("SELECT excused FROM check_states WHERE excused IS NOT NULL", &["stopped on purpose, no failure"]).await;
    let host = demo.list("SELECT host_id::text FROM hosts WHERE name = 'alder-01'").await.remove(0);
    let page = demo.page(&format!("/hosts/{host}")).await;
    assert!(page.contains("stopped on purpose, no failure"), "{page}");
    demo.ctl("start", "alder-01");
    demo.until("SELECT excused FROM check_states WHERE excused IS NOT NULL", &[]).await;
    assert_eq!(demo.list("SELECT incident_id::text FROM incidents").await, [""; 0]);

    for name in ["d", "f", "a", "b", "e"] {
        demo.break_it(name);
    }
    let broken = ["alder-01 closed", "birch-01 closed", "dune-01 escalated", "elm-01 escalated", "fern-01 escalated"];
    demo.until(INCIDENTS, &broken).await;
    // The process of (b) was well all the time: only the question saw it.
    let saw = "SELECT DISTINCT k.kind FROM signals s JOIN checks k USING (tenant_id, check_id)
       JOIN hosts h ON h.tenant_id = s.tenant_id AND h.host_id = s.host_id WHERE h.name = 'birch-01'";
    demo.until(saw, &["http"]).await;
    walk(&demo).await;
    let fern = demo.list("SELECT host_id::text FROM hosts WHERE name = 'fern-01'").await.remove(0);
    let token = demo.token(&format!("/hosts/{fern}")).await;
    demo.post(&format!("/hosts/{fern}/release"), format!("csrf={token}")).await;
    let released = ["alder-01 closed", "birch-01 closed", "dune-01 escalated", "elm-01 escalated", "fern-01 closed"];
    demo.until(INCIDENTS, &released).await;

    // A second press within its cooldown.
    demo.break_it("a");
    demo.until(
        &format!("SELECT state FROM ({RUNS}) r(state) WHERE state LIKE 'alder%'"),
        &["alder-01 fixed", "alder-01 held"],
    )
    .await;
    walk(&demo).await;
    demo.until(MAILS, &["Fixed", "Fixed", "Fixed", "Held", "Needs you", "Needs you"]).await;
    let log = "SELECT count(*)::text FROM outbox WHERE body_text LIKE '%no setting \"greting\"%' AND subject LIKE 'Needs you: catalog%'";
    demo.until(log, &["1"]).await;

    let folder = demo.stop();
    assert!(!folder.exists(), "{} is left behind", folder.display());
    let left = Command::new("pgrep").args(["-f", folder.to_str().unwrap()]).output().unwrap();
    assert!(left.stdout.is_empty(), "processes are left: {}", String::from_utf8_lossy(&left.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_button_of_the_demos_page_works_twice_in_a_row() {
    let demo = Demo::start().await;
    demo.until(VERDICTS, &ALL_WELL).await;
    let cards = if demo.has_volume().await { 6 } else { 5 };
    demo.until_page("/demo", |page| page.matches(" well ").count() == cards).await;

    // Together: each card goes its own way, and a press on what is broken already changes nothing.
    for victim in ["a", "d", "f", "d", "f", "e", "b", "b"] {
        demo.press("break", victim).await;
    }
    let broken = ["alder-01 closed", "birch-01 closed", "dune-01 escalated", "elm-01 escalated", "fern-01 escalated"];
    demo.until(INCIDENTS, &broken).await;
    let page = demo.page("/demo").await;
    for words in [
        "website well",
        "reports needs you",
        "shop held",
        "booking well",
        "catalog needs you",
        "Next: press Release now on fern-01’s page",
    ] {
        assert!(page.contains(words), "no {words:?}: {page}");
    }
    assert!(page.contains("Its fix rests until") && page.contains("left"), "{page}");
    let stretches = "SELECT host.name || ' ' || (h.ended_at IS NULL)::text FROM hands_off h
       JOIN hosts host ON host.tenant_id = h.tenant_id AND host.host_id::text = h.scope_key";
    demo.until(stretches, &["fern-01 true"]).await;
    read_mails(&demo).await;

    // Back to the start, without a run: the incidents close as recovered, hands off is released.
    for victim in ["d", "f", "a", "d", "f", "e", "b", "e"] {
        demo.press("reset", victim).await;
    }
    demo.until(VERDICTS, &ALL_WELL).await;
    let closed = ["alder-01 closed", "birch-01 closed", "dune-01 closed", "elm-01 closed", "fern-01 closed"];
    demo.until(INCIDENTS, &closed).await;
    demo.until(stretches, &["fern-01 false"]).await;
    let first = ["alder-01 fixed", "birch-01 fixed", "elm-01 undone", "fern-01 cancelled"];
    demo.until(RUNS_SORTED, &first).await;

    // And once more; what was fixed a moment ago is held by its cooldown, which no reset lifts.
    for victim in ["a", "b", "d", "e", "f"] {
        demo.press("break", victim).await;
    }
    let second = [
        "alder-01 fixed",
        "alder-01 held",
        "birch-01 fixed",
        "birch-01 held",
        "elm-01 held",
        "elm-01 undone",
        "fern-01 cancelled",
        "fern-01 held",
    ];
    demo.until(RUNS_SORTED, &second).await;
    let page = demo.page("/demo").await;
    assert!(page.contains("website held") && page.contains("Held by its cooldown until"), "{page}");
    for victim in ["a", "b", "e", "f"] {
        demo.press("reset", victim).await;
    }
    let third = [
        "alder-01 cancelled",
        "alder-01 fixed",
        "birch-01 cancelled",
        "birch-01 fixed",
        "elm-01 cancelled",
        "elm-01 undone",
        "fern-01 cancelled",
        "fern-01 cancelled",
    ];
    demo.until(RUNS_SORTED, &third).await;
    assert!(demo.page("/demo").await.contains("Its fix rests until"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_cleaned_that_is_not_enough_and_then_the_holder_of_a_deleted_log_is_found() {
    let demo = Demo::start().await;
    if !demo.has_volume().await {
        eprintln!("not proven here: this machine lets nobody mount a file system");
        return;
    }
    let verdict =
        "SELECT s.verdict FROM check_states s JOIN hosts h USING (tenant_id, host_id) WHERE h.name = 'cedar-01'";
    let incidents = "SELECT i.state || ' ' || coalesce(i.outcome, '') FROM incidents i JOIN alerts a USING (tenant_id, incident_id)
       JOIN hosts h ON h.tenant_id = a.tenant_id AND h.host_id = a.host_id WHERE h.name = 'cedar-01' ORDER BY i.opened_at";
    let runs = "SELECT p.name || ' ' || r.state FROM runs r JOIN playbooks p USING (tenant_id, playbook_id)
       JOIN hosts h ON h.tenant_id = r.tenant_id AND h.host_id = r.host_id WHERE h.name = 'cedar-01' ORDER BY r.planned_at, r.run_id";
    demo.until(verdict, &["ok"]).await;
    // The agent's own files lie on the file system that has no byte left.
    assert!(demo.folder.join("cedar-01/disk/agent/journal").exists());
    demo.press("break", "c").await;
    demo.until(incidents, &["closed fixed"]).await;
    demo.until(runs, &["clean-old-logs not_fixed", "release-deleted-logs fixed"]).await;
    let incident = demo.list("SELECT incident_id::text FROM incidents WHERE outcome = 'fixed'").await.remove(0);
    let page = demo.page(&format!("/incidents/{incident}")).await;
    for words in ["app.log.1", "access.log (deleted)", "not fixed"] {
        assert!(page.contains(words), "no {words:?}: {page}");
    }
    demo.until("SELECT split_part(subject, ':', 1) FROM outbox WHERE state = 'sent'", &["Fixed"]).await;

    // Again: the cooldown holds it, and a reset gives the room back.
    demo.press("break", "c").await;
    demo.until(verdict, &["critical"]).await;
    demo.press("reset", "c").await;
    demo.until(verdict, &["ok"]).await;
    demo.until(incidents, &["closed fixed", "closed recovered"]).await;

    let folder = demo.stop();
    assert!(!folder.exists(), "{} is left behind", folder.display());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
}

/// The mailbox, and one mail of it: its page in a frame where nothing runs.
async fn read_mails(demo: &Demo) {
    demo.until(MAILS, &["Fixed", "Fixed", "Held", "Needs you", "Needs you"]).await;
    let list = demo.page("/demo/mails").await;
    for words in ["5 mails", "Fixed: website on alder-01", "Held: shop on fern-01", "Needs you: reports on dune-01"] {
        assert!(list.contains(words), "no {words:?}: {list}");
    }
    let mail = demo.page("/demo/mails/1").await;
    assert!(mail.contains("oncall@harbour.example") && mail.contains("Open its incident"), "{mail}");
    let ask = |path: &str| demo.http.get(format!("{}{path}", demo.url)).header("cookie", &demo.cookie).send();
    let frame = ask("/demo/mails/1/page").await.unwrap();
    let policy = frame.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(!policy.contains("script") && frame.text().await.unwrap().contains("</html>"));
}

/// Every incident, by query and by page: whoever reads it learns what was seen, what was decided, and why.
async fn walk(demo: &Demo) {
    let incidents = demo.list("SELECT incident_id::text FROM incidents ORDER BY opened_at").await;
    assert!(incidents.len() >= 3);
    for id in incidents {
        let (decisions, page) = demo.incident(&id).await;
        let says =
            |what: &str, words: &str| assert!(page.contains(words), "{id} does not show its {what}, {words:?}: {page}");

        let seen = format!(
            "SELECT o.seen->'data'->>'detail' FROM alerts a JOIN signals s USING (tenant_id, host_id, check_id, target)
             JOIN observations o USING (tenant_id, observation_id)
             WHERE a.incident_id = '{id}' AND s.kind = 'raised' AND s.signalled_at <= a.opened_at"
        );
        let seen = demo.list(&seen).await;
        says("observation", seen.last().expect("an observation"));

        let record = &newest(&decisions, "classify", None);
        let looked = record["looked_at"].as_array().unwrap();
        assert!(!looked.is_empty(), "{id}: no mapping was looked at");
        for mapping in looked {
            says("mapping looked at", &format!("{} v{}", text(&mapping["mapping"]), mapping["version"]));
        }
        let runs = demo.list(&format!("SELECT run_id::text FROM runs WHERE incident_id = '{id}'")).await;
        if runs.is_empty() {
            says("nearest miss", text(&record["nearest_miss"]));
            says("reason", text(&record["sentence"]));
        }
        for run in runs {
            let matched = &record["matched"];
            says("mapping", &format!("{} version {}", text(&matched["name"]), matched["version"]));
            walk_run(demo, &decisions, &run, &says).await;
        }
    }
}

async fn walk_run(demo: &Demo, decisions: &[Value], run: &str, says: &impl Fn(&str, &str)) {
    // An undo is decided on too, under a limit of its own.
    let of_undo = |record: &Value| record["limits"].as_array().is_some_and(|l| l.iter().any(|l| l["scope"] == "undo"));
    let of_fix: Vec<Value> =
        decisions.iter().filter(|d| !of_undo(&d[2]) && d[2]["undone"].is_null()).cloned().collect();
    let decided = newest(&of_fix, "remediate", Some(run));
    let limits = decided["limits"].as_array().unwrap();
    assert!(limits.len() >= 10, "{run}: {limits:?}");
    for limit in limits.iter().filter(|limit| limit["max"] != 0) {
        says("limit", &format!("{} of {}", limit["used"], limit["max"]));
        says("limit's reason", text(&limit["why"]));
    }
    let digest = format!(
        "SELECT encode(sha256(convert_to(v.content, 'UTF8')), 'hex') FROM runs r
         JOIN playbook_versions v ON v.tenant_id = r.tenant_id AND v.digest = r.playbook_digest WHERE r.run_id = '{run}'"
    );
    let digest = demo.list(&digest).await.remove(0);
    says("playbook's digest", &digest[..4]);
    let state = demo.list(&format!("SELECT state FROM runs WHERE run_id = '{run}'")).await.remove(0);
    if state == "held" {
        let reason = demo.list(&format!("SELECT hold_reason FROM runs WHERE run_id = '{run}'")).await.remove(0);
        says("reason", reason.strip_prefix("held ").unwrap_or(&reason).split(',').next().unwrap());
        says("what would have run", "Would have run");
        return;
    }
    assert!(["fixed", "not_fixed", "undone"].contains(&state.as_str()), "{run}: {state}");
    let output = format!(
        "SELECT convert_from(string_agg(bytes, ''::bytea ORDER BY byte_offset), 'UTF8') FROM run_output WHERE run_id = '{run}' AND purpose = 'fix'"
    );
    for line in demo.list(&output).await.remove(0).lines() {
        says("output", line.trim());
    }
    let verified = newest(&of_fix, "verify", Some(run));
    let after = verified["looks"].as_array().unwrap().iter().rev().find_map(|look| look[2]["data"]["detail"].as_str());
    says("reading after", after.expect("what the last look saw"));
    says("reading before and after", "Before After");
}

/// The newest record of a stage, of one run or of any subject.
fn newest(decisions: &[Value], stage: &str, subject: Option<&str>) -> Value {
    let of = |d: &&Value| d[0] == stage && subject.is_none_or(|subject| d[1] == subject);
    decisions.iter().rev().find(of).unwrap_or_else(|| panic!("{stage} stored nothing of {subject:?}"))[2].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
