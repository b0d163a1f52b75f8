//! What an organization begins with when it signs up: the rules of `infra/starter.yaml`.

use std::path::Path;
use std::sync::Arc;

use keys::seal::MasterKey;
use store::TenantTx;

use super::apply::{ApplyError, write_rules};
use super::draft::Draft;
use super::known::Known;
use crate::seed::Rejected;

/// The rules, without the organization's name before them.
const RULES: &str = include_str!("../../../../infra/starter.yaml");

/// Why the rules could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    /// The rules themselves are wrong beside what the organization has.
    #[error("the first rules are not sound: {0}")]
    Rejected(Rejected),
    /// They could not be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Writes them, signed with a key of the organization's own.
pub fn starter(master: Arc<MasterKey>) -> web::Starter {
    web::Starter::new(move |tx| {
        let master = master.clone();
        Box::pin(async move { Ok(write(tx, &master).await?) })
    })
}

async fn write(tx: &mut TenantTx, master: &MasterKey) -> Result<(), StarterError> {
    let known = Known::load(tx).await.map_err(ApplyError::from)?;
    let text = format!("tenant: {{name: {}}}\n{RULES}", serde_json::json!(known.document.tenant.name));
    let draft = Draft::read(Path::new("starter.yaml"), &text);
    let seed = draft.check(&known, &|_| None).map_err(StarterError::Rejected)?;
    Ok(write_rules(tx, master, known, &seed).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_sound_beside_an_organization_with_one_owner() {
        let text = "tenant: {name: A}\nmembers: [{name: O, email: o@a.example, role: owner, password: correct horse battery}]\n";
        let owner = Draft::read(Path::new("a.yaml"), text).check(&Known::nothing(), &|_| None).unwrap();
        let mut known = Known::nothing();
        known.document = owner.document;
        let draft = Draft::read(Path::new("starter.yaml"), &format!("tenant: {{name: A}}\n{RULES}"));
        let seed = draft.check(&known, &|_| None).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(seed.document.checks.len(), 2);
    }
}
