//! The API's document knows a schema by its type's name alone: of two types with one name it tells one, in both places.

use std::collections::BTreeMap;

use super::rust_files;

/// The names of the types in `text` that are schemas.
fn schemas(text: &str) -> Vec<&str> {
    let mut is_schema = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[derive(") {
            is_schema = line.contains("ToSchema");
        }
        let said = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(said) = said.strip_prefix("struct ").or_else(|| said.strip_prefix("enum ")) {
            let name = said.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            names.extend(is_schema.then_some(name));
            is_schema = false;
        }
    }
    names
}

#[test]
fn no_two_schemas_of_the_api_have_one_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in rust_files("backend/web/src/api") {
        for name in schemas(&text) {
            places.entry(name.to_owned()).or_default().push(file.clone());
        }
    }
    assert!(places.len() > 50, "{places:?}");
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn a_schema_is_known_by_what_it_derives() {
    let text = "#[derive(Debug, ToSchema)]\n#[serde(x)]\npub struct One<T> {\n}\n#[derive(Debug)]\nstruct Two;\n\
        #[derive(ToSchema)]\nenum Three {";
    assert_eq!(schemas(text), ["One", "Three"]);
}
