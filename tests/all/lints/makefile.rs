//! The commands that people are told to type: a target without a rule does nothing, and says that all is well.

use crate::support::workspace;

/// Targets that are declared and have no rule, and rules of the commands that have no recipe.
fn empty_targets(makefile: &str) -> Vec<String> {
    let lines: Vec<&str> = makefile.lines().collect();
    let declared = lines.iter().filter_map(|line| line.strip_prefix(".PHONY:")).flat_map(str::split_whitespace);
    let rule = |name: &str| lines.iter().position(|line| line.starts_with(&format!("{name}:")));
    let has_recipe = |at: usize| lines.get(at + 1).is_some_and(|line| line.starts_with('\t'));
    let mut empty = Vec::new();
    for name in declared {
        match rule(name) {
            None => empty.push(format!("{name} has no rule")),
            Some(at) if name != "assets" && !has_recipe(at) => empty.push(format!("{name} does nothing")),
            Some(_) => {}
        }
    }
    empty
}

#[test]
fn every_make_target_does_something() {
    let makefile = std::fs::read_to_string(workspace().join("Makefile")).unwrap();
    assert_eq!(empty_targets(&makefile), [""; 0]);
    assert!(makefile.contains(".PHONY:"), "the targets are declared");
}

#[test]
fn a_makefile_that_was_cut_off_is_seen() {
    let cut = ".PHONY: test check assets\ntest: assets\n\tcargo test\ncheck: test\n";
    assert_eq!(empty_targets(cut), ["check does nothing", "assets has no rule"]);
}
