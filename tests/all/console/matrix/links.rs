//! The gateway's paths: who links as which host, whose token makes which key a host, and what a linked agent says of others.
//!
//! What would make these cells fail: a gateway that takes the proof of one key for the host of another (because the path, the
//! id in the proof or the organization that was signed is the other's), that does not ask whether a host is still there, or
//! that gives a token's host to a second key, or to whoever names its key and cannot sign with it; and of a link that stands,
//! one that takes the run, the question or the look that a message names without asking whether it is the host's own. Each
//! of these is also asked as it works: for the host's own, with the same words.

use std::sync::Arc;

use gateway::{Gateway, GatewayConfig};
use keys::{Context, SigningKey};
use store::Store;
use tokio::sync::watch;
use uuid::Uuid;
use wire::v1::{
    Diagnosed, Down, ENROLL_PATH, Ended, Enroll, JobKey, JobResult, JournalState, LINK_PATH, Observed, PROTOCOL,
    Profile, Progress, Prove, Purpose, Reading, Refused, RefusedReason, ResultBody, Section, Seen, Up, close,
};

use super::{Agent, Cells, Rows, Target, World};
use crate::console::Console;
use crate::gateway::{Peer, hello};

/// A connection that was let in, among the codes of those that were closed.
const LET_IN: u16 = 101;
/// What the beginning and the end of a link change of its own host.
const BY_LINKING: [&str; 6] = ["hosts", "host_links", "tenant_wakeups", "observations", "check_states", "signals"];
/// What the messages below change where they are taken.
const BY_TELLING: [&str; 12] = [
    "jobs",
    "job_results",
    "run_progress",
    "run_output",
    "runs",
    "run_events",
    "remediations",
    "verifications",
    "incidents",
    "outbox",
    "diagnostics",
    "check_requests",
];

/// Asks for every path of the gateway.
pub(super) async fn ask_all(world: &mut World, rows: &mut Rows, cells: &mut Cells) {
    let url = world.console.gateway_url().await;
    rows.changed(&mut world.console.rows).await;
    for path in gateway::routes() {
        match path.as_str() {
            ENROLL_PATH => enrol_all(world, &url, rows, cells).await,
            "/agent/v1/link/{key_id}" => link_all(world, &url, rows, cells).await,
            other => panic!("{other} is not asked here"),
        }
    }
    let leased = "UPDATE jobs SET state = 'leased', lease_expires_at = clock_timestamp() + interval '1 hour',
        permitted_at = NULL, permit_ends_at = NULL, ended_at = NULL, result_digest = NULL";
    tell_all(world, &url, rows, cells, (leased, &["jobs"], refuses)).await;
    // What stands there as canaries is in the way of the first result.
    let permitted = "UPDATE jobs SET state = 'permitted', lease_expires_at = NULL, permitted_at = clock_timestamp(),
          permit_ends_at = clock_timestamp() + interval '1 hour', ended_at = NULL, result_digest = NULL;
        DELETE FROM job_results; DELETE FROM verifications";
    let taken = &["job_results", "run_progress", "diagnostics", "check_requests"];
    tell_all(world, &url, rows, cells, (permitted, taken, answers)).await;
}

impl Console {
    /// Where a gateway of this database answers.
    async fn gateway_url(&self) -> String {
        let node_id = Store::new_id();
        store::nodes::insert(&self.store, node_id).await.unwrap();
        let config = GatewayConfig {
            node_id,
            server_name: "test".into(),
            dispatch_keys: watch::channel(SigningKey::from_bytes(&[8; 32]).into()).1,
            elapsed: crate::support::monotonic(),
            random: Arc::new(|| [5; 32]),
        };
        let router = Gateway::new(self.store.clone(), config).router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("ws://{address}")
    }
}

/// What comes of the token with the key that `names` has, signed by `signs`: the host that it becomes, or the close.
async fn enrol(url: &str, names: &Agent, signs: &Agent, token: &str) -> Result<Uuid, u16> {
    let mut peer = Peer::open(&format!("{url}{ENROLL_PATH}")).await;
    let Ok(Down::Challenge(challenge)) = peer.next().await else { panic!("no challenge") };
    let public_key = names.key.public().to_string();
    let signature = signs.key.sign(Context::Enroll, &Enroll::signed_text(&challenge, &public_key));
    let enroll = Enroll {
        protocol: PROTOCOL,
        agent_version: "1".into(),
        token: token.to_owned(),
        public_key,
        hostname: "matrix".into(),
        profile: Profile::LowRisk,
        machine: None,
        signature,
    };
    peer.send(Up::Enroll(enroll)).await;
    match peer.next().await? {
        Down::Enrolled(enrolled) => Ok(enrolled.host_id),
        other => panic!("{other:?}"),
    }
}

/// Every token with every key, signed by everybody.
async fn enrol_all(world: &mut World, url: &str, rows: &mut Rows, cells: &mut Cells) {
    let World { console, agents, programs, .. } = world;
    let of_agents = agents.iter().map(|agent| (agent.name, agent.token.as_str()));
    let tokens: Vec<_> = of_agents.chain([("the API", programs[0].token.as_str())]).collect();
    let (mut own, mut refused) = (Vec::new(), Vec::new());
    for (whose, token) in tokens {
        for names in &*agents {
            for signs in &*agents {
                let is_own = signs.works && signs.host == names.host && signs.token == token;
                let list = if is_own { &mut own } else { &mut refused };
                list.push((whose, token, names, signs));
            }
        }
    }
    for (whose, token, names, signs) in refused {
        let expected = if signs.host == names.host { close::TOKEN } else { close::HOST_KEY };
        let answer = enrol(url, names, signs, token).await;
        let code = answer.err().unwrap_or(LET_IN);
        cells.add_code(code);
        if code != expected {
            let (names, signs) = (names.name, signs.name);
            cells.wrong.push(format!("the token of {whose} with the key of {names}, signed by {signs}: {code}"));
        }
    }
    refused_changed_nothing("enrolments", rows, console, cells).await;
    for (_, token, names, signs) in own {
        let answer = enrol(url, names, signs, token).await;
        cells.add_code(answer.err().unwrap_or(LET_IN));
        if answer != Ok(signs.host) {
            cells.wrong.push(format!("{} with its own key and token: {answer:?}", signs.name));
        }
    }
    only_own_changed("enrolments", rows, console, cells).await;
}

/// What comes of a link on the path of the key that `names` has, as the host and organization that `says` are said, proven
/// by `signs`.
async fn link(url: &str, names: &Agent, (host_id, tenant): (Uuid, Uuid), signs: &Agent, by: Uuid) -> Result<Peer, u16> {
    let mut peer = Peer::open(&format!("{url}{LINK_PATH}/{}", names.key.public().id())).await;
    let challenge = match peer.next().await? {
        Down::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    };
    let signature = signs.key.sign(Context::Link, &Prove::signed_text(&challenge, tenant, host_id, by));
    peer.send(Up::Prove(Prove { protocol: PROTOCOL, host_id, instance_id: by, signature })).await;
    peer.send(hello(1_000, JournalState::Sound, Some(1))).await;
    match peer.next().await? {
        Down::Welcome(_) => Ok(peer),
        other => panic!("{other:?}"),
    }
}

/// Ends a link; its end is stored then.
async fn part(mut peer: Peer) {
    peer.send(Up::Goodbye { reason: "shutdown".into() }).await;
    peer.until_closed().await;
}

/// Every path as every host of each organization that it could be of, proven by everybody.
async fn link_all(world: &mut World, url: &str, rows: &mut Rows, cells: &mut Cells) {
    let World { console, agents, .. } = world;
    let by = Uuid::from_u128(1);
    for signs in &*agents {
        for names in &*agents {
            for says in &*agents {
                let mut tenants = vec![signs.tenant, names.tenant];
                tenants.dedup();
                for tenant in tenants {
                    let is_own = [names.host, says.host] == [signs.host; 2] && tenant == signs.tenant && signs.works;
                    if is_own {
                        continue;
                    }
                    let code = link(url, names, (says.host, tenant), signs, by).await.err().unwrap_or(LET_IN);
                    cells.add_code(code);
                    if code != close::HOST_KEY {
                        let (signs, names, says) = (signs.name, names.name, says.name);
                        cells.wrong.push(format!("{signs} on the path of {names} as the host of {says}: {code}"));
                    }
                }
            }
        }
    }
    refused_changed_nothing("links", rows, console, cells).await;
    for agent in agents.iter().filter(|agent| agent.works) {
        match link(url, agent, (agent.host, agent.tenant), agent, by).await {
            Ok(peer) => {
                cells.add_code(LET_IN);
                part(peer).await;
            }
            Err(code) => {
                cells.add_code(code);
                cells.wrong.push(format!("{} as its own host: {code}", agent.name));
            }
        }
    }
    only_own_changed("links", rows, console, cells).await;
}

/// How the rows are made before, what is changed by what the host's own agent says, and what is said.
type Told<'a> = (&'static str, &'a [&'static str], fn(&Agent, &Target) -> Vec<Up>);

/// Each agent says these things of what is each host's; those of its own are taken, the others change nothing.
async fn tell_all(world: &mut World, url: &str, rows: &mut Rows, cells: &mut Cells, (made, taken, says): Told<'_>) {
    let World { console, agents, targets, .. } = world;
    console.execute(made.to_owned()).await;
    rows.changed(&mut console.rows).await;
    let alive: Vec<&Agent> = agents.iter().filter(|agent| agent.works).collect();
    for (target, owner) in targets.iter().zip(&alive) {
        assert_eq!(target.organization.host, owner.host, "the agents stand as the targets do");
        // The owner comes last: what it says ends what the others could have ended.
        let others = alive.iter().filter(|agent| agent.host != owner.host);
        for agent in others.chain([owner]) {
            let said = says(agent, target);
            let at = format!("{} of what is {}'s", agent.name, owner.name);
            for _ in &said {
                cells.add_code(LET_IN);
            }
            match link(url, agent, (agent.host, agent.tenant), agent, target.run).await {
                Ok(mut peer) => match tell(&mut peer, said).await {
                    Ok(()) => part(peer).await,
                    Err(code) => cells.wrong.push(format!("{at}: the link was closed with {code}")),
                },
                Err(code) => cells.wrong.push(format!("{at}: no link, {code}")),
            }
            let mut changed = rows.changed(&mut console.rows).await;
            changed.retain(|table| BY_TELLING.contains(&table.as_str()));
            let is_own = agent.host == owner.host;
            if !is_own && !changed.is_empty() {
                cells.wrong.push(format!("{at}: changed rows of {changed:?}"));
            }
            if is_own && !taken.iter().all(|table| changed.iter().any(|name| name == table)) {
                cells.wrong.push(format!("{at}: only {changed:?} changed, and not all of {taken:?}"));
            }
        }
    }
}

/// Says all of it, and waits until the gateway has heard the last.
async fn tell(peer: &mut Peer, said: Vec<Up>) -> Result<(), u16> {
    const LAST: u64 = 99;
    let reading = Reading { check_id: Uuid::from_u128(9), target: "nothing".into(), age_ms: 0, seen: seen() };
    for up in said.into_iter().chain([Up::Observed(Observed { seq: LAST, reading, request_id: None })]) {
        peer.send(up).await;
    }
    loop {
        if let Down::Ack { observed_seq: Some(LAST), .. } = peer.next().await? {
            return Ok(());
        }
    }
}

fn seen() -> Seen {
    Seen::NoData { why: "nobody looked".into() }
}

fn job_of(target: &Target) -> JobKey {
    JobKey { run_id: target.run, purpose: Purpose::Fix, leg: 1, attempt: 1 }
}

/// Declines the job.
fn refuses(_: &Agent, target: &Target) -> Vec<Up> {
    let (job, detail) = (job_of(target), "not this one".to_owned());
    vec![Up::Refused(Refused { job, fence: 1, reason: RefusedReason::HostLimits, detail, reading: None })]
}

/// Output of the job, how it ended, how the host looks, and the look that was asked for; of a job that is another host's
/// also a result in that host's name.
fn answers(agent: &Agent, target: &Target) -> Vec<Up> {
    let (job, host) = (job_of(target), target.organization.host);
    let ended = |host_id: Uuid| {
        let body = ResultBody {
            host_id,
            job,
            fence: 1,
            envelope_digest: "01".into(),
            ended: Ended::Exited { code: 0 },
            steps: Vec::new(),
            output_digest: keys::digest(b"").to_string(),
            output_bytes: 0,
            took_ms: 1,
        };
        let body = keys::to_canonical(&body).unwrap();
        Up::Result(JobResult { signature: agent.key.sign(Context::Result, &body), body, output: String::new() })
    };
    let sections = vec![Section { title: "Load".into(), lines: vec!["none".into()] }];
    let reading = Reading { check_id: target.organization.check, target: "shop-web".into(), age_ms: 0, seen: seen() };
    let mut said = vec![
        // More than is kept of it.
        Up::Progress(Progress { job, fence: 1, offset: 0, bytes: "YWFh".repeat(20) }),
        // Open questions have their host's id.
        Up::Diagnosed(Diagnosed { request_id: host, sections }),
        Up::Observed(Observed { seq: 1, reading, request_id: Some(host) }),
    ];
    if agent.host != host {
        said.push(ended(host));
    }
    said.push(ended(agent.host));
    said
}

async fn refused_changed_nothing(what: &str, rows: &mut Rows, console: &mut Console, cells: &mut Cells) {
    let changed = rows.changed(&mut console.rows).await;
    if !changed.is_empty() {
        cells.wrong.push(format!("{what} that were refused changed rows of {changed:?}"));
    }
}

async fn only_own_changed(what: &str, rows: &mut Rows, console: &mut Console, cells: &mut Cells) {
    let mut changed = rows.changed(&mut console.rows).await;
    changed.retain(|table| !BY_LINKING.contains(&table.as_str()));
    if !changed.is_empty() {
        cells.wrong.push(format!("{what} changed rows of {changed:?}"));
    }
}
