use super::*;
use tempfile::TempDir;
use wire::v1::Purpose;

fn intent(fence: i64) -> Entry {
    let job = JobKey { run_id: Uuid::from_u128(1), purpose: Purpose::Diagnostics, leg: i16::MAX, attempt: i16::MAX };
    Entry::Intent { job, fence, digest: "0".repeat(64), slot: 7 }
}

fn journal(entries: u64) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    Journal::create(&path).unwrap();
    let Opened::Whole(mut journal, _) = Journal::open(&path).unwrap() else { panic!() };
    for n in 1..=entries {
        journal.append(&intent(i64::try_from(n).unwrap())).unwrap();
    }
    (dir, journal)
}

fn reopen(dir: &TempDir) -> Opened {
    Journal::open(&dir.path().join("journal")).unwrap()
}

fn flip(journal: &Journal, number: u64) {
    let at = (number - 1) % SLOTS * SLOT_BYTES as u64 + 40;
    let mut byte = [0];
    journal.file.read_exact_at(&mut byte, at).unwrap();
    journal.file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn entries_are_read_back_in_order_with_the_highest_fence() {
    let (dir, mut journal) = journal(3);
    journal.append(&Entry::Acked { fence: 2 }).unwrap();
    let Opened::Whole(journal, entries) = reopen(&dir) else { panic!() };
    assert_eq!(journal.max_fence(), 3);
    assert_eq!(entries, [intent(1), intent(2), intent(3), Entry::Acked { fence: 2 }]);
}

#[test]
fn a_missing_file_is_missing_and_a_short_one_is_damaged() {
    let (dir, journal) = journal(1);
    journal.file.set_len(100).unwrap();
    assert!(matches!(reopen(&dir), Opened::Damaged));
    std::fs::remove_file(dir.path().join("journal")).unwrap();
    assert!(matches!(reopen(&dir), Opened::Missing));
}

#[test]
fn a_torn_tail_is_dropped_and_overwritten() {
    let (dir, journal) = journal(3);
    flip(&journal, 4);
    let Opened::Whole(mut journal, entries) = reopen(&dir) else { panic!() };
    assert_eq!(entries.len(), 3);
    journal.append(&intent(9)).unwrap();
    let Opened::Whole(journal, entries) = reopen(&dir) else { panic!() };
    assert_eq!((entries.len(), journal.max_fence()), (4, 9));
}

#[test]
fn the_first_entry_torn_leaves_an_empty_journal() {
    let (dir, journal) = journal(0);
    flip(&journal, 1);
    let Opened::Whole(journal, entries) = reopen(&dir) else { panic!() };
    assert_eq!((entries.len(), journal.max_fence()), (0, 0));
}

#[test]
fn a_flipped_bit_in_the_middle_is_damage() {
    let (dir, journal) = journal(5);
    flip(&journal, 3);
    assert!(matches!(reopen(&dir), Opened::Damaged));
}

/// The last valid slot is then the one before: its bad successor looks like a torn tail. The fence that was
/// lost with it shows at the server, which has seen it.
#[test]
fn a_flipped_bit_in_the_last_entry_is_a_torn_tail() {
    let (dir, journal) = journal(5);
    flip(&journal, 5);
    let Opened::Whole(journal, entries) = reopen(&dir) else { panic!() };
    assert_eq!((entries.len(), journal.max_fence()), (4, 4));
}

#[test]
fn the_ring_wraps_and_still_tells_torn_from_damaged() {
    let (dir, journal) = journal(SLOTS + 10);
    let Opened::Whole(again, entries) = reopen(&dir) else { panic!() };
    assert_eq!((entries.len() as u64, again.last), (SLOTS, SLOTS + 10));
    flip(&journal, SLOTS + 11);
    let Opened::Whole(again, entries) = reopen(&dir) else { panic!() };
    assert_eq!((entries.len() as u64, again.max_fence() as u64), (SLOTS - 1, SLOTS + 10));
    flip(&journal, SLOTS + 12);
    assert!(matches!(reopen(&dir), Opened::Damaged));
}
