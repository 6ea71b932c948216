//! SQL of the vectors that a migration makes and removes.

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};

use super::Side;
use crate::pg::Halfvec;
use crate::{Result, sql};

/// A chunk whose vector is wanted.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct StoredChunk {
    pub(super) id: ChunkId,
    file_id: FileId,
    ordinal: i32,
    pub(super) content: String,
    pub(super) heading_path: Vec<String>,
}

/// Where a walk over a store's chunks is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(FileId, i32);

impl StoredChunk {
    pub(super) fn place(&self) -> Place {
        Place(self.file_id, self.ordinal)
    }
}

/// The next chunks behind `after`, in the order of files and ordinals, that lack a vector.
pub(super) async fn lacking(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    side: Side,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<StoredChunk>> {
    let Place(file_id, ordinal) = after.unwrap_or(Place(uuid::Uuid::nil().into(), -1));
    Ok(sqlx::query_as(sql::for_dimensions(
        "select c.id, c.file_id, c.ordinal, c.content, c.heading_path from chunks c
         where c.vector_store_id = $1 and (c.file_id, c.ordinal) > ($3, $4)
           and not exists (select from embeddings_{dim} e where e.chunk_id = c.id and e.embedding_model_id = $2)
         order by c.file_id, c.ordinal limit $5",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .bind(file_id)
    .bind(ordinal)
    .bind(limit)
    .fetch_all(&mut **tx)
    .await?)
}

/// Gives chunks the vectors that the tenant has for the same texts elsewhere. Which chunks.
pub(super) async fn take_over(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    side: Side,
    ids: &[ChunkId],
) -> Result<Vec<ChunkId>> {
    Ok(sqlx::query_scalar(sql::for_dimensions(
        "insert into embeddings_{dim} (vector_store_id, embedding_model_id, chunk_id, embedding)
         select $1, $2, c.id, known.embedding from chunks c
         cross join lateral (
           select e.embedding from chunks o
           join embeddings_{dim} e on e.tenant_id = o.tenant_id and e.chunk_id = o.id and e.embedding_model_id = $2
           where o.embed_key = c.embed_key limit 1
         ) known
         where c.id = any ($3)
         on conflict (tenant_id, chunk_id, embedding_model_id) do nothing
         returning chunk_id",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?)
}

/// Whether some chunk lacks a vector.
pub(super) async fn any_lacking(tx: &mut TenantTx, store_id: VectorStoreId, side: Side) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::for_dimensions(
        "select exists (
           select from chunks c where c.vector_store_id = $1
             and not exists (select from embeddings_{dim} e where e.chunk_id = c.id and e.embedding_model_id = $2))",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .fetch_one(&mut **tx)
    .await?)
}

/// How many chunks have a vector.
pub(super) async fn count(tx: &mut TenantTx, store_id: VectorStoreId, side: Side) -> Result<i64> {
    Ok(sqlx::query_scalar(sql::for_dimensions(
        "select count(*) from embeddings_{dim} where vector_store_id = $1 and embedding_model_id = $2",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .fetch_one(&mut **tx)
    .await?)
}

/// Stores vectors of chunks that are still there, and that have none yet. How many.
pub(super) async fn insert(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    side: Side,
    ids: &[ChunkId],
    vectors: &[Halfvec],
) -> Result<i64> {
    let inserted = sqlx::query(sql::for_dimensions(
        "insert into embeddings_{dim} (vector_store_id, embedding_model_id, chunk_id, embedding)
         select $1, $2, u.id, u.embedding from unnest($3::uuid[], $4::halfvec[]) as u (id, embedding)
         join chunks c on c.id = u.id
         on conflict (tenant_id, chunk_id, embedding_model_id) do nothing",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .bind(ids)
    .bind(vectors)
    .execute(&mut **tx)
    .await?;
    Ok(i64::try_from(inserted.rows_affected()).unwrap_or(i64::MAX))
}

/// Removes up to `limit` of a model's vectors in a store. How many.
pub(super) async fn remove(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    side: Side,
    limit: i64,
) -> Result<i64> {
    let removed = sqlx::query(sql::for_dimensions(
        "delete from embeddings_{dim} where embedding_model_id = $2 and chunk_id = any (array(
           select chunk_id from embeddings_{dim} where vector_store_id = $1 and embedding_model_id = $2 limit $3))",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .bind(limit)
    .execute(&mut **tx)
    .await?;
    Ok(i64::try_from(removed.rows_affected()).unwrap_or(i64::MAX))
}

/// The ten chunks nearest to a query, by looking at all but one.
pub(super) async fn nearest(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    side: Side,
    query: &Halfvec,
    but: ChunkId,
) -> Result<Vec<ChunkId>> {
    Ok(sqlx::query_scalar(sql::for_dimensions(
        "select chunk_id from embeddings_{dim}
         where vector_store_id = $1 and embedding_model_id = $2 and chunk_id <> $4
         order by embedding <#> $3, chunk_id limit 10",
        side.dimensions,
    ))
    .bind(store_id)
    .bind(side.model_id)
    .bind(query)
    .bind(but)
    .fetch_all(&mut **tx)
    .await?)
}

/// Some chunks of the store, spread evenly, the same every time.
pub(super) async fn sample(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    limit: i64,
) -> Result<Vec<StoredChunk>> {
    Ok(sqlx::query_as(
        "select c.id, c.file_id, c.ordinal, c.content, c.heading_path from chunks c
         where c.id = any (array(select id from chunks where vector_store_id = $1 order by uuid_hash(id), id limit $2))
         order by c.id",
    )
    .bind(store_id)
    .bind(limit)
    .fetch_all(&mut **tx)
    .await?)
}

/// How many chunks the store has, and their bytes.
pub(super) async fn size(tx: &mut TenantTx, store_id: VectorStoreId) -> Result<(i64, i64)> {
    Ok(sqlx::query_as(
        "select count(*), coalesce(sum(octet_length(content)), 0)::bigint from chunks where vector_store_id = $1",
    )
    .bind(store_id)
    .fetch_one(&mut **tx)
    .await?)
}

/// The switch itself.
pub(super) async fn put_store_on(tx: &mut TenantTx, store_id: VectorStoreId, model_id: i32) -> Result<()> {
    sqlx::query("update vector_stores set embedding_model_id = $2 where id = $1")
        .bind(store_id)
        .bind(model_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Counts the store's files as they are with vectors of another length.
pub(super) async fn change_usage(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    from: Side,
    to: Side,
) -> Result<()> {
    let bytes = |side: Side| i64::try_from(side.dimensions * size_of::<u16>()).unwrap_or(i64::MAX);
    sqlx::query(
        "update vector_store_files set usage_bytes = usage_bytes + chunk_count * $2
         where vector_store_id = $1 and chunk_count > 0",
    )
    .bind(store_id)
    .bind(bytes(to) - bytes(from))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
