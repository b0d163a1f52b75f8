//! The kill cases: what is done to whom and when, and what is promised all the same.

use std::time::Duration;

use agent::journal::{Entry, Journal, Opened};
use nix::sys::signal::{Signal, kill};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::database::{How, OwnCluster};
use super::harness::{Bench, Env, Known, go_on};
use super::judge::{Doubt, End, Finding, Promise, judge};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// The agent kills itself at a point of its own.
    Agent(&'static str),
    /// The runner stops itself at a point, the agent is killed and replaced, and the runner goes on.
    AgentBeside(&'static str),
    /// The runner kills itself at a point.
    Runner(&'static str),
    /// The server kills itself at a point.
    Server(&'static str),
    /// The runner is killed while its step is at work; the step goes on, and nobody will know how it ended.
    RunnerInStep,
    /// Agent and server are stopped in order while the fix is at work, and started again.
    Restart,
    /// One of two servers on the same rows is killed at a moment drawn from this seed, and does not come back.
    OneOfTwoServers(u64),
    /// The one of two servers that holds the agent's link is killed at a moment drawn from this seed; the agent comes to
    /// the other.
    LinkedOfTwoServers(u64),
    /// PostgreSQL ends while the fix is at work, and comes back once the host has a result that nobody can store.
    Database(How),
    /// PostgreSQL is killed at a moment drawn from this seed, and comes back.
    DatabaseAnyMoment(u64),
    /// Agent and server are killed at moments and in an order drawn from this seed.
    AnyMoment(u64),
}

/// Every case but those of a run in doubt.
pub const KILLS: &[Case] = &[
    Case::Agent("after_lease"),
    Case::Agent("after_intent"),
    Case::Agent("after_started"),
    Case::AgentBeside("before_begin"),
    Case::AgentBeside("after_begin"),
    Case::AgentBeside("after_exit_status"),
    Case::Agent("after_finished"),
    Case::Server("server_after_lease"),
    Case::Server("server_after_permit"),
    Case::Server("server_before_ack"),
    Case::Server("server_after_result"),
];

/// How often somebody dies at any moment.
const DEATHS: i16 = 2;

/// The cases that leave a run in doubt.
pub const DOUBTS: &[Case] = &[Case::Runner("after_begin"), Case::RunnerInStep, Case::Runner("before_exit_status")];

/// What came of a case.
#[derive(Debug)]
pub struct Played {
    /// How often the fix took place.
    pub effects: usize,
    /// From the death to everything being as promised.
    pub recovery: Duration,
    /// Broken promises.
    pub findings: Vec<Finding>,
}

impl Case {
    /// Its name in reports.
    pub fn name(self) -> String {
        match self {
            Case::Agent(point) => format!("agent_{point}"),
            Case::AgentBeside(point) => format!("agent_beside_runner_{point}"),
            Case::Runner(point) => format!("runner_{point}"),
            Case::Server(point) => point.to_owned(),
            Case::RunnerInStep => "runner_in_step".to_owned(),
            Case::Restart => "restart".to_owned(),
            Case::OneOfTwoServers(_) => "one_of_two_servers".to_owned(),
            Case::LinkedOfTwoServers(_) => "linked_of_two_servers".to_owned(),
            Case::Database(How::Stopped) => "database_stopped".to_owned(),
            Case::Database(How::Killed) => "database_killed".to_owned(),
            Case::DatabaseAnyMoment(_) => "database_any_moment".to_owned(),
            Case::AnyMoment(_) => "any_moment".to_owned(),
        }
    }

    /// What is promised.
    pub fn promise(self) -> Promise {
        let fixed = Promise { effects: 1, end: End::Fixed, attempts: 1..=1, doubt: Doubt::No, deliveries: 1..=1 };
        match self {
            // No runner is left that could begin: the server is told, and admits anew.
            Case::Agent("after_started") => Promise { attempts: 2..=2, ..fixed },
            // Continued more than 15 s after its permit was asked for, the runner begins nothing.
            Case::AgentBeside("before_begin") => Promise { attempts: 1..=2, ..fixed },
            // Each death may leave an attempt that never began.
            Case::AnyMoment(_) | Case::DatabaseAnyMoment(_) => {
                Promise { attempts: 1..=1 + DEATHS, deliveries: 1..=2, ..fixed }
            }
            Case::Runner("after_begin") => Promise { effects: 0, end: End::Escalated, doubt: Doubt::Yes, ..fixed },
            // What the step still does after the verdict is not taken for ours.
            Case::RunnerInStep => Promise { end: End::Escalated, doubt: Doubt::Yes, ..fixed },
            Case::OneOfTwoServers(_) => Promise { deliveries: 1..=2, ..fixed },
            // A permit that was given with the server's last breath may be too old when it is asked for again.
            Case::LinkedOfTwoServers(_) => Promise { attempts: 1..=2, deliveries: 1..=2, ..fixed },
            Case::Runner(_) => Promise { doubt: Doubt::Yes, ..fixed },
            _ => fixed,
        }
    }

    /// Plays it on a bench of its own.
    pub async fn play(self) -> Played {
        let mut bench = self.bench().await;
        let since = self.strike(&mut bench).await;
        let findings = judge(&mut bench, &self.promise()).await;
        let recovery = now().saturating_sub(since);
        Played { effects: bench.victim.ledger().len(), recovery, findings }
    }

    async fn bench(self) -> Bench {
        let mut bench = match self {
            Case::Database(_) | Case::DatabaseAnyMoment(_) => Bench::on_own_cluster(Known::Fix).await,
            _ => Bench::on_test_db(Known::Fix).await,
        };
        let marker = bench.path("marker").display().to_string();
        let (server, agent): (Env, Env) = match self {
            Case::Agent(point) | Case::Runner(point) => {
                (vec![], vec![("MENDWRIGHT_CRASH", point.into()), ("MENDWRIGHT_CRASH_ONCE", marker)])
            }
            Case::AgentBeside(point) => {
                (vec![], vec![("MENDWRIGHT_STOP", point.into()), ("MENDWRIGHT_CRASH_ONCE", marker)])
            }
            Case::Server(point) => {
                (vec![("MENDWRIGHT_SERVER_CRASH", point.into()), ("MENDWRIGHT_SERVER_CRASH_ARMED", marker)], vec![])
            }
            _ => (vec![], vec![]),
        };
        bench.start_server(server).await;
        bench.enrol().await;
        bench.start_agent(agent).await;
        bench.all_is_well().await;
        bench
    }

    /// Breaks the service, sees the death and brings the dead back; gives the time of the death.
    async fn strike(self, bench: &mut Bench) -> Duration {
        let marker = bench.path("marker");
        let links = bench.links().await;
        match self {
            Case::Agent(point) => {
                bench.victim.break_it();
                bench.agent_dies(point).await;
                let since = now();
                bench.start_agent(vec![]).await;
                since
            }
            Case::AgentBeside(_) => {
                bench.victim.break_it();
                let runner = bench.stopped(&marker).await;
                bench.kill_agent().await;
                let since = now();
                bench.start_agent(vec![]).await;
                bench.until("the new agent is linked", async || bench.links().await > links).await;
                go_on(runner);
                since
            }
            Case::Runner(_) => {
                bench.victim.break_it();
                bench.stopped(&marker).await;
                now()
            }
            Case::Server(point) => {
                std::fs::write(&marker, "").expect("the point is armed");
                bench.victim.break_it();
                bench.server_dies(point).await;
                let since = now();
                bench.start_server(vec![]).await;
                since
            }
            Case::RunnerInStep => {
                fix_at_work(bench).await;
                kill(bench.runner(), Signal::SIGKILL).expect("it runs");
                now()
            }
            Case::Restart => {
                fix_at_work(bench).await;
                bench.stop_both().await;
                let since = now();
                bench.start_server(vec![]).await;
                bench.start_agent(vec![]).await;
                bench.victim.open_gate();
                since
            }
            Case::OneOfTwoServers(seed) => {
                bench.start_second_server().await;
                bench.victim.break_it();
                pause(&mut StdRng::seed_from_u64(seed)).await;
                bench.kill_second_server().await;
                now()
            }
            Case::LinkedOfTwoServers(seed) => {
                bench.start_second_server().await;
                bench.victim.break_it();
                pause(&mut StdRng::seed_from_u64(seed)).await;
                bench.kill_server_and_lead_to_second().await;
                now()
            }
            Case::Database(how) => {
                fix_at_work(bench).await;
                cluster(bench).end(how).await;
                bench.victim.open_gate();
                bench.until("the host has a result", async || has_finished(bench)).await;
                let since = now();
                cluster(bench).start().await;
                since
            }
            Case::DatabaseAnyMoment(seed) => {
                bench.victim.break_it();
                pause(&mut StdRng::seed_from_u64(seed)).await;
                cluster(bench).end(How::Killed).await;
                let since = now();
                cluster(bench).start().await;
                since
            }
            Case::AnyMoment(seed) => {
                bench.victim.break_it();
                let since = now();
                any_moment(bench, seed).await;
                since
            }
        }
    }
}

fn cluster(bench: &mut Bench) -> &mut OwnCluster {
    bench.cluster.as_mut().expect("a cluster of its own")
}

/// Breaks the service, and waits until its start command has left its line and stands at the gate.
async fn fix_at_work(bench: &Bench) {
    bench.victim.close_gate();
    bench.victim.break_it();
    bench.until("the fix is at work", async || !bench.victim.ledger().is_empty()).await;
}

/// Whether the agent has a result of its own to tell.
fn has_finished(bench: &Bench) -> bool {
    match Journal::open(&bench.path("agent/journal")) {
        Ok(Opened::Whole(_, entries)) => entries.iter().any(|entry| matches!(entry, Entry::Finished { .. })),
        _ => false,
    }
}

/// The moment is what is tried; nothing is waited for.
async fn pause(rng: &mut StdRng) {
    tokio::time::sleep(Duration::from_micros(rng.random_range(0..1_500_000))).await;
}

/// Kills, twice: one or the other or both, and brings back what died.
async fn any_moment(bench: &mut Bench, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..DEATHS {
        pause(&mut rng).await;
        let who = rng.random_range(0..3);
        if who != 0 {
            bench.kill_agent().await;
        }
        if who != 1 {
            bench.kill_server().await;
            bench.start_server(vec![]).await;
        }
        if who != 0 {
            bench.start_agent(vec![]).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real parts are driven, and how long they take is told")]
fn now() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
