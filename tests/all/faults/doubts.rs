//! The runner dies while its step is open: nobody knows whether the fix took place. It is never run again; the same
//! check decides.

use super::cases::Case;

async fn holds(case: Case) {
    let played = case.play().await;
    assert_eq!(played.findings, [], "{case:?}");
}

#[tokio::test]
async fn a_runner_that_dies_before_its_step_is_in_doubt_and_a_person_is_called() {
    holds(Case::Runner("after_begin")).await;
}

#[tokio::test]
async fn a_runner_that_dies_after_its_step_is_in_doubt_and_the_check_says_that_it_is_fixed() {
    holds(Case::Runner("before_exit_status")).await;
}

#[tokio::test]
async fn a_runner_that_dies_over_a_step_that_goes_on_is_in_doubt_and_a_person_is_called() {
    holds(Case::RunnerInStep).await;
}
