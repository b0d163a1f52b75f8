//! Each action of the audit stands in `docs/audit-actions.md` with the sides that its entries have, and is written so.

use std::collections::BTreeSet;

use super::rust_files;
use crate::support::workspace;

/// An action, and how its entries are made.
pub type Written = (String, String);

/// What functions of the database write, where no tenant is known.
const BY_THE_DATABASE: &[(&str, &str)] =
    &[("channel.moved", "changed"), ("client.deleted", "removed"), ("organization.deleted", "removed")];

/// Where entries are declared, and shown to be what they say.
const HOME: &str = "backend/store/src/audit/entry.rs";

/// The entries that a text makes; or the line that does not say an action where it makes one: nobody could look it up.
fn written(text: &str) -> Result<Vec<Written>, String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("Entry::") {
        let Some((kind, rest)) = text[at + "Entry::".len()..].split_once('(') else { continue };
        if !["made", "changed", "removed", "done"].contains(&kind) {
            continue;
        }
        let action = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let Some((action, _)) = action else {
            return Err(text[at..].lines().next().unwrap_or_default().to_owned());
        };
        found.push((action.to_owned(), kind.to_owned()));
    }
    Ok(found)
}

/// The lines of the list.
pub fn listed(text: &str) -> BTreeSet<Written> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let kinds = |(action, rest): (&str, &str)| -> Vec<Written> {
        let kinds = rest.trim_end_matches(" |").split(" or ");
        kinds.map(|kind| (action.to_owned(), kind.to_owned())).collect()
    };
    rows.flat_map(kinds).collect()
}

#[test]
fn each_action_of_the_audit_stands_in_the_list_with_the_sides_it_has() {
    let list = std::fs::read_to_string(workspace().join("docs/audit-actions.md")).expect("the list");
    let mut all: BTreeSet<Written> =
        BY_THE_DATABASE.iter().map(|(action, kind)| ((*action).to_owned(), (*kind).to_owned())).collect();
    for (path, text) in rust_files("backend").iter().filter(|(path, _)| path.contains("/src/") && path != HOME) {
        all.extend(written(text).unwrap_or_else(|line| panic!("{path} makes an entry of no action: {line}")));
    }
    assert!(all.len() > 100, "only {} were found", all.len());
    let list = listed(&list);
    let (unlisted, unwritten): (Vec<&Written>, Vec<&Written>) =
        (all.difference(&list).collect(), list.difference(&all).collect());
    assert!(unlisted.is_empty(), "written, and not listed so: {unlisted:?}");
    assert!(unwritten.is_empty(), "listed, and not written so: {unwritten:?}");
}

#[test]
fn an_entry_is_found_however_its_line_is_broken_and_one_of_no_action_is_not_let_pass() {
    let pair = |action: &str, kind: &str| (action.to_owned(), kind.to_owned());
    let text =
        "audit::insert(tx, None, Entry::made(\n    \"site.added\", s, x)); let e = Entry::done(\"security\", s);";
    assert_eq!(written(text), Ok(vec![pair("site.added", "made"), pair("security", "done")]));
    assert_eq!(written("Entry::changed(action, s, x, y)"), Err("Entry::changed(action, s, x, y)".to_owned()));
    assert_eq!(written("map.insert(host_id, Entry { epoch }); Entry::of(action)"), Ok(Vec::new()));
    let list = "| Action | Was |\n|---|---|\n| `host.claimed` | made or changed |\n";
    assert_eq!(listed(list), BTreeSet::from([pair("host.claimed", "changed"), pair("host.claimed", "made")]));
}
