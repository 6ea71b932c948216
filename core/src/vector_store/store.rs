//! SQL of vector stores.

use chrono::{DateTime, Utc};
use insula_tenancy::{TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::{FileCounts, Metadata, NewVectorStore, VectorStore, VectorStoreUpdate, not_found};
use crate::Result;
use crate::page::{Listing, Page, paged};

#[derive(sqlx::FromRow)]
struct Row {
    id: VectorStoreId,
    name: String,
    description: Option<String>,
    metadata: Json<Metadata>,
    embedding_model: String,
    expires_after_days: Option<i32>,
    created_at: DateTime<Utc>,
    last_active_at: DateTime<Utc>,
    expired: bool,
    usage_bytes: i64,
    in_progress: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
}

impl From<Row> for VectorStore {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            metadata: row.metadata.0,
            embedding_model: row.embedding_model,
            expires_after_days: row.expires_after_days,
            created_at: row.created_at,
            last_active_at: row.last_active_at,
            usage_bytes: row.usage_bytes,
            file_counts: FileCounts {
                in_progress: row.in_progress,
                completed: row.completed,
                failed: row.failed,
                cancelled: row.cancelled,
            },
            expired: row.expired,
        }
    }
}

pub(super) async fn insert(tx: &mut TenantTx, new: &NewVectorStore, model_id: i32) -> Result<VectorStoreId> {
    let id = VectorStoreId::generate();
    sqlx::query(
        "insert into vector_stores (id, name, description, metadata, embedding_model_id, expires_after_days)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(&new.name)
    .bind(&new.description)
    .bind(Json(&new.metadata))
    .bind(model_id)
    .bind(new.expires_after_days)
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

const PAGES: (&str, &str) = paged!(
    select "id, name, description, metadata, expires_after_days, created_at, last_active_at,
            (select m.name from embedding_models m where m.id = embedding_model_id) as embedding_model,
            expired_at is not null
              or coalesce(last_active_at + make_interval(days => expires_after_days) < now(), false) as expired,
            f.usage_bytes, f.in_progress, f.completed, f.failed, f.cancelled"
    from "vector_stores cross join lateral (
            select coalesce(sum(v.usage_bytes), 0)::bigint as usage_bytes,
                   count(*) filter (where v.status = 'in_progress') as in_progress,
                   count(*) filter (where v.status = 'completed') as completed,
                   count(*) filter (where v.status = 'failed') as failed,
                   count(*) filter (where v.status = 'cancelled') as cancelled
            from vector_store_files v
            where v.tenant_id = vector_stores.tenant_id and v.vector_store_id = vector_stores.id) f",
    id "id", cursor "vector_stores where true", where "($1::uuid is null or id = $1)", "$2" "$3" "$4"
);

pub(super) async fn find(tx: &mut TenantTx, id: VectorStoreId) -> Result<Option<VectorStore>> {
    let row: Option<Row> = sqlx::query_as(PAGES.0)
        .bind(id)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map(VectorStore::from))
}

pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<VectorStore>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(None::<uuid::Uuid>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows.into_iter().map(VectorStore::from).collect()))
}

pub(super) async fn update(tx: &mut TenantTx, id: VectorStoreId, update: VectorStoreUpdate) -> Result<()> {
    let VectorStoreUpdate {
        name,
        description,
        metadata,
        expires_after_days,
    } = update;
    // A change is a use, unless it comes too late.
    sqlx::query(
        "update vector_stores set
           expired_at = case when last_active_at + make_interval(days => expires_after_days) < now()
                             then coalesce(expired_at, now()) else expired_at end,
           last_active_at = case when expired_at is not null
                                   or last_active_at + make_interval(days => expires_after_days) < now()
                                 then last_active_at else now() end,
           name = case when $2 then coalesce($3, '') else name end,
           description = case when $4 then $5 else description end,
           metadata = case when $6 then coalesce($7, '{}') else metadata end,
           expires_after_days = case when $8 then $9 else expires_after_days end
         where id = $1",
    )
    .bind(id)
    .bind(name.is_some())
    .bind(name.flatten())
    .bind(description.is_some())
    .bind(description.flatten())
    .bind(metadata.is_some())
    .bind(metadata.flatten().map(Json))
    .bind(expires_after_days.is_some())
    .bind(expires_after_days.flatten())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, id: VectorStoreId) -> Result<bool> {
    Ok(sqlx::query("delete from vector_stores where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?
        .rows_affected()
        > 0)
}

/// What search and ingestion need to know of a store.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Located {
    pub(crate) embedding_model: String,
    pub(crate) embedding_model_id: i32,
    pub(crate) chunk_count: i64,
    pub(crate) term_count: i64,
    /// Counts the changes of its content.
    pub(crate) content_version: i64,
    /// Candidates of the first stage of a search, where they are not the model's own number.
    pub(crate) candidates: Option<i32>,
    pub(crate) expired: bool,
}

/// The store's model and corpus statistics.
pub(crate) async fn locate(tx: &mut TenantTx, id: VectorStoreId) -> Result<Located> {
    let row: Option<Located> = sqlx::query_as(
        "select m.name as embedding_model, s.embedding_model_id, s.chunk_count, s.term_count, s.content_version,
                r.candidates,
                s.expired_at is not null
                  or coalesce(s.last_active_at + make_interval(days => s.expires_after_days) < now(), false) as expired
         from vector_stores s join embedding_models m on m.id = s.embedding_model_id
         left join vector_store_recall r on r.tenant_id = s.tenant_id and r.vector_store_id = s.id
           and r.embedding_model_id = s.embedding_model_id
         where s.id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    row.ok_or_else(|| not_found(id))
}

/// Serializes changes of a store's content, so that its statistics add up and two writers cannot deadlock over them.
/// Readers are not held up. `false` if the store is gone.
pub(crate) async fn lock(tx: &mut TenantTx, id: VectorStoreId) -> Result<bool> {
    let locked: Option<i32> =
        sqlx::query_scalar("select 1 from vector_stores where id = $1 for no key update")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(locked.is_some())
}

/// Whether vectors of this length can be stored.
pub(crate) async fn stores_vectors_of(tx: &mut TenantTx, dimensions: usize) -> Result<bool> {
    Ok(sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(format!("embeddings_{dimensions}"))
        .fetch_one(&mut **tx)
        .await?)
}
