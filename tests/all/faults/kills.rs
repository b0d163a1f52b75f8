//! Kill -9 of agent, runner and server at each named point, each a test.

use super::cases::Case;

async fn holds(case: Case) {
    let played = case.play().await;
    assert_eq!(played.findings, [], "{case:?}");
}

macro_rules! each {
    ($($name:ident: $case:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            holds($case).await;
        })*
    };
}

each! {
    agent_and_server_that_are_stopped_and_started_in_the_middle_of_a_run_lose_nothing: Case::Restart;
    an_agent_that_dies_after_the_lease_costs_nothing: Case::Agent("after_lease");
    an_agent_that_dies_after_its_intent_costs_nothing: Case::Agent("after_intent");
    an_agent_that_dies_before_its_runner_is_there_has_it_fixed_by_a_second_attempt: Case::Agent("after_started");
    a_runner_that_was_stopped_before_it_began_fixes_once_under_the_next_agent: Case::AgentBeside("before_begin");
    an_agent_that_dies_once_the_run_began_is_replaced_and_the_run_goes_on: Case::AgentBeside("after_begin");
    an_agent_that_dies_when_the_step_has_ended_costs_nothing: Case::AgentBeside("after_exit_status");
    an_agent_that_dies_before_it_sends_the_result_sends_it_later: Case::Agent("after_finished");
    a_server_that_dies_after_the_lease_costs_nothing: Case::Server("server_after_lease");
    a_server_that_dies_after_the_permit_costs_nothing: Case::Server("server_after_permit");
    a_server_that_dies_before_its_ack_loses_no_alert: Case::Server("server_before_ack");
    a_server_that_dies_after_the_result_is_stored_does_not_run_it_again: Case::Server("server_after_result");
    one_of_two_servers_that_dies_leaves_its_work_to_the_other: Case::OneOfTwoServers(1);
    the_server_that_dies_with_the_link_leaves_link_and_work_to_the_other: Case::LinkedOfTwoServers(1);
}
