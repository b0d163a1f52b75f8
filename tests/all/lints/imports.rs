//! Who may import whom: crates from `cargo metadata`, stages from the sources.

use super::rust_files;
use std::collections::BTreeMap;

/// Our crates and what of ours each may import (ARCHITECTURE.md).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("keys", &[]),
    ("domain", &[]),
    ("store", &["domain", "keys"]),
    ("embedded", &[]),
    ("runner", &[]),
    ("probe", &[]),
    ("views", &["domain"]),
    ("mail", &["views"]),
    ("engine", &["domain", "store", "keys", "mail", "views", "runner", "probe"]),
    ("gateway", &["domain", "store", "wire", "keys"]),
    ("web", &["domain", "store", "keys", "views", "probe"]),
    (
        "server",
        &[
            "domain", "store", "keys", "wire", "embedded", "runner", "views", "mail", "probe", "engine", "gateway",
            "web",
        ],
    ),
    ("agent", &["wire", "keys", "runner"]),
];

/// What a crate must never import from outside.
const NEVER: &[(&str, &[&str])] = &[
    ("wire", &["sqlx", "axum", "tokio"]),
    ("keys", &["sqlx", "axum", "tokio"]),
    ("domain", &["sqlx", "axum", "tokio", "rand"]),
    ("store", &["axum", "askama"]),
    ("probe", &["sqlx", "axum"]),
    ("engine", &["axum", "sqlx"]),
    ("gateway", &["sqlx"]),
    ("web", &["sqlx"]),
    ("agent", &["sqlx", "axum"]),
];

fn faults(imports: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, used) in imports {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(n, _)| n == name) else {
            faults.push(format!("{name} is not in the table"));
            continue;
        };
        let never = NEVER.iter().find(|(n, _)| n == name).map_or(&[][..], |(_, never)| never);
        for import in used {
            let ours = MAY_IMPORT.iter().any(|(n, _)| n == import);
            if (ours && !allowed.contains(&import.as_str())) || never.contains(&import.as_str()) {
                faults.push(format!("{name} imports {import}"));
            }
        }
    }
    faults
}

fn imports() -> BTreeMap<String, Vec<String>> {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let normal = |d: &&cargo_metadata::Dependency| d.kind == cargo_metadata::DependencyKind::Normal;
    let packages = metadata.packages.iter().filter(|p| p.name.as_str() != "tests");
    packages
        .map(|p| (p.name.to_string(), p.dependencies.iter().filter(normal).map(|d| d.name.clone()).collect()))
        .collect()
}

#[test]
fn no_crate_imports_what_its_layer_forbids() {
    assert_eq!(faults(&imports()), Vec::<String>::new());
}

#[test]
fn a_forbidden_import_is_found() {
    let mut broken = imports();
    broken.entry("web".into()).or_default().push("engine".into());
    broken.entry("domain".into()).or_default().push("tokio".into());
    broken.entry("unheard_of".into()).or_default();
    assert_eq!(faults(&broken), ["domain imports tokio", "unheard_of is not in the table", "web imports engine"]);
}

/// The stages, in their order: each may use what stands before it.
const STAGES: [&str; 4] = ["detect", "classify", "remediate", "verify"];

/// The later stages that a file of `domain` names.
fn later_stages(path: &str, text: &str) -> Vec<&'static str> {
    let own = STAGES.iter().position(|s| path.starts_with(&format!("backend/domain/src/{s}/")));
    let later = own.map_or(&STAGES[..0], |own| &STAGES[own + 1..]);
    later
        .iter()
        .copied()
        .filter(|s| text.contains(&format!("crate::{s}")) || text.contains(&format!("super::super::{s}")))
        .collect()
}

#[test]
fn no_stage_uses_a_later_one() {
    let files = rust_files("backend/domain/src");
    assert!(files.iter().any(|(path, _)| path.contains("/verify/")));
    let faulty: Vec<_> = files.iter().filter(|(path, text)| !later_stages(path, text).is_empty()).collect();
    assert_eq!(faulty, Vec::<&(String, String)>::new());
}

#[test]
fn a_stage_that_uses_a_later_one_is_found() {
    let text = "use crate::detect::Kind;\nuse crate::verify::judge;";
    assert_eq!(later_stages("backend/domain/src/classify/mapping.rs", text), ["verify"]);
    assert_eq!(later_stages("backend/domain/src/verify/judge.rs", text), Vec::<&str>::new());
}
