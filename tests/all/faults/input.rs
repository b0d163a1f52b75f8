//! Bad input from hosts: tokens that are wrong or used up, clocks that are off by years.

use std::path::PathBuf;
use std::process::Command;

use super::harness::{Bench, Env, Known};
use super::judge::{Doubt, End, Promise, judge};

#[tokio::test]
async fn a_wrong_or_used_token_is_refused_in_one_clear_line() {
    let mut bench = Bench::on_test_db(Known::Fix).await;
    bench.start_server(vec![]).await;
    let wrong = format!("{}x", bench.token());
    let refused = [
        (wrong.as_str(), "stranger", "the enrolment token is unknown, used up, expired or revoked; make a new one"),
        (bench.token(), "second", "the enrolment token was used by another machine; make a new one"),
    ];
    bench.enrol().await;
    for (token, state, why) in refused {
        let output = bench.enrol_with(token, state, vec![]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said, format!("mendwright-agent: the server refused: {why}\n"));
    }
    // The machine that used it is answered again: its first answer may have been lost.
    let again = bench.enrol_with(bench.token(), "agent", vec![]).await;
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(bench.count("SELECT count(*) FROM hosts").await, 1);
}

/// Adds to the wall clock of the program it is loaded into, and to nothing else.
const SHIM: &str = "
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = syscall(SYS_clock_gettime, clock, time);
  char *years = getenv(\"YEARS_OFF\");
  if (!failed && clock == CLOCK_REALTIME && years) time->tv_sec += atol(years) * 31556952;
  return failed;
}
";

/// The variables that put a program's wall clock off.
fn years_off(bench: &Bench, years: i32) -> Env {
    let (source, shim): (PathBuf, PathBuf) = (bench.path("shim.c"), bench.path("shim.so"));
    if !shim.exists() {
        std::fs::write(&source, SHIM).expect("the shim's source");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).status();
        assert!(built.expect("cc is there, as Rust needs it").success());
    }
    vec![("LD_PRELOAD", shim.display().to_string()), ("YEARS_OFF", years.to_string())]
}

#[tokio::test]
async fn an_agent_whose_clock_is_off_by_years_is_healed_as_any_other() {
    let mut bench = Bench::on_test_db(Known::Fix).await;
    bench.start_server(vec![]).await;
    bench.enrol_under(years_off(&bench, -20)).await;
    let env = years_off(&bench, 30);
    bench.start_agent(env).await;
    bench.all_is_well().await;
    bench.victim.break_it();
    let promise = Promise { effects: 1, end: End::Fixed, attempts: 1..=1, doubt: Doubt::No, deliveries: 1..=1 };
    assert_eq!(judge(&mut bench, &promise).await, []);
    let log = std::fs::read_to_string(bench.path("agent.log")).expect("the agent's log");
    let year = |line: &str| line.get(..4).and_then(|year| year.parse::<i32>().ok());
    let far = log.lines().filter_map(year).all(|year| year >= 2050);
    assert!(far && !log.is_empty(), "the clock was not off: {log}");
}
