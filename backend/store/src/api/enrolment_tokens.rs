//! Enrolment tokens of both kinds by id.

use uuid::Uuid;

use crate::enrolment_tokens::{Stored, Token};
use crate::{Result, TenantTx};

/// The tokens after one, by id.
pub async fn list(tx: &mut TenantTx, after: Option<Uuid>, limit: i64) -> Result<Vec<Token>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        Stored,
        r#"SELECT t.token_id AS "token_id!", t.client_id AS "client_id!", c.name AS client, s.name AS "site?", t.host AS "host?", t.begins AS "begins?",
             t.networks AS "networks!", t.uses AS "uses!", k.uses_left AS "uses_left!", t.created_at AS "created_at!", t.created_by AS "created_by?",
             t.expires_at AS "expires_at!", k.revoked_at
           FROM (SELECT e.enrolment_id AS token_id, e.client_id, e.site_id, e.host_name AS host, e.begins, e.networks, 1 AS uses, e.created_at, e.created_by, e.expires_at
                   FROM enrolments e WHERE e.tenant_id = $1 AND e.enrolment_id > $2
                 UNION ALL SELECT m.token_id, m.client_id, m.site_id, NULL, m.begins, m.networks, m.uses, m.created_at, m.created_by, m.expires_at
                   FROM enrolment_tokens m WHERE m.tenant_id = $1 AND m.token_id > $2) t
           JOIN clients c ON c.tenant_id = $1 AND c.client_id = t.client_id
           JOIN credentials k ON k.tenant_id = $1 AND k.kind = 'enrolment_token' AND k.subject_id = t.token_id
           LEFT JOIN sites s ON s.tenant_id = $1 AND s.site_id = t.site_id
           ORDER BY t.token_id LIMIT $3"#,
        tenant_id,
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Token::from).collect())
}
