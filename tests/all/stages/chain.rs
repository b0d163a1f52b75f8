//! The chain of audit entries: what is written is linked within seconds, once, in the order in which it could be seen.

use domain::detect::reading::Verdict;
use engine::audit::{Audit, LATE};
use engine::sweep::Sweep;
use jiff::Timestamp;
use keys::SigningKey;
use keys::chain::GENESIS;
use keys::chain::file::{Fault, Known, Said, Verifier, Whole};
use serde_json::json;
use store::audit::{self, Entry, chain};
use store::{Origin, wakeups};

use super::world::{Setup, World};

const UNLINKED: &str = "SELECT count(*) FROM (SELECT audit_id FROM audit UNION ALL SELECT audit_id FROM tenant_audit) e
    WHERE audit_id NOT IN (SELECT audit_id FROM audit_chain)";

fn loop_() -> Audit {
    Audit { key: SigningKey::from_bytes(&[9; 32]) }
}

/// Every link is read and its entry hashed anew.
async fn is_whole(w: &World) -> bool {
    let mut tx = w.tx().await;
    let Some(end) = chain::find_end(&mut tx).await.unwrap() else { return true };
    let signed = end.signed.as_ref().expect("the last link is signed");
    let key = keys::PublicKey::from_bytes(signed.public_key.as_slice().try_into().unwrap()).unwrap();
    end.head(tx.tenant_id()).verify(&key, &signed.signature).unwrap();
    let (mut prev, mut seq) = (GENESIS, 0);
    loop {
        let links = chain::list(&mut tx, seq, end.seq, prev, 3).await.unwrap();
        let Some(last) = links.last() else { return seq == end.seq && prev == end.hash };
        for link in &links {
            seq += 1;
            let text = link.entry.as_ref().expect("the entry is there").text().unwrap();
            if link.seq != seq || keys::chain::hash(&text) != link.hash {
                return false;
            }
        }
        prev = last.hash;
    }
}

#[tokio::test]
async fn what_loops_members_and_the_operator_do_is_linked_with_its_actor() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    w.breaks(host).await;
    w.settle().await;
    let key = w.permit(host).await;
    w.plays_out(host, &key, Verdict::Ok).await;
    let origin = Origin { address: Some("192.0.2.7".parse().unwrap()), request_id: Some(host.host_id) };
    let mut tx = w.tx().await;
    tx.comes_from(origin);
    audit::insert(&mut tx, Some(host.client_id), Entry::done("test", ("host", host.host_id))).await.unwrap();
    tx.commit().await.unwrap();
    w.pass(2);
    w.work(&loop_()).await;
    assert_eq!(w.one::<i64>(UNLINKED).await, 0);
    assert!(is_whole(&w).await);
    let actors = w
        .list("SELECT DISTINCT actor FROM (SELECT actor FROM audit UNION SELECT actor FROM tenant_audit) e ORDER BY 1")
        .await;
    assert_eq!(
        actors,
        [
            "loop remediate".to_owned(),
            "loop verify".to_owned(),
            format!("member {}", w.login_id),
            "operator".to_owned()
        ]
    );
    let origins =
        w.list("SELECT DISTINCT actor || ' ' || source || ' ' || request_id FROM audit WHERE source IS NOT NULL").await;
    assert_eq!(
        origins,
        [format!("member {} 192.0.2.7 {}", w.login_id, host.host_id)],
        "nobody else comes from anywhere"
    );
    // A change of one letter behind the product's back is seen.
    w.change("UPDATE audit SET actor = 'member x' WHERE action = 'test'").await;
    assert!(!is_whole(&w).await);
}

#[tokio::test]
async fn an_entry_that_is_seen_later_than_newer_ones_is_linked_after_them() {
    let mut w = World::new(Setup::default()).await;
    w.pass(2);
    w.work(&loop_()).await;
    let (host, links) =
        (w.hosts[0], "SELECT action FROM audit_chain c JOIN audit a USING (tenant_id, audit_id) ORDER BY seq");
    let mut slow = w.tx().await;
    audit::insert(&mut slow, Some(host.client_id), Entry::done("slow", ("host", host.host_id))).await.unwrap();
    w.pass(3);
    let mut quick = w.tx().await;
    audit::insert(&mut quick, Some(host.client_id), Entry::done("quick", ("host", host.host_id))).await.unwrap();
    quick.commit().await.unwrap();
    w.pass(2);
    w.work(&loop_()).await;
    assert_eq!(w.list(links).await, ["quick"]);
    slow.commit().await.unwrap();
    w.work(&loop_()).await;
    assert_eq!(w.list(links).await, ["quick", "slow"]);
    assert!(is_whole(&w).await);
}

#[tokio::test]
async fn two_that_link_at_once_make_one_chain() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    for _ in 0..5 {
        let mut tx = w.tx().await;
        audit::insert(&mut tx, Some(host.client_id), Entry::done("test", ("host", host.host_id))).await.unwrap();
        tx.commit().await.unwrap();
    }
    let link = async || {
        let mut tx = w.tx().await;
        chain::link(&mut tx, &loop_().key, Timestamp::UNIX_EPOCH, 3).await.unwrap();
        tx.commit().await.unwrap();
    };
    tokio::join!(link(), link(), link());
    assert!(is_whole(&w).await);
    assert_eq!(w.one::<i64>(UNLINKED).await, 0);
}

#[tokio::test]
async fn the_sweep_finds_what_nobody_linked_for_a_minute() {
    let mut w = World::new(Setup::default()).await;
    w.settle().await;
    w.pass(LATE.as_secs() - 1);
    w.change("DELETE FROM tenant_wakeups").await;
    let due = "SELECT queue FROM tenant_wakeups WHERE queue = 'audit'";
    wakeups::ensure_standing(&w.store).await.unwrap();
    w.work(&Sweep).await;
    assert_eq!(w.list(due).await, [""; 0], "they may still be linked in time");
    w.pass(61);
    w.work(&Sweep).await;
    assert_eq!(w.list(due).await, ["audit"]);
    w.work(&loop_()).await;
    assert_eq!(w.one::<i64>(UNLINKED).await, 0);
    // What is left is the end of the day, when it is told of.
    w.change(
        "DELETE FROM tenant_wakeups WHERE due_at > (SELECT max(linked_at) + interval '1 minute' FROM audit_chain)",
    )
    .await;
    w.pass(61);
    w.work(&Sweep).await;
    assert_eq!(w.list(due).await, [""; 0]);
}

#[tokio::test]
async fn owners_are_told_once_a_day_while_entries_are_not_linked() {
    let mut w = World::new(Setup::default()).await;
    let told = "SELECT address || ' ' || (facts->>'entries') FROM letters WHERE facts->>'what' = 'audit late'";
    wakeups::ensure_standing(&w.store).await.unwrap();
    w.work(&Sweep).await;
    assert_eq!(w.list(told).await, [""; 0], "they may still be linked in time");
    let unlinked: i64 = w.one(UNLINKED).await;
    w.pass(LATE.as_secs() + 1);
    w.work(&Sweep).await;
    assert_eq!(w.list(told).await, [format!("owner@harbour.example {unlinked}")]);
    w.pass(61);
    w.work(&Sweep).await;
    assert_eq!(w.list(told).await.len(), 1, "once a day");
    w.pass(86_400);
    w.work(&Sweep).await;
    assert_eq!(w.list(told).await.len(), 2, "and again the next, while it lasts");
    w.work(&loop_()).await;
    w.pass(86_400);
    w.work(&Sweep).await;
    assert_eq!(w.list(told).await.len(), 2, "all are linked");
}

/// The organization's chain as the operator writes it, and what `mendwright audit verify` says of it.
async fn exported(w: &World, known: Option<Known>) -> (Vec<u8>, Result<Whole, Fault>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    server::audit::export(&w.store, &w.db.owner_url(), None, &file).await.unwrap();
    let said = server::audit::verify(&file, Verifier::new(known, Some(loop_().key.public()))).unwrap();
    (std::fs::read(file).unwrap(), said)
}

#[tokio::test]
async fn an_export_is_whole_until_a_row_is_edited_or_gone() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    for part in 0..3 {
        let mut tx = w.tx().await;
        for n in 0..90 {
            let detail = json!({ "n": n, "part": part, "text": "\u{1f}\"\\ü\n", "x": 0.1 });
            audit::insert(&mut tx, Some(host.client_id), Entry::done("test", ("host", host.host_id)).with(detail))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        w.pass(2);
        w.work(&loop_()).await;
    }
    let (first, said) = exported(&w, None).await;
    let whole = said.unwrap();
    let n: i64 = w.one("SELECT count(*) FROM audit_chain").await;
    assert!(n > 200, "more than one part");
    assert_eq!((whole.entries, first.iter().filter(|b| **b == b'\n').count() as i64), (n, n + 1));
    let known = Known { seq: whole.entries, hash: whole.hash };

    w.pass(2);
    w.work(&loop_()).await;
    let (second, said) = exported(&w, Some(known)).await;
    assert_eq!(said.unwrap().entries, n + 1, "the first export is an entry of the second");
    let entries = first.len() - first[..first.len() - 1].iter().rev().position(|b| *b == b'\n').unwrap();
    assert!(second.starts_with(&first[..entries]), "what was written before is written again, byte for byte");

    w.change("UPDATE audit SET detail = jsonb_set(detail, '{n}', '91') WHERE detail @> '{\"n\": 7, \"part\": 1}'")
        .await;
    let fault = exported(&w, None).await.1.unwrap_err();
    assert!(fault.what.contains("altered"), "{fault}");
    w.change("UPDATE audit SET detail = jsonb_set(detail, '{n}', '7') WHERE detail @> '{\"n\": 91, \"part\": 1}'")
        .await;
    assert!(exported(&w, Some(known)).await.1.is_ok());

    let rolled_back =
        "DELETE FROM audit_chain WHERE seq > (SELECT min(seq) FROM audit_chain WHERE signature IS NOT NULL)";
    w.change(rolled_back).await;
    assert!(exported(&w, None).await.1.is_ok(), "by itself an older end of the chain looks like a whole one");
    let fault = exported(&w, Some(known)).await.1.unwrap_err();
    assert!(fault.what.contains("ends before the known head"), "{fault}");

    w.change("DELETE FROM audit WHERE audit_id = (SELECT audit_id FROM audit_chain WHERE seq = 5)").await;
    w.change("DELETE FROM tenant_audit WHERE audit_id = (SELECT audit_id FROM audit_chain WHERE seq = 5)").await;
    let fault = exported(&w, None).await.1.unwrap_err();
    assert_eq!((fault.line, fault.what.contains("gone")), (5, true), "{fault}");
}

#[tokio::test]
async fn owners_are_told_of_each_day_how_the_chain_ends_once_it_is_over() {
    let mut w = World::new(Setup::default()).await;
    let host = w.hosts[0];
    for _ in 0..3 {
        let mut tx = w.tx().await;
        audit::insert(&mut tx, Some(host.client_id), Entry::done("test", ("host", host.host_id))).await.unwrap();
        tx.commit().await.unwrap();
        w.pass(2);
        w.work(&loop_()).await;
    }
    let told = "SELECT address || ' ' || (facts->>'head') || ' ' || (facts->>'key') FROM letters WHERE kind = 'audit_head' ORDER BY created_at";
    assert_eq!(w.list(told).await.len(), 0, "the day is not over");
    w.pass(86_400);
    w.work(&loop_()).await;
    let letters = w.list(told).await;
    let first: String = w
        .one("SELECT seq || ':' || encode(hash, 'hex') FROM audit_chain WHERE seq = (SELECT seq FROM audit_heads)")
        .await;
    assert_eq!(letters, [format!("owner@harbour.example {first} {}", loop_().key.public())]);
    w.pass(86_400);
    w.work(&loop_()).await;
    assert_eq!(w.list(told).await.len(), 1, "nothing was done since");
    let mut tx = w.tx().await;
    audit::insert(&mut tx, Some(host.client_id), Entry::done("test", ("host", host.host_id))).await.unwrap();
    tx.commit().await.unwrap();
    w.pass(2);
    w.work(&loop_()).await;
    assert_eq!(w.list(told).await.len(), 1);
    w.pass(86_400);
    w.work(&loop_()).await;
    assert_eq!(w.list(told).await.len(), 2);
    // The mail has the head's signature too, which nobody makes who can only write mails.
    let signed: String =
        w.one("SELECT facts->>'signed' FROM letters WHERE kind = 'audit_head' ORDER BY created_at LIMIT 1").await;
    let said: Said = signed.parse().unwrap();
    assert!(signed.starts_with(&first));
    let whole = exported(&w, Some(said.known)).await.1.unwrap();
    assert_eq!(said.check(&whole), Ok(()));
}
