//! A secret that something refers to by its name: opened for one use, or why it cannot be.

use domain::secret::Kind;
use keys::Secret;
use keys::seal::MasterKey;
use store::{StoreError, TenantTx, secrets};

/// What the secret `name` of this kind says; or the sentence that says what is wrong with it, and nothing of it.
pub(crate) async fn open(
    tx: &mut TenantTx,
    master: &MasterKey,
    name: &str,
    wanted: Kind,
) -> store::Result<Result<Secret, String>> {
    let why = match secrets::open(tx, master, name).await {
        Ok(Some((kind, value))) if kind == wanted => return Ok(Ok(value)),
        Ok(Some((kind, _))) => format!("is an {}, not an {}", kind.label(), wanted.label()),
        Ok(None) => "is not there: somebody has to set it".to_owned(),
        Err(error @ StoreError::DoesNotOpen { .. }) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a secret does not open");
            "does not open: somebody has to replace it".to_owned()
        }
        Err(error) => return Err(error),
    };
    Ok(Err(format!("its secret “{name}” {why}")))
}
