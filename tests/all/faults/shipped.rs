//! Crash points are for tests: nothing that is shipped can be told to kill itself.

use cargo_metadata::{DependencyKind, MetadataCommand};

const FEATURE: &str = "crash-points";

#[test]
fn only_the_tests_ask_for_crash_points() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let mut asking = Vec::new();
    for package in &metadata.packages {
        for (feature, enables) in package.features.iter().filter(|(feature, _)| *feature != FEATURE) {
            let enabled = enables.iter().any(|other| other == FEATURE || other.ends_with(&format!("/{FEATURE}")));
            assert!(!enabled, "{}'s feature {feature} brings crash points", package.name);
        }
        for dependency in package.dependencies.iter().filter(|d| d.features.iter().any(|f| f == FEATURE)) {
            asking.push((package.name.to_string(), dependency.name.clone(), dependency.kind));
        }
    }
    asking.sort_by(|a, b| a.1.cmp(&b.1));
    let tests = |name: &str| ("tests".to_owned(), name.to_owned(), DependencyKind::Development);
    assert_eq!(asking, [tests("agent"), tests("server")]);
}
