//! `make faults CYCLES=n`: every kill case n times, each time in another order; a line of JSON says what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use super::cases::{Case, DOUBTS, KILLS, Played};
use super::database::How;
use super::judge::{Doubt, Finding};

/// Benches at once; most of a case is waiting.
const AT_ONCE: usize = 3;
/// Cases a cycle in which agent or server, or PostgreSQL, die at a random moment.
const ANY_MOMENTS: usize = 4;

/// The last line.
#[derive(Debug, Default, Serialize)]
struct Report {
    seed: u64,
    cycles: u64,
    cases: usize,
    effects: usize,
    doubled: usize,
    lost: usize,
    silent: usize,
    wrong: usize,
    in_doubt: usize,
    /// From the death to everything being as promised, by case.
    median_recovery_ms: BTreeMap<String, u128>,
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

#[expect(clippy::disallowed_methods, reason = "without a seed from outside, another one each time; it is printed")]
fn fresh_seed() -> u64 {
    rand::random()
}

#[tokio::test]
#[ignore = "long; make faults runs it"]
async fn no_fix_is_doubled_or_lost_in_any_order_of_deaths() {
    let cycles = setting("MENDWRIGHT_FAULTS_CYCLES").unwrap_or(1);
    let seed = setting("MENDWRIGHT_FAULTS_SEED").unwrap_or_else(fresh_seed);
    let mut report = Report { seed, cycles, ..Report::default() };
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for cycle in 0..cycles {
        let seed = seed.wrapping_add(cycle);
        eprintln!("cycle {} of {cycles}, MENDWRIGHT_FAULTS_SEED={seed}", cycle + 1);
        let mut rng = StdRng::seed_from_u64(seed);
        let mut cases = [KILLS, DOUBTS].concat();
        cases.extend([Case::Restart, Case::Database(How::Stopped), Case::Database(How::Killed)]);
        cases.extend((0..ANY_MOMENTS).map(|_| Case::AnyMoment(rng.random())));
        cases.extend((0..ANY_MOMENTS).map(|_| Case::OneOfTwoServers(rng.random())));
        cases.extend((0..ANY_MOMENTS).map(|_| Case::LinkedOfTwoServers(rng.random())));
        cases.extend((0..ANY_MOMENTS).map(|_| Case::DatabaseAnyMoment(rng.random())));
        cases.shuffle(&mut rng);
        let mut playing = stream::iter(cases).map(play).buffer_unordered(AT_ONCE);
        while let Some((case, played)) = playing.next().await {
            eprintln!(
                "  {case:?}: {} effects, {} ms {:?}",
                played.effects,
                played.recovery.as_millis(),
                played.findings
            );
            times.entry(case.name()).or_default().push(played.recovery);
            report.add(case, &played);
        }
    }
    report.median_recovery_ms = times.into_iter().map(|(case, times)| (case, median(times))).collect();
    let line = serde_json::to_string(&report).expect("JSON");
    println!("{line}");
    if let Ok(file) = std::env::var("MENDWRIGHT_FAULTS_REPORT") {
        std::fs::write(file, format!("{line}\n")).expect("the report is written");
    }
    assert_eq!(report.doubled + report.lost + report.silent + report.wrong, 0, "{line}");
}

async fn play(case: Case) -> (Case, Played) {
    (case, case.play().await)
}

impl Report {
    fn add(&mut self, case: Case, played: &Played) {
        self.cases += 1;
        self.effects += played.effects;
        self.in_doubt += usize::from(case.promise().doubt == Doubt::Yes);
        for finding in &played.findings {
            match finding {
                Finding::Doubled(_) => self.doubled += 1,
                Finding::Lost(_) => self.lost += 1,
                Finding::Silent(_) => self.silent += 1,
                Finding::Wrong(_) => self.wrong += 1,
            }
        }
    }
}

fn median(mut times: Vec<Duration>) -> u128 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0, Duration::as_millis)
}
