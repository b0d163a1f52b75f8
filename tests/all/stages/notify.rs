//! Mails: queued with what happened, composed when sent.

use std::sync::Arc;

use domain::detect::reading::Verdict;
use engine::lease::Stage as _;
use engine::notify::{Notify, Own};
use mail::{Mailer, Memory};
use store::remediate::hands_off;

use super::world::{Setup, World};

/// Relays of organizations may be on this machine.
pub fn own() -> Own {
    let egress = probe::Egress::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let connector = probe::Connector::new(egress, probe::Names::system(), crate::support::monotonic()).unwrap();
    Own { connector, master: Arc::new(keys::seal::MasterKey::from_bytes([7; 32])) }
}

fn stage() -> (Notify, Arc<Mailer>) {
    let mailer = Arc::new(Mailer::Memory(Memory::default()));
    let notify = Notify {
        mailer: mailer.clone(),
        sender: "Mendwright <mend@harbour.example>".into(),
        public_url: "https://mend.harbour.example".into(),
        own: own(),
    };
    (notify, mailer)
}

/// A host broke in a way that nobody mapped: a mail waits to be sent.
pub async fn calling() -> (World, Notify, Arc<Mailer>) {
    let mut w = World::new(Setup { mode: None, ..Setup::default() }).await;
    let (notify, mailer) = stage();
    w.breaks(w.hosts[0]).await;
    w.settle().await;
    (w, notify, mailer)
}

pub fn sent(mailer: &Mailer) -> Vec<mail::Envelope> {
    match mailer {
        Mailer::Memory(memory) => memory.sent(),
        Mailer::Smtp(_) => unreachable!("these tests send into memory"),
    }
}

fn fails(mailer: &Mailer, failure: mail::SendError) {
    if let Mailer::Memory(memory) = mailer {
        memory.fail_next(failure);
    }
}

fn transient() -> mail::SendError {
    mail::SendError::Transient { reason: "RCPT: 451 try later".into() }
}

#[tokio::test]
async fn what_needs_a_person_is_told_at_once_with_the_reason_and_a_link() {
    let (mut w, notify, mailer) = calling().await;
    w.work(&notify).await;
    let mails = sent(&mailer);
    assert_eq!(mails.len(), 1);
    let (mail, incident) = (&mails[0], w.one::<uuid::Uuid>("SELECT incident_id FROM incidents").await);
    assert_eq!(mail.subject, "Needs you: shop on h1 (Alder) — no known fix");
    assert_eq!((mail.to.as_str(), mail.from.as_str()), ("oncall@harbour.example", "Mendwright <mend@harbour.example>"));
    let id = format!("<needs_you.{}.", incident.simple());
    assert!(mail.message_id.starts_with(&id) && mail.message_id.ends_with("@harbour.example>"), "{}", mail.message_id);
    for part in [&mail.text, &mail.html] {
        assert!(part.contains(&format!("https://mend.harbour.example/incidents/{incident}")), "{part}");
        assert!(part.contains("nothing was touched"), "{part}");
    }
    w.work(&notify).await;
    assert_eq!(sent(&mailer).len(), 1, "once");
}

#[tokio::test]
async fn a_fix_is_told_with_what_broke_what_ran_and_how_it_reads_now() {
    let mut w = World::new(Setup::default()).await;
    let (notify, mailer) = stage();
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Ok).await;
    w.work(&notify).await;
    let mails = sent(&mailer);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].subject.starts_with("Fixed: shop on h1 (Alder) — back in "), "{}", mails[0].subject);
    for words in [
        "Shop runs: failed",
        "Start a failed service again (version 1)",
        "failed → running",
        "stable for 3 s",
        "first five times",
    ] {
        let flat = mails[0].text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}: {flat}");
    }
}

#[tokio::test]
async fn a_hold_by_a_person_is_told_at_once_and_its_end_as_fixed() {
    let mut w = World::new(Setup::default()).await;
    let (notify, mailer) = stage();
    let host = w.hosts[0];
    let mut tx = w.tx().await;
    hands_off::insert(&mut tx, host.whose(), 1, "a disk is replaced", "Owner").await.unwrap();
    tx.commit().await.unwrap();
    w.breaks(host).await;
    w.settle().await;
    w.work(&notify).await;
    assert_eq!(sent(&mailer)[0].subject, "Held: shop on h1 (Alder) — hands off by Owner");
    assert!(sent(&mailer)[0].text.contains("a disk is replaced"));
    let mut tx = w.tx().await;
    hands_off::release(&mut tx, host.whose(), "Owner").await.unwrap();
    tx.commit().await.unwrap();
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Ok).await;
    w.work(&notify).await;
    let subjects: Vec<String> = sent(&mailer).into_iter().map(|m| m.subject).collect();
    assert!(subjects.len() == 2 && subjects[1].starts_with("Fixed: "), "{subjects:?}");
}

#[tokio::test]
async fn a_cooldown_is_told_only_if_it_still_holds_after_ten_minutes() {
    let limits = "  host_playbook: {cooldown_secs: 3600, per_day: 9}\n";
    for (pass, told) in [(599, 0), (601, 1)] {
        let mut w = World::new(Setup { limits, ..Setup::default() }).await;
        let (notify, mailer) = stage();
        let host = w.hosts[0];
        w.breaks(host).await;
        w.settle().await;
        let key = w.permit(host).await;
        w.plays_out(host, &key, Verdict::Ok).await;
        w.pass(31); // past the watch for a relapse
        w.recovers(host).await;
        w.settle().await;
        w.work(&notify).await;
        let before = sent(&mailer).len();
        w.breaks(host).await;
        w.settle().await;
        w.pass(pass);
        w.settle().await;
        w.work(&notify).await;
        let subjects: Vec<String> = sent(&mailer)[before..].iter().map(|m| m.subject.clone()).collect();
        assert_eq!(subjects.len(), told, "{subjects:?}");
        assert!(subjects.iter().all(|s| s.starts_with("Held: shop on h1 (Alder) — cooldown")), "{subjects:?}");
    }
}

#[tokio::test]
async fn a_mail_that_was_overtaken_is_withdrawn() {
    let (mut w, notify, mailer) = calling().await;
    let host = w.hosts[0];
    fails(&mailer, transient());
    w.work(&notify).await;
    w.recovers(host).await;
    w.settle().await;
    w.pass(60);
    w.work(&notify).await;
    assert_eq!(sent(&mailer).len(), 0, "the relay was down until it was over");
    assert_eq!(w.list("SELECT state || ': ' || last_error FROM outbox").await, ["withdrawn: the incident is closed"]);
}

#[tokio::test]
async fn every_attempt_sends_the_same_mail_under_the_same_id_until_it_is_taken() {
    let (mut w, notify, mailer) = calling().await;
    fails(&mailer, transient());
    fails(&mailer, mail::SendError::InDoubt { reason: "the connection died before the answer".into() });
    w.work(&notify).await;
    w.work(&notify).await;
    assert_eq!(w.one::<i32>("SELECT attempts FROM outbox").await, 1, "not again before its pause is over");
    for _ in 0..3 {
        w.pass(20);
        w.work(&notify).await;
    }
    assert_eq!(w.list("SELECT state || ' ' || attempts FROM outbox").await, ["sent 3"]);
    let mails = sent(&mailer);
    assert_eq!(mails.len(), 2, "one in doubt counts as taken");
    assert_eq!(mails[0], mails[1]);
}

#[tokio::test]
async fn a_refused_mail_is_failed_with_what_was_said() {
    let (mut w, notify, mailer) = calling().await;
    fails(&mailer, mail::SendError::Permanent { reason: "RCPT: 550 no such user".into() });
    w.work(&notify).await;
    assert_eq!(w.list("SELECT state || ': ' || last_error FROM outbox").await, ["failed: RCPT: 550 no such user"]);
}

#[tokio::test]
async fn a_sender_that_died_in_between_sends_again_after_its_lease() {
    let (w, notify, mailer) = calling().await;
    let mut tx = w.tx().await;
    let dead = store::outbox::claim_due(&mut tx, 4, std::time::Duration::from_secs(300)).await.unwrap();
    tx.commit().await.unwrap();
    w.work(&notify).await;
    assert_eq!(sent(&mailer).len(), 0, "leased by another");
    w.pass(301);
    w.work(&notify).await;
    assert_eq!(sent(&mailer).len(), 1);
    let mut tx = w.tx().await;
    let late = store::outbox::mark_ended(&mut tx, &dead[0], store::outbox::End::Failed, "late").await.unwrap();
    assert!(!late, "the dead one's lease is over");
}

#[test]
fn a_batch_may_take_as_long_as_the_slowest_dialogue_with_a_relay() {
    let (memory, _) = stage();
    let relay = Arc::new(Mailer::relay("smtp://127.0.0.1:25").unwrap());
    let notify = Notify { mailer: relay, ..memory };
    let limits = mail::Limits::default();
    let slowest = limits.connect + limits.command * 3 + limits.message;
    assert!(notify.limit() > slowest, "a relay that takes {slowest:?} would be cut off, and its mail sent for ever");
}
