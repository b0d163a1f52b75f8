//! Tables `playbooks` and `playbook_versions`: content-addressed, signed at publication.

use uuid::Uuid;

use crate::{Result, TenantTx};

/// A published version.
#[derive(Debug, Clone)]
pub struct PlaybookVersion {
    /// The playbook.
    pub playbook_id: Uuid,
    /// Its name.
    pub name: String,
    /// SHA-256 of `content`.
    pub digest: Vec<u8>,
    /// Its number, from 1.
    pub version: i32,
    /// Canonical JSON, exactly as signed.
    pub content: String,
    /// The signature, hex.
    pub signature: String,
}

/// The version of a playbook that its name means: the current one, else the newest.
pub async fn find_by_name(tx: &mut TenantTx, name: &str) -> Result<Option<PlaybookVersion>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        PlaybookVersion,
        "SELECT p.playbook_id, p.name, v.digest, v.version, v.content, v.signature
         FROM playbooks p JOIN playbook_versions v ON v.tenant_id = p.tenant_id AND v.playbook_id = p.playbook_id
         WHERE p.tenant_id = $1 AND p.name = $2 ORDER BY (v.version = p.current_version) IS TRUE DESC, v.version DESC LIMIT 1",
        tenant_id,
        name
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// One version by its digest.
pub async fn find(tx: &mut TenantTx, digest: &[u8]) -> Result<Option<PlaybookVersion>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as!(
        PlaybookVersion,
        "SELECT p.playbook_id, p.name, v.digest, v.version, v.content, v.signature
         FROM playbook_versions v JOIN playbooks p ON p.tenant_id = v.tenant_id AND p.playbook_id = v.playbook_id
         WHERE v.tenant_id = $1 AND v.digest = $2",
        tenant_id,
        digest
    )
    .fetch_optional(tx.conn())
    .await?)
}
