//! How much a tenant may store, set by the operator.

use serde_json::{Value, json};

use crate::audit::{Act, Event, record_by_operator};
use crate::{OperatorTx, Result, TenantId};

/// Most that a tenant may store; `None` is any amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Quotas {
    /// Files.
    #[sqlx(rename = "max_files")]
    pub files: Option<i64>,
    /// Bytes of files.
    #[sqlx(rename = "max_bytes")]
    pub bytes: Option<i64>,
    /// Chunks of all vector stores.
    #[sqlx(rename = "max_chunks")]
    pub chunks: Option<i64>,
}

/// A tenant's quotas beside what it stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Storage {
    /// What it may store.
    #[sqlx(flatten)]
    pub quotas: Quotas,
    /// Files that it has.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// The quotas of a tenant, and what it stores.
///
/// # Errors
/// When the database is away.
pub async fn get(tx: &mut OperatorTx, tenant: TenantId) -> Result<Storage> {
    Ok(sqlx::query_as(
        "select q.max_files, q.max_bytes, q.max_chunks, coalesce(u.files, 0) as files, coalesce(u.bytes, 0) as bytes
         from tenants t left join tenant_quotas q on q.tenant_id = t.id left join tenant_usage u on u.tenant_id = t.id
         where t.id = $1",
    )
    .bind(tenant)
    .fetch_one(&mut **tx)
    .await?)
}

/// Replaces the quotas of a tenant. What is above a new one stays; only more is refused.
///
/// # Errors
/// When a quota is negative, or the database is away.
pub async fn set(tx: &mut OperatorTx, tenant: TenantId, quotas: Quotas) -> Result<()> {
    let before = get(tx, tenant).await?.quotas;
    sqlx::query(
        "insert into tenant_quotas (tenant_id, max_files, max_bytes, max_chunks) values ($1, $2, $3, $4)
         on conflict (tenant_id) do update set max_files = excluded.max_files, max_bytes = excluded.max_bytes,
           max_chunks = excluded.max_chunks",
    )
    .bind(tenant)
    .bind(quotas.files)
    .bind(quotas.bytes)
    .bind(quotas.chunks)
    .execute(&mut **tx)
    .await?;
    let act = Act::new(Event::QuotaUpdated, tenant).changed(told(before), told(quotas));
    record_by_operator(tx, tenant, act).await
}

fn told(Quotas { files, bytes, chunks }: Quotas) -> Value {
    json!({"files": files, "bytes": bytes, "chunks": chunks})
}
