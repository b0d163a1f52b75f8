//! The mail server is down, refuses, or dies at the worst moment: what people must hear reaches them, as one mail.

use server::demo::sink::{Fault, Sink};
use sqlx::Executor as _;

use super::harness::{Bench, HeldPort, Known, OWNER, guarded};

/// A tenant whose service has died, without a known fix; mail goes to a port where nobody listens.
async fn nobody_listens() -> (Bench, HeldPort) {
    let mut bench = Bench::on_test_db(Known::Nothing).await;
    let port = HeldPort::new();
    bench.relay_at(port.addr);
    bench.start_server(vec![]).await;
    bench.enrol().await;
    bench.start_agent(vec![]).await;
    bench.all_is_well().await;
    bench.victim.break_it();
    (bench, port)
}

/// Waits until `holds`, and brings each next attempt forward until then: the pauses between them are the domain's affair.
async fn hurried(bench: &Bench, what: &str, holds: impl AsyncFn() -> bool) {
    let hurry = "WITH hurried AS (UPDATE outbox SET due_at = clock_timestamp()
                   WHERE state = 'queued' AND attempts > 0 AND lease_token IS NULL AND due_at > clock_timestamp() RETURNING tenant_id)
                 INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT tenant_id, 'notify', clock_timestamp() FROM hurried";
    bench
        .until(what, async || {
            bench.rows.execute(hurry).await.expect("a superuser may");
            holds().await
        })
        .await;
}

#[tokio::test]
async fn a_mail_waits_for_its_server_and_is_the_same_mail_at_every_attempt() {
    let (bench, port) = nobody_listens().await;
    let attempts = "SELECT attempts::bigint FROM outbox";
    hurried(&bench, "the mail is tried twice", async || bench.count(attempts).await >= 2).await;
    let waits = "SELECT count(*) FROM outbox WHERE state = 'queued' AND last_error IS NOT NULL";
    assert_eq!(bench.count(waits).await, 1);

    let (_, sink) = Sink::start(port.addr).await.expect("the mail server comes up");
    sink.script(Fault::Message(451));
    sink.script(Fault::DeathInMessage);
    sink.script(Fault::DeathBeforeAnswer);
    // Until it is sent, not until a number of attempts: one more may have found nobody before the mail server came up.
    let sent = "SELECT count(*) FROM outbox WHERE state = 'sent' AND last_error IS NULL";
    hurried(&bench, "the mail counts as sent", async || bench.count(sent).await == 1).await;
    assert!(bench.count(attempts).await >= 6, "twice nobody, three faults, and the last");
    let mails = sink.messages();
    // Kept before the connection died, and again: a receiver sees one mail.
    assert_eq!((mails.len(), mails[0].deliveries), (1, 2));
    assert!(mails[0].subject.starts_with("Needs you:"), "{}", mails[0].subject);
    let ids = sink.transmitted();
    assert_eq!(ids, vec![mails[0].message_id.clone(); 3], "refused, kept without an answer, kept");
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_not_tried_again_and_the_incident_says_so() {
    let (bench, port) = nobody_listens().await;
    let (_, sink) = Sink::start(port.addr).await.expect("the mail server comes up");
    sink.script(Fault::Recipient(550));
    let failed = "SELECT count(*) FROM outbox WHERE state = 'failed' AND last_error LIKE '%550%' AND due_at IS NULL";
    bench.until("the mail has failed", async || bench.count(failed).await == 1).await;
    let page = incident_page(&bench).await;
    assert!(page.contains("not delivered") && page.contains("550"), "{page}");
    assert!(sink.messages().is_empty());
}

/// The relay takes the connection and says nothing; the server is killed over it. Its mail is another's soon.
#[tokio::test]
async fn a_mail_whose_server_dies_in_the_dialogue_is_sent_by_the_next() {
    let mut bench = Bench::on_test_db(Known::Nothing).await;
    let port = HeldPort::new();
    let silent = tokio::net::TcpListener::bind(port.addr).await.expect("the held port");
    bench.relay_at(port.addr);
    bench.start_server(vec![]).await;
    bench.enrol().await;
    bench.start_agent(vec![]).await;
    bench.all_is_well().await;
    bench.victim.break_it();
    let dialogue = guarded("the server connects", silent.accept()).await.expect("a connection");
    let lease = "SELECT extract(epoch FROM lease_expires_at)::bigint FROM outbox WHERE lease_token IS NOT NULL";
    let first = bench.count(lease).await;
    bench.until("the lease is renewed", async || bench.count(lease).await > first).await;
    bench.kill_server().await;
    drop((dialogue, silent));
    let left = "SELECT extract(epoch FROM lease_expires_at - clock_timestamp())::bigint FROM outbox";
    let left = bench.count(left).await;
    assert!((0..=45).contains(&left), "a dead node's mail is another's within 45 s, not {left}");

    let (_, sink) = Sink::start(port.addr).await.expect("the mail server comes up");
    let over = "WITH over AS (UPDATE outbox SET lease_expires_at = clock_timestamp() RETURNING tenant_id)
                INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT tenant_id, 'notify', clock_timestamp() FROM over";
    bench.rows.execute(over).await.expect("a superuser may");
    bench.start_server(vec![]).await;
    let mails = guarded("the mail arrives", sink.wait_for(1)).await;
    assert_eq!((mails.len(), mails[0].deliveries), (1, 1));
}

/// The only incident's page, as the owner sees it.
async fn incident_page(bench: &Bench) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(bench.authority_pem().as_bytes()).expect("a certificate");
    let browser =
        reqwest::Client::builder().cookie_store(true).tls_certs_only([authority]).build().expect("a browser of sorts");
    let form = [("email", OWNER.0), ("password", OWNER.1)];
    let signed_in = browser.post(bench.url("/sign-in")).header("origin", bench.url("")).form(&form).send();
    assert!(signed_in.await.expect("an answer").status().is_success());
    let incident: String = sqlx::query_scalar("SELECT incident_id::text FROM incidents")
        .fetch_one(&bench.rows)
        .await
        .expect("an incident");
    let page = browser.get(bench.url(&format!("/incidents/{incident}"))).send().await.expect("a page");
    page.text().await.expect("its text")
}
