//! SQL of file batches.

use chrono::{DateTime, Utc};
use insula_tenancy::{BatchId, TenantTx, VectorStoreId};

use super::FileCounts;
use super::batch::Batch;
use crate::Result;

#[derive(sqlx::FromRow)]
struct Row {
    id: BatchId,
    vector_store_id: VectorStoreId,
    created_at: DateTime<Utc>,
    cancelled: bool,
    in_progress: i64,
    completed: i64,
    failed: i64,
    cancelled_files: i64,
}

impl From<Row> for Batch {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            vector_store_id: row.vector_store_id,
            created_at: row.created_at,
            file_counts: FileCounts {
                in_progress: row.in_progress,
                completed: row.completed,
                failed: row.failed,
                cancelled: row.cancelled_files,
            },
            cancelled: row.cancelled,
        }
    }
}

pub(super) async fn insert(tx: &mut TenantTx, store_id: VectorStoreId) -> Result<BatchId> {
    let id = BatchId::generate();
    sqlx::query("insert into file_batches (id, vector_store_id) values ($1, $2)")
        .bind(id)
        .bind(store_id)
        .execute(&mut **tx)
        .await?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, store_id: VectorStoreId, id: BatchId) -> Result<Option<Batch>> {
    let row: Option<Row> = sqlx::query_as(
        "select b.id, b.vector_store_id, b.created_at, b.cancelled_at is not null as cancelled,
                count(*) filter (where f.status = 'in_progress') as in_progress,
                count(*) filter (where f.status = 'completed') as completed,
                count(*) filter (where f.status = 'failed') as failed,
                count(*) filter (where f.status = 'cancelled') as cancelled_files
         from file_batches b
         left join vector_store_files f
           on f.tenant_id = b.tenant_id and f.vector_store_id = b.vector_store_id and f.batch_id = b.id
         where b.vector_store_id = $1 and b.id = $2
         group by b.tenant_id, b.id",
    )
    .bind(store_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Batch::from))
}

pub(super) async fn set_cancelled(tx: &mut TenantTx, store_id: VectorStoreId, id: BatchId) -> Result<()> {
    sqlx::query("update file_batches set cancelled_at = now() where vector_store_id = $1 and id = $2")
        .bind(store_id)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Which of the batches are finished by this call.
pub(super) async fn set_finished(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    ids: &[BatchId],
) -> Result<Vec<BatchId>> {
    Ok(sqlx::query_scalar(
        "update file_batches b set finished_at = now()
         where b.vector_store_id = $1 and b.id = any ($2) and b.finished_at is null
           and not exists (select from vector_store_files f
                           where f.vector_store_id = $1 and f.batch_id = b.id and f.status = 'in_progress')
         returning b.id",
    )
    .bind(store_id)
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?)
}
