//! SQL of housekeeping.

use insula_tenancy::TenantTx;

use crate::Result;
use crate::idempotency::KEPT;

/// Answers that are no longer given again. `$1` rows at most, older than `$2`.
pub(super) const OLD_IDEMPOTENCY_KEYS: &str = "delete from idempotency_keys where key in (
   select key from idempotency_keys where created_at < now() - $2::text::interval limit $1)";

/// Uploads that have come to their end and are not asked for any more. As above.
pub(super) const ENDED_UPLOADS: &str = "delete from uploads where id in (
   select id from uploads where status <> 'pending' and created_at < now() - $2::text::interval limit $1)";

/// Vectors that were kept for another attempt of a job that never came. As above.
pub(super) const STAGED_EMBEDDINGS: &str =
    "delete from staged_embeddings where (embedding_model_id, embed_key) in (
   select embedding_model_id, embed_key from staged_embeddings
   where created_at < now() - $2::text::interval limit $1)";

/// Runs one of the statements above; how many rows it deleted.
pub(super) async fn delete_some(tx: &mut TenantTx, statement: &'static str, most: usize) -> Result<usize> {
    let done = sqlx::query(statement)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(KEPT)
        .execute(&mut **tx)
        .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// Whether a job of that kind waits or runs.
pub(super) async fn is_planned(tx: &mut TenantTx, kind: &str) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from jobs where kind = $1 and state in ('ready', 'running'))",
    )
    .bind(kind)
    .fetch_one(&mut **tx)
    .await?)
}

/// Which of the blobs no row names. A table that names blobs has to be asked here.
pub(super) async fn unknown_blobs(tx: &mut TenantTx, names: &[String]) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select name from unnest($1::text[]) as name
         where not exists (select from files where blob = name)
           and not exists (select from upload_parts where blob = name)
           and not exists (select from model_versions where blob = name or tokenizer_blob = name)",
    )
    .bind(names)
    .fetch_all(&mut **tx)
    .await?)
}

/// Whether there is anything to clean up after tomorrow.
pub(super) async fn has_anything(tx: &mut TenantTx) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from files) or exists (select from vector_stores) or exists (select from uploads)
             or exists (select from idempotency_keys) or exists (select from request_logs) or exists (select from searches)
             or exists (select from responses) or exists (select from conversations)",
    )
    .fetch_one(&mut **tx)
    .await?)
}
