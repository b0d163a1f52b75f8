//! A person's yes or no to a fix that asks first, on the page.

use axum::http::StatusCode;

use super::Console;

/// The hidden plan of the page's form.
fn plan(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"plan\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_may_sees_what_would_run_and_answers_and_who_is_second_is_told() {
    let mut console = Console::new().await;
    let run = console.run("awaiting_approval", "none").await;
    let incident = format!("/incidents/{}", console.ours.incident);
    let path = format!("{incident}/approval");

    let (viewer, viewers) = console.seat("viewer@ours.example").await;
    let (_, _, page) = console.get(&incident, &viewer).await;
    assert!(page.contains("May it run?") && !page.contains("name=\"plan\""), "a viewer sees it and is not asked");
    let (cookie, csrf) = console.seat("sam@ours.example").await;
    let (_, _, page) = console.get(&incident, &cookie).await;
    for words in ["May it run?", "is a no", "Let it run", "Do not run it"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let plan = plan(&page);
    let form = |csrf: &str, plan: &str, answer: &str| {
        format!("csrf={csrf}&run_id={run}&plan={plan}&answer={answer}&reason=known")
    };
    assert_eq!(console.post(&path, &viewer, form(&viewers, &plan, "yes")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.post(&path, &cookie, form(&csrf, &plan, "perhaps")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &cookie, form(&csrf, "12ab", "yes")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(console.post(&path, &cookie, form(&csrf, &"0".repeat(64), "yes")).await.0, StatusCode::CONFLICT);
    assert_eq!(console.count("approvals").await, 0, "another plan is not what was seen");

    assert_eq!(console.post(&path, &cookie, form(&csrf, &plan, "yes")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("runs WHERE state = 'planned'").await, 1);
    assert_eq!(console.count("approvals WHERE answer = 'yes' AND reason = 'known'").await, 1);
    assert_eq!(console.post(&path, &cookie, form(&csrf, &plan, "no")).await.0, StatusCode::CONFLICT);
    assert_eq!(console.count("run_events WHERE cause = 'A member said yes: known'").await, 1);
    let (_, _, page) = console.get(&incident, &cookie).await;
    assert!(!page.contains("May it run?"));
}
