use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::SigningKey;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// A file of `n` entries, line by line.
fn file(n: i64) -> Vec<Vec<u8>> {
    let (tenant_id, mut prev, mut lines) = (Uuid::from_u128(1), GENESIS, Vec::new());
    for seq in 1..=n {
        let entry = Entry {
            tenant_id,
            seq,
            prev: prev.to_string(),
            audit_id: Uuid::from_u128(100 + seq as u128),
            client_id: (seq % 2 == 0).then(|| Uuid::from_u128(7)),
            at_us: 1_764_000_000_000_000 + seq,
            actor: format!("member {seq}"),
            source: Some("192.0.2.7".to_owned()),
            request_id: Some(Uuid::from_u128(200 + seq as u128)),
            action: "hands_off.set".to_owned(),
            subject_kind: "host".to_owned(),
            subject_id: Uuid::from_u128(5),
            detail: json!({ "reason": format!("\"line\n{seq}\""), "n": 1.25 }),
            before: Some(json!({ "ends_at": null })),
            after: None,
        };
        prev = hash(&entry.text().unwrap());
        lines.push(entry_line(Some(&entry), &prev).unwrap().into_bytes());
    }
    let head = Head { tenant_id, seq: n, hash: prev.to_string(), at_us: 1_764_000_001_000_000 };
    let signature = head.sign(&key()).unwrap();
    lines.push(SignedHead { head, public_key: key().public().to_string(), signature }.line().unwrap().into_bytes());
    lines
}

fn verify(lines: &[Vec<u8>], known: Option<Known>) -> Result<Whole, Fault> {
    let mut verifier = Verifier::new(known, Some(key().public()));
    lines.iter().try_for_each(|line| verifier.line(line))?;
    verifier.end()
}

fn head_of(lines: &[Vec<u8>]) -> Known {
    let signed: SignedHead = parse_canonical(std::str::from_utf8(lines.last().unwrap()).unwrap().trim_end()).unwrap();
    Known { seq: signed.head.seq, hash: signed.head.hash.parse().unwrap() }
}

/// Another value of the same kind, or of none.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => json!("x"),
        Value::Bool(b) => json!(!b),
        Value::Number(n) => json!(n.as_i64().unwrap_or(0) + 1),
        Value::String(s) => match Uuid::parse_str(s) {
            Ok(id) => json!(Uuid::from_u128(id.as_u128() + 1)),
            Err(_) => json!(format!("{s}x")),
        },
        Value::Array(_) => Value::Null,
        Value::Object(fields) => match fields.iter().next() {
            Some((name, value)) => {
                let mut fields = fields.clone();
                fields.insert(name.clone(), other(value));
                Value::Object(fields)
            }
            None => Value::Null,
        },
    }
}

#[test]
fn a_file_is_whole_as_it_was_written_and_under_an_older_head() {
    let lines = file(5);
    let whole = verify(&lines, Some(head_of(&lines))).unwrap();
    assert_eq!((whole.entries, whole.public_key), (5, key().public()));
    assert!(verify(&lines, Some(head_of(&file(3)))).is_ok());
    assert!(verify(&lines, None).is_ok());
}

#[test]
fn each_fields_edit_is_found_in_its_line() {
    let lines = file(4);
    for at in 0..lines.len() {
        let line: Value = serde_json::from_slice(&lines[at]).unwrap();
        let outer = if at + 1 == lines.len() { "head" } else { "entry" };
        for name in line[outer].as_object().unwrap().keys() {
            let mut edited = line.clone();
            edited[outer][name] = other(&line[outer][name]);
            let mut lines = lines.clone();
            lines[at] = (to_canonical(&edited).unwrap() + "\n").into_bytes();
            let fault = verify(&lines, None).unwrap_err();
            assert_eq!(fault.line, at as u64 + 1, "{name}: {fault}");
        }
    }
}

#[test]
fn an_entry_that_is_hashed_anew_does_not_fit_the_next() {
    let mut lines = file(4);
    let line: Value = serde_json::from_slice(&lines[1]).unwrap();
    let mut entry: Entry = serde_json::from_value(line["entry"].clone()).unwrap();
    entry.actor = "nobody".to_owned();
    lines[1] = entry_line(Some(&entry), &hash(&entry.text().unwrap())).unwrap().into_bytes();
    assert_eq!(verify(&lines, None).unwrap_err().line, 3);
}

#[test]
fn an_older_file_is_whole_and_only_a_newer_head_shows_what_is_missing() {
    let (older, newer) = (file(3), head_of(&file(5)));
    assert!(verify(&older, None).is_ok());
    assert!(verify(&older, Some(newer)).unwrap_err().what.contains("ends before the known head"));
}

#[test]
fn another_keys_signature_is_refused_where_a_key_is_asked_for() {
    let mut lines = file(2);
    let mut signed: SignedHead = parse_canonical(std::str::from_utf8(&lines[2]).unwrap().trim_end()).unwrap();
    let forger = SigningKey::from_bytes(&[3; 32]);
    signed.signature = signed.head.sign(&forger).unwrap();
    signed.public_key = forger.public().to_string();
    lines[2] = signed.line().unwrap().into_bytes();
    assert!(verify(&lines, None).unwrap_err().what.contains("another key"));
}

#[test]
fn a_head_that_a_mail_tells_counts_by_its_signature() {
    let lines = file(3);
    let whole = verify(&lines, None).unwrap();
    let signed: SignedHead = parse_canonical(std::str::from_utf8(lines.last().unwrap()).unwrap().trim_end()).unwrap();
    let text = signed.said();
    let said: Said = text.parse().unwrap();
    assert_eq!((said.known, said.signed.as_ref()), (head_of(&lines), Some(&signed)));
    assert_eq!(said.check(&whole), Ok(()));
    assert_eq!(format!(" {text}\n").parse::<Said>(), Ok(said.clone()), "as it is copied out of a mail");
    // The short form says less.
    let short: Said = format!("3:{}", whole.hash).parse().unwrap();
    assert_eq!((short.known, short.signed.clone(), short.check(&whole)), (said.known, None, Ok(())));

    // Each part of it is signed.
    let parts: Vec<&str> = text.split(':').collect();
    for (at, other) in [
        (0, "2".to_owned()),
        (1, "0".repeat(64)),
        (2, "1764000001000001".to_owned()),
        (3, Uuid::from_u128(2).to_string()),
        (4, SigningKey::from_bytes(&[3; 32]).public().to_string()),
        (5, "0".repeat(128)),
    ] {
        let mut edited = parts.clone();
        edited[at] = &other;
        let edited: Said = edited.join(":").parse().unwrap();
        assert!(edited.check(&whole).unwrap_err().contains("signature is not its key's"), "{at}");
    }
    // And whole in itself it may be somebody else's.
    let forger = SigningKey::from_bytes(&[3; 32]);
    let resigned = |head: Head, by: &SigningKey| {
        let signature = head.sign(by).unwrap();
        SignedHead { head, public_key: by.public().to_string(), signature }.said().parse::<Said>().unwrap()
    };
    assert!(resigned(signed.head.clone(), &forger).check(&whole).unwrap_err().contains("another key"));
    let elsewhere = Head { tenant_id: Uuid::from_u128(2), ..signed.head.clone() };
    assert!(resigned(elsewhere, &key()).check(&whole).unwrap_err().contains("another organization"));
    for wrong in ["", "3", "3:ab", &text[..text.len() - 130], &format!("{text}:x"), &parts[..3].join(":")] {
        assert!(wrong.parse::<Said>().is_err(), "{wrong}");
    }
}

/// What somebody may do to a file.
#[derive(Debug, Clone)]
enum Tampering {
    Byte(Index, Index, u8),
    Delete(Index),
    Swap(Index, Index),
    Truncate(Index),
    CutOff(Index),
    Insert(Index, Index),
    FromAnotherChain(Index),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let at = any::<Index>;
    prop_oneof![
        (at(), at(), 1u8..).prop_map(|(line, byte, by)| Tampering::Byte(line, byte, by)),
        at().prop_map(Tampering::Delete),
        (at(), at()).prop_map(|(a, b)| Tampering::Swap(a, b)),
        at().prop_map(Tampering::Truncate),
        at().prop_map(Tampering::CutOff),
        (at(), at()).prop_map(|(from, to)| Tampering::Insert(from, to)),
        at().prop_map(Tampering::FromAnotherChain),
    ]
}

fn tamper(lines: &mut Vec<Vec<u8>>, with: &Tampering) {
    match with {
        Tampering::Byte(line, byte, by) => {
            let line = line.index(lines.len());
            let byte = byte.index(lines[line].len());
            lines[line][byte] ^= by;
        }
        Tampering::Delete(at) => drop(lines.remove(at.index(lines.len()))),
        Tampering::Swap(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }
        Tampering::Truncate(at) => lines.truncate(at.index(lines.len())),
        Tampering::CutOff(at) => {
            let mut bytes = lines.concat();
            bytes.truncate(at.index(bytes.len()));
            *lines = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        }
        Tampering::Insert(from, to) => {
            let line = lines[from.index(lines.len())].clone();
            lines.insert(to.index(lines.len() + 1), line);
        }
        Tampering::FromAnotherChain(at) => {
            let (at, other) = (at.index(lines.len()), file(lines.len() as i64));
            lines[at] = String::from_utf8(other[at].clone()).unwrap().replace("member", "Member").into_bytes();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn whatever_is_done_to_a_file_is_found(n in 1i64..9, all in prop::collection::vec(tampering(), 1..4)) {
        let lines = file(n);
        let mut tampered = lines.clone();
        for with in &all {
            if !tampered.is_empty() {
                tamper(&mut tampered, with);
            }
        }
        prop_assume!(tampered.concat() != lines.concat());
        prop_assert!(verify(&tampered, None).is_err(), "{all:?}");
        prop_assert!(verify(&tampered, Some(head_of(&lines))).is_err());
    }
}
