//! Mappings that hosts would refuse by their own limits, for the pages that tell of it.

use domain::classify::mapping::Mapping;
use domain::fleet::own_limits::{Alike, Fix, OwnLimits, refused};
use store::pages::hosts;
use store::{StoreError, TenantTx, classify, configuration};
use uuid::Uuid;
use views::guardrails::Refused;

use crate::Failure;

/// The most hosts that are looked at.
const HOSTS: i64 = 5_000;

/// Of a client's hosts, or of all that the member sees.
pub async fn list(tx: &mut TenantTx, client_id: Option<Uuid>) -> Result<Vec<Refused>, Failure> {
    let rows = classify::mappings::list_active(tx).await?;
    let mappings: Result<Vec<Mapping>, StoreError> = rows
        .into_iter()
        .map(|row| {
            let corrupt = StoreError::Corrupt { table: "mapping_versions", column: "definition", id: row.mapping_id };
            serde_json::from_value(row.definition).map_err(|_| corrupt)
        })
        .collect();
    // The version that a name means comes first.
    let mut fixes: Vec<Fix> = Vec::new();
    for version in configuration::list_playbook_versions(tx).await? {
        if !fixes.iter().any(|fix| fix.name == version.name) {
            fixes.extend(Fix::read(&version.name, &version.content));
        }
    }
    let hosts: Vec<Alike> = hosts::list_limited(tx, client_id, HOSTS)
        .await?
        .into_iter()
        .map(|row| Alike {
            tags: serde_json::from_value(row.tags).unwrap_or_default(),
            limits: OwnLimits::read(&row.own_limits),
            client: row.client,
            names: row.names,
        })
        .collect();
    let found = refused(&mappings?, &fixes, &hosts).into_iter();
    Ok(found
        .map(|r| Refused { mapping: r.mapping, playbook: r.playbook, refusing: r.refusing, hosts: r.hosts })
        .collect())
}
