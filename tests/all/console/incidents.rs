//! The list of incidents: what its filters find, and that its pages lose and double nothing.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use store::Store;
use uuid::Uuid;

use super::Console;

impl Console {
    /// An incident of ours with an alert on a host, and a run in a state to choose; its id.
    async fn incident(&mut self, title: &str, opened: &str, stands: (&str, &str), run: &str) -> Uuid {
        let (state, outcome) = stands;
        let (tenant, client, host, check) = (self.ours.tenant, self.ours.client, self.ours.host, self.ours.check);
        let id = Store::new_id();
        let ended = |is: bool| if is { format!("timestamptz '{opened}'") } else { "NULL".to_owned() };
        let told = if state == "escalated" { format!("'{opened}', 'Look.'") } else { "NULL, NULL".to_owned() };
        let done = outcome.replace("open", "");
        let outcome = if done.is_empty() { "NULL".to_owned() } else { format!("'{done}'") };
        let closed = ended(state == "closed");
        self.execute(format!(
            "INSERT INTO incidents (tenant_id, client_id, incident_id, title, severity, state, opened_at, closed_at, outcome, escalated_at, escalation_reason)
               VALUES ('{tenant}', '{client}', '{id}', '{title}', 'critical', '{state}', '{opened}', {closed}, {outcome}, {told});
             INSERT INTO alerts (tenant_id, client_id, alert_id, incident_id, host_id, check_id, target, fingerprint, severity, state, opened_at, closed_at, close_cause, newest_version)
               VALUES ('{tenant}', '{client}', '{id}', '{id}', '{host}', '{check}', 'x', decode(replace('{id}', '-', ''), 'hex'), 'critical',
                 CASE WHEN '{state}' = 'closed' THEN 'closed' ELSE 'open' END, '{opened}', {closed}, {outcome}, 1);"
        ))
        .await;
        if !run.is_empty() {
            let is_over = matches!(run, "observed" | "fixed" | "not_fixed");
            let begun = ended(matches!(run, "running" | "fixed" | "not_fixed" | "unknown"));
            let (over, held) = (ended(is_over), ended(run == "held"));
            self.execute(format!(
                "INSERT INTO remediations (tenant_id, client_id, remediation_id, alert_id, incident_id, mapping_id, mapping_version, opened_at)
                   SELECT '{tenant}', '{client}', '{id}', '{id}', '{id}', mapping_id, 1, '{opened}' FROM mappings WHERE tenant_id = '{tenant}';
                 INSERT INTO runs (tenant_id, client_id, run_id, remediation_id, alert_id, incident_id, host_id, check_id, target, rung, playbook_id, playbook_digest, parameters, mode, state, attempt, planned_at, admitted_at, started_at, ended_at, due_at, hold_reason)
                   SELECT '{tenant}', '{client}', '{id}', '{id}', '{id}', '{id}', '{host}', '{check}', 'x', 1, playbook_id, digest, '{{}}', 'auto', '{run}', 1, '{opened}',
                     {begun}, {begun}, {over}, {held}, CASE WHEN '{run}' = 'held' THEN 'held' END FROM playbook_versions WHERE tenant_id = '{tenant}';"
            ))
            .await;
        }
        id
    }
}

/// The incidents a page lists, in its order.
fn listed(page: &str) -> Vec<Uuid> {
    let links = page.split("<a href=\"/incidents/").skip(1);
    links.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
}

/// Where the page's "Older" leads.
fn older(page: &str) -> Option<String> {
    let link = page.split_once("rel=\"next\" href=\"")?.1.split('"').next()?;
    Some(link.replace("&#38;", "&").replace("&amp;", "&"))
}

#[tokio::test]
async fn each_state_finds_the_incidents_that_say_so_and_no_other() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let mut all = vec![console.ours.incident];
    for (state, outcome, run) in [
        ("open", "", "held"),
        ("open", "", "observed"),
        ("open", "", "running"),
        ("open", "", "unknown"),
        ("open", "", "awaiting_approval"),
        ("escalated", "", ""),
        ("escalated", "", "held"),
        ("escalated", "", "observed"),
        ("escalated", "", "not_fixed"),
        ("closed", "fixed", "fixed"),
        ("closed", "recovered", ""),
        ("closed", "recovered", "observed"),
        ("closed", "by_person", "unknown"),
        ("closed", "by_person", "held"),
    ] {
        all.push(console.incident("one", "2026-11-20T10:00:00Z", (state, outcome), run).await);
    }
    let mut found = Vec::new();
    for (word, says, n) in [
        ("needs-you", "needs you", 5),
        ("held", "held", 2),
        ("healing", "healing", 2),
        ("watching-only", "watching only", 1),
        ("fixed", "fixed", 1),
        ("recovered-by-itself", "recovered by itself", 2),
        ("by-a-person", "closed", 2),
    ] {
        let (status, _, page) = console.get(&format!("/incidents?state={word}"), &cookie).await;
        assert_eq!(status, StatusCode::OK);
        let ids = listed(&page);
        assert_eq!(ids.len(), n, "{word}");
        // The word beside each is made from the facts, not from the filter.
        let said = page.matches("<td class=\"said\">").count();
        assert_eq!((said, page.matches(&format!(">{says}</span></td>")).count()), (n, n), "{word}");
        assert!(page.contains(&format!("{n} in all")) || n == 1 && page.contains("one in all"), "{word}");
        found.extend(ids);
    }
    found.sort();
    all.sort();
    assert_eq!(found, all, "each stands in exactly one state");
    for (word, n) in [("open", 10), ("closed", 5)] {
        let (_, _, page) = console.get(&format!("/incidents?state={word}"), &cookie).await;
        assert_eq!(listed(&page).len(), n, "{word}");
    }
}

#[tokio::test]
async fn pages_of_the_list_lose_and_double_nothing_even_among_equal_times() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let mut all = BTreeSet::from([console.ours.incident]);
    for n in 0..130 {
        let (state, outcome) = if n % 3 == 0 { ("open", "") } else { ("closed", "fixed") };
        // Twenty of them open at one instant, to the microsecond.
        let at = format!("2026-11-20T10:00:00.00000{}Z", n / 20);
        all.insert(console.incident("one of many", &at, (state, outcome), "").await);
    }
    for (start, n) in
        [("/incidents", 131_usize), ("/incidents?state=closed", 86), ("/incidents?host=ours-h&state=open", 45)]
    {
        let (mut seen, mut at, mut pages) = (Vec::new(), Some(start.to_owned()), 0);
        while let Some(path) = at {
            let (status, _, page) = console.get(&path, &cookie).await;
            assert_eq!(status, StatusCode::OK);
            assert!(page.contains(&format!("{n} in all")), "{path}");
            seen.extend(listed(&page));
            (at, pages) = (older(&page), pages + 1);
        }
        assert_eq!((seen.len(), pages), (n, n.div_ceil(50)), "{start}");
        let unique: BTreeSet<_> = seen.into_iter().collect();
        assert_eq!(unique.len(), n, "{start}");
        assert!(unique.is_subset(&all));
    }
}

#[tokio::test]
async fn client_host_kind_and_days_narrow_the_list_and_chips_widen_it_again() {
    let mut console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    let client = console.ours.client;
    let old = console.incident("an old one", "2026-10-31T23:59:59Z", ("closed", "fixed"), "").await;
    let next = console.incident("the next", "2026-11-01T00:00:00Z", ("closed", "fixed"), "").await;
    let first = console.ours.incident;
    for (query, wanted) in [
        (format!("client={client}"), vec![first, next, old]),
        ("host=OURS-HO".to_owned(), vec![first, next, old]),
        ("host=ours_ho".to_owned(), vec![]),
        ("host=%25".to_owned(), vec![]),
        ("kind=service".to_owned(), vec![first, next, old]),
        ("to=2026-10-31".to_owned(), vec![old]),
        ("from=2026-11-01&to=2026-11-01".to_owned(), vec![next]),
        ("state=&client=&host=&kind=&from=&to=2026-11-01".to_owned(), vec![next, old]),
    ] {
        let (status, _, page) = console.get(&format!("/incidents?{query}"), &cookie).await;
        assert_eq!((status, listed(&page)), (StatusCode::OK, wanted.clone()), "{query}");
        if wanted.is_empty() {
            assert!(page.contains("Nothing matches") && page.contains("href=\"/incidents\""), "{query}");
        }
    }
    let (_, _, page) = console.get(&format!("/incidents?state=fixed&client={client}"), &cookie).await;
    assert!(page.contains("class=\"chip\" href=\"/incidents?state=fixed\""), "a chip leads to the list without it");
    assert!(page.contains(&format!("class=\"chip\" href=\"/incidents?client={client}\"")));
}

#[tokio::test]
async fn a_field_that_cannot_be_read_is_named_and_nothing_is_listed() {
    let console = Console::new().await;
    let cookie = console.sign_in("sam@ours.example").await;
    for (query, says) in [
        ("state=broken", "“state”"),
        ("kind=weather", "“kind”"),
        ("client=1", "“client”"),
        ("from=1.11.2026", "“from”"),
        ("to=2026-13-01", "“to”"),
        ("after=open", "“after”"),
        ("after=closed.9223372036854775807.00000000000000000000000000000000", "“after”"),
        ("page=2", "“page”"),
        ("%3Cb%3E=2", "&#60;b&#62;"),
        ("state=open&state=held", "“state”"),
    ] {
        let (status, _, page) = console.get(&format!("/incidents?{query}"), &cookie).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(page.contains(says) && listed(&page).is_empty(), "{query}");
    }
}

#[tokio::test]
async fn no_filter_shows_somebody_elses_incident_and_their_client_is_nobodys() {
    let console = Console::new().await;
    let cookie = console.sign_in("tess@theirs.example").await;
    let theirs = vec![console.theirs.incident];
    for (query, wanted) in [
        ("host=host", theirs.clone()),
        ("host=ours", vec![]),
        ("kind=service", theirs.clone()),
        ("state=open", theirs.clone()),
        ("from=2000-01-01", theirs),
    ] {
        let (_, _, page) = console.get(&format!("/incidents?{query}"), &cookie).await;
        assert_eq!(listed(&page), wanted, "{query}");
        assert!(!page.contains("Ours"), "{query}");
    }
    let plain = |(status, headers, body): super::strangers::Answer| {
        (status, body.replace(headers["x-request-id"].to_str().unwrap(), ""))
    };
    let ours = plain(console.get(&format!("/incidents?client={}", console.ours.client), &cookie).await);
    let nobodys = plain(console.get(&format!("/incidents?client={}", Uuid::from_u128(5)), &cookie).await);
    assert_eq!(ours.0, StatusCode::NOT_FOUND);
    assert_eq!(ours, nobodys);
}

#[tokio::test]
async fn a_clients_own_person_reads_that_somebody_was_told_and_no_address_of_ours() {
    let mut console = Console::new().await;
    let (tenant, client, incident) = (console.ours.tenant, console.ours.client, console.ours.incident);
    console.execute(format!(
        "UPDATE incidents SET state = 'escalated', escalated_at = clock_timestamp(), escalation_reason = 'x' WHERE tenant_id = '{tenant}';
         INSERT INTO contacts (tenant_id, client_id, contact_id, name, email, is_told) VALUES ('{tenant}', '{client}', '{incident}', 'Ana', 'ana@client.example', true);
         INSERT INTO outbox (tenant_id, client_id, outbox_id, incident_id, kind, message_id, address, state, created_at, ended_at, sender, subject, html, body_text)
           SELECT '{tenant}', '{client}', gen_random_uuid(), '{incident}', 'needs_you', a, a, 'sent', t, t, '', 'It is down', '', ''
           FROM (SELECT clock_timestamp()) x (t), unnest(ARRAY['ana@client.example', 'night@ours.example', 'day@ours.example']) a"
    ))
    .await;
    let page = format!("/incidents/{incident}");
    let technician = console.sign_in("sam@ours.example").await;
    let story = console.get(&page, &technician).await.2;
    for address in ["ana@client.example", "night@ours.example", "day@ours.example"] {
        assert!(story.contains(address), "{address}: {story}");
    }
    console
        .execute(format!(
            "UPDATE memberships SET role = 'client_viewer', client_ids = ARRAY['{client}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'viewer'"
        ))
        .await;
    let theirs = console.sign_in("viewer@ours.example").await;
    let story = console.get(&page, &theirs).await.2;
    assert!(story.contains("ana@client.example") && !story.contains("@ours.example"), "{story}");
    assert_eq!(story.matches("whoever is on call").count(), 1, "said once, however many they are: {story}");
    let board = console.get("/", &theirs).await.2;
    assert!(board.contains("whoever is on call told") && !board.contains("@ours.example"), "{board}");
}
