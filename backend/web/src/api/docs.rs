//! `GET /api/docs`: the document as a page of ours, made on the server; no script of anybody.

use axum::response::Response;
use serde_json::Value;
use views::api::{ApiPage, Area, Field, Operation};

use super::document::document;
use crate::layers::page;

/// Shows what there is.
pub async fn show() -> Response {
    page(&shown(&document()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn shown(document: &Value) -> ApiPage {
    let mut areas: Vec<Area> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let name = text(&operation["tags"][0]);
            let operation = one(document, path, method, operation);
            match areas.iter_mut().find(|area| area.name == name) {
                Some(area) => area.operations.push(operation),
                None => areas.push(Area { name, operations: vec![operation] }),
            }
        }
    }
    ApiPage { areas }
}

fn one(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| Field {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        kind: kind(&parameter["schema"]),
        is_needed: parameter["required"] == true,
        about: text(&parameter["description"]),
    });
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut fields: Vec<Field> = parameters.collect();
    fields.extend(properties(document, body, "body"));
    let responses = &operation["responses"];
    let answer = ["200", "201"].iter().map(|status| &responses[*status]).find(|answer| !answer.is_null());
    let answer = answer.unwrap_or(&Value::Null);
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        about: text(&operation["summary"]),
        scope: text(&operation["security"][0]["token"][0]),
        fields,
        answer: text(&answer["description"]),
        answered: properties(document, &answer["content"]["application/json"]["schema"], "answer"),
    }
}

/// The fields of an object, followed by its name where it is only named.
fn properties(document: &Value, schema: &Value, place: &str) -> Vec<Field> {
    let schema = resolved(document, schema);
    let needed: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let field = |name: String, property: &Value, is_needed| Field {
            name,
            place: place.to_owned(),
            kind: kind(property),
            is_needed,
            about: text(&property["description"]),
        };
        fields.push(field(name.clone(), property, needed.contains(&name.as_str())));
        // The items of a list stand below it.
        let items = resolved(document, &property["items"]);
        for (inner, property) in items["properties"].as_object().into_iter().flatten() {
            fields.push(field(format!("{name}[].{inner}"), property, false));
        }
    }
    fields
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

/// What may stand there, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    if let Some(to) = schema["$ref"].as_str() {
        return to.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(options) = schema["oneOf"].as_array() {
        return options.iter().map(kind).filter(|kind| kind != "null").collect::<Vec<_>>().join(" | ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => {
            types.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect::<Vec<_>>().join(" | ")
        }
        one => text(one),
    };
    match schema["format"].as_str() {
        Some(format @ ("uuid" | "date-time")) => format.to_owned(),
        _ if types == "array" => format!("list of {}", kind(&schema["items"])),
        _ => types,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_every_operation_with_its_scope_and_fields() {
        let page = shown(&document());
        let all: Vec<_> = page.areas.iter().flat_map(|area| &area.operations).collect();
        assert_eq!(all.len(), super::super::routes().len());
        assert!(all.iter().all(|operation| !operation.scope.is_empty() && !operation.about.is_empty()));
        let stop = all.iter().find(|operation| operation.path == "/api/v1/guardrails/stop").unwrap();
        let said: Vec<_> =
            stop.fields.iter().map(|f| (f.place.as_str(), f.name.as_str(), f.kind.as_str(), f.is_needed)).collect();
        assert!(
            said.contains(&("body", "reason", "string", true)) && said.contains(&("body", "client", "uuid", false)),
            "{said:?}"
        );
        assert!(said.contains(&("header", "Idempotency-Key", "string", false)), "{said:?}");
    }
}
