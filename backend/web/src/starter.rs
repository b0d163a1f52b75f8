//! What a new organization begins with: checks, playbooks and mappings that whoever wires the server provides.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use store::TenantTx;

/// What writing it gives.
pub type Written<'a> = Pin<Box<dyn Future<Output = Result<(), anyhow::Error>> + Send + 'a>>;

/// Writes the first rules of an organization in the transaction that makes it whole.
#[derive(Clone)]
pub struct Starter(Arc<dyn for<'a> Fn(&'a mut TenantTx) -> Written<'a> + Send + Sync>);

impl Starter {
    /// Writes by `write`.
    pub fn new(write: impl for<'a> Fn(&'a mut TenantTx) -> Written<'a> + Send + Sync + 'static) -> Starter {
        Starter(Arc::new(write))
    }

    /// Begins with nothing.
    pub fn nothing() -> Starter {
        Starter::new(|_| Box::pin(async { Ok(()) }))
    }

    /// Writes.
    pub(crate) async fn write(&self, tx: &mut TenantTx) -> Result<(), anyhow::Error> {
        (self.0)(tx).await
    }
}

impl fmt::Debug for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Starter")
    }
}
