//! Vectors of a store from Postgres into memory.

use std::collections::HashMap;
use std::sync::Arc;

use futures::TryStreamExt;
use insula_tenancy::{ChunkId, TenantTx, VectorStoreId};

use super::block::Block;
use crate::pg::Halfvec;
use crate::search::fetch::fetch_vectors;
use crate::{Error, Result, sql};

/// Chunks whose vectors are asked for at once, of those that came since.
const PAGE: usize = 1_000;

/// Which vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) store_id: VectorStoreId,
    pub(super) model_id: i32,
    pub(super) dimensions: usize,
    /// Beyond this nothing is loaded.
    pub(super) most_bytes: u64,
}

/// The store's content, as far as it says what has to be loaded.
#[derive(sqlx::FromRow)]
struct Content {
    content_version: i64,
    rewritten_version: i64,
    chunk_count: i64,
}

/// The store's vectors; `None` if it is gone, or too large. Of `before` is taken what is still right.
pub(super) async fn load(
    tx: &mut TenantTx,
    wanted: Wanted,
    before: Option<Arc<Block>>,
) -> Result<Option<Block>> {
    // Read first: should the content change while it is loaded, the block is newer than it says, and is not believed.
    let content: Option<Content> = sqlx::query_as(
        "select content_version, rewritten_version, chunk_count from vector_stores
         where id = $1 and embedding_model_id = $2",
    )
    .bind(wanted.store_id)
    .bind(wanted.model_id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(content) = content else { return Ok(None) };
    let chunks = usize::try_from(content.chunk_count).unwrap_or(0);
    if Block::bytes_of(wanted.dimensions, chunks) > wanted.most_bytes {
        return Ok(None);
    }
    match before.filter(|before| before.version >= content.rewritten_version) {
        Some(before) => renew(tx, wanted, content.content_version, before).await.map(Some),
        None => all(tx, wanted, content.content_version, chunks).await.map(Some),
    }
}

/// Everything, row by row as it comes.
async fn all(tx: &mut TenantTx, wanted: Wanted, version: i64, chunks: usize) -> Result<Block> {
    let mut block = Block::new(wanted.dimensions, version, chunks);
    let tenant_id = tx.tenant_id();
    let statement = sql::for_dimensions(
        "select chunk_id, embedding from embeddings_{dim}
         where tenant_id = $1 and vector_store_id = $2 and embedding_model_id = $3",
        wanted.dimensions,
    );
    let mut rows = sqlx::query_as(statement)
        .bind(tenant_id)
        .bind(wanted.store_id)
        .bind(wanted.model_id)
        .fetch(&mut **tx);
    while let Some((id, vector)) = rows.try_next().await? {
        let (id, vector): (ChunkId, Halfvec) = (id, vector);
        block.push(id, &vector);
    }
    Ok(block)
}

/// What is still there of a block, and what came since. Which chunks there are is read from the index alone.
async fn renew(tx: &mut TenantTx, wanted: Wanted, version: i64, before: Arc<Block>) -> Result<Block> {
    let tenant_id = tx.tenant_id();
    let statement = sql::for_dimensions(
        "select chunk_id from embeddings_{dim}
         where tenant_id = $1 and vector_store_id = $2 and embedding_model_id = $3",
        wanted.dimensions,
    );
    let ids: Vec<ChunkId> = sqlx::query_scalar(statement)
        .bind(tenant_id)
        .bind(wanted.store_id)
        .bind(wanted.model_id)
        .fetch_all(&mut **tx)
        .await?;
    let kept = tokio::task::spawn_blocking(move || {
        let rows: HashMap<ChunkId, usize> = before.ids().iter().copied().zip(0..).collect();
        let mut block = Block::new(wanted.dimensions, version, ids.len());
        let mut came = Vec::new();
        for id in ids {
            match rows.get(&id) {
                Some(row) => block.take(&before, *row),
                None => came.push(id),
            }
        }
        (block, came)
    });
    let (mut block, came) = kept.await.map_err(Error::internal)?;
    for page in came.chunks(PAGE) {
        let vectors = fetch_vectors(tx, wanted.model_id, wanted.dimensions, page).await?;
        for (id, vector) in &vectors {
            block.push(*id, vector);
        }
    }
    Ok(block)
}
