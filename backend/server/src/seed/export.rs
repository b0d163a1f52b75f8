//! Writes the file that tells a tenant as it stands.

use std::collections::BTreeMap;
use std::path::Path;

use domain::detect::Check;
use domain::relay::Relay;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use store::auth::OperatorTx;
use store::{Store, StoreError};
use uuid::Uuid;
use wire::v1::Playbook;

use super::apply::{ApplyError, named};
use super::document::{Client, Document, Limits, Maintenance, MappingEntry, Member, Tenant};
use super::draft::Draft;
use super::known::Known;

const HEAD: &str = "\
# The configuration of one organization, as `mendwright export` wrote it; `mendwright apply` reads it.
# No secret is in it: not the passwords people sign in with, not the keys that hosts, playbooks and the server have, and
# no enrolment token. Whoever is a member, and whatever has enrolled, keeps theirs when the file is applied.
";

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be told which tenant is meant.
    #[error("{0}")]
    Tenant(String),
    /// The store refused.
    #[error("the configuration cannot be read")]
    Store(#[from] StoreError),
    /// The document has no YAML form.
    #[error("the configuration cannot be written as YAML: {0}")]
    Yaml(String),
    /// Read again, the file would say something else.
    #[error("the configuration holds something that its file would not bring back; nothing was written")]
    Lossy,
}

/// The tenant's file; without a name: of the only tenant there is.
///
/// # Errors
/// More than one fits, or none; or the store refused.
pub async fn export(store: &Store, owner_url: &str, tenant: Option<&str>) -> Result<String, ExportError> {
    let tenant_id = choose_tenant(store, owner_url, tenant).await?;
    let mut tx = OperatorTx::begin(store, owner_url).await?.into_tenant(tenant_id).await?;
    let known = Known::load(&mut tx).await?;
    tx.rollback().await?;
    let text = write(&known.document)?;
    // The file is believed only when it says the same.
    let draft = Draft::read(Path::new("export"), &text);
    let mut read = draft.check(&known, &|_| None).map_err(|_| ExportError::Lossy)?.document;
    let complete: Result<_, _> = read.checks.into_iter().map(Check::complete).collect();
    read.checks = complete.map_err(|_| ExportError::Lossy)?;
    if read == known.document { Ok(text) } else { Err(ExportError::Lossy) }
}

/// The organization of a name or id; without one: the only one there is.
///
/// # Errors
/// More than one fits, or none; or the store refused.
pub async fn choose_tenant(store: &Store, owner_url: &str, tenant: Option<&str>) -> Result<Uuid, ExportError> {
    let tenants = OperatorTx::begin(store, owner_url).await?.list_names().await?;
    Ok(match (tenant, &tenants[..]) {
        (Some(wanted), _) => match named(&tenants, wanted) {
            Ok(Some(tenant_id)) => tenant_id,
            Ok(None) => return Err(ExportError::Tenant(format!("there is no organization {wanted:?}"))),
            Err(ApplyError::Tenant(why)) => return Err(ExportError::Tenant(why)),
            Err(_) => return Err(ExportError::Lossy),
        },
        (None, [(tenant_id, _)]) => *tenant_id,
        (None, []) => return Err(ExportError::Tenant("there is no organization yet".into())),
        (None, all) => {
            let names: Vec<String> = all.iter().map(|(id, name)| format!("{name} ({id})")).collect();
            return Err(ExportError::Tenant(format!("say which one with --tenant: {}", names.join(", "))));
        }
    })
}

/// One part of the file.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Part<'a> {
    Tenant(&'a Tenant),
    Members(&'a [Member]),
    Notify(&'a [String]),
    Mail(&'a Option<Relay>),
    Clients(&'a [Client]),
    Checks(Vec<Short>),
    Playbooks(&'a [Playbook]),
    Mappings(&'a [MappingEntry]),
    Maintenance(&'a [Maintenance]),
    Limits(&'a Limits),
}

pub(super) fn write(document: &Document) -> Result<String, ExportError> {
    let checks = document.checks.iter().map(Short::of).collect();
    let parts = [
        ("", Part::Tenant(&document.tenant)),
        ("# A new member needs password or password_env.\n", Part::Members(&document.members)),
        ("# Told of every incident.\n", Part::Notify(&document.notify)),
        ("# Its password is a secret, by its name.\n", Part::Mail(&document.mail)),
        ("# A new host gets an enrolment token, which apply prints once.\n", Part::Clients(&document.clients)),
        ("", Part::Checks(checks)),
        ("", Part::Playbooks(&document.playbooks)),
        (
            "# mode: observe (watch only), approve (ask first), auto (fixes by itself). Raising it takes a second person.\n",
            Part::Mappings(&document.mappings),
        ),
        (
            "# By the client's clock. What is left out stays; active: false takes it back.\n",
            Part::Maintenance(&document.maintenance),
        ),
        (
            "# What is not said follows the rule of the scope's size. Loosening takes a second person.\n",
            Part::Limits(&document.limits),
        ),
    ];
    let mut text = HEAD.to_owned();
    for (comment, part) in parts {
        let Value::Object(fields) = serde_json::to_value(&part).map_err(|e| ExportError::Yaml(e.to_string()))? else {
            return Err(ExportError::Lossy);
        };
        if fields
            .values()
            .all(|v| v.is_null() || v.as_array().is_some_and(Vec::is_empty) || *v == Value::Object(<_>::default()))
        {
            continue;
        }
        text.push('\n');
        text.push_str(comment);
        text.push_str(serde_saphyr::to_string(&part).map_err(|e| ExportError::Yaml(e.to_string()))?.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// A check without what it says by itself: the fields that the same check would have if it said no more than its name,
/// kind and target.
struct Short(Vec<(String, Value)>);

impl Short {
    fn of(check: &Check) -> Short {
        let all = match serde_json::to_value(check) {
            Ok(Value::Object(fields)) => fields,
            _ => <_>::default(),
        };
        let first = ["name", "kind", "target"];
        let bare: BTreeMap<&str, &Value> = first.iter().filter_map(|name| Some((*name, all.get(*name)?))).collect();
        let bare = serde_json::to_value(bare).ok().and_then(|value| serde_json::from_value::<Check>(value).ok());
        let bare = bare.and_then(|check| check.complete().ok()).and_then(|check| serde_json::to_value(check).ok());
        let says_itself = |name: &str, value: &Value| bare.as_ref().is_some_and(|bare| bare.get(name) == Some(value));
        let mut fields: Vec<(String, Value)> = Vec::new();
        for name in first {
            let value = all.get(name).filter(|value| **value != "");
            fields.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
        for (name, value) in &all {
            if !first.contains(&name.as_str()) && !says_itself(name, value) {
                fields.push((name.clone(), value.clone()));
            }
        }
        Short(fields)
    }
}

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
