//! SQL of attaching. The caller holds the store's lock.

use std::collections::{HashMap, HashSet};

use insula_tenancy::{BatchId, FileId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::Attributes;
use super::file::{Chunking, NewStoreFile};
use crate::Result;

/// What attaching has to know of a file that is in the store already.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Present {
    file_id: FileId,
    pub(super) status: String,
    max_chunk_tokens: Option<i32>,
    chunk_overlap_tokens: Option<i32>,
    pub(super) batch_id: Option<BatchId>,
}

impl Present {
    pub(super) fn chunking(&self) -> Chunking {
        Chunking::from_columns(self.max_chunk_tokens, self.chunk_overlap_tokens)
    }
}

/// A file with what was decided about it.
pub(super) struct Placed<'a> {
    pub(super) file: &'a NewStoreFile,
    /// Whether it is to be read, for the first time or again.
    pub(super) read: bool,
    pub(super) replaces: Option<FileId>,
}

/// Which of these files the tenant has.
pub(super) async fn known(tx: &mut TenantTx, ids: &[FileId]) -> Result<HashSet<FileId>> {
    let known: Vec<FileId> = sqlx::query_scalar(
        "select id from files where id = any ($1) and (expires_at is null or expires_at > now())",
    )
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?;
    Ok(known.into_iter().collect())
}

/// Which of these files the store has.
pub(super) async fn members(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    ids: &[FileId],
) -> Result<HashSet<FileId>> {
    let members: Vec<FileId> = sqlx::query_scalar(
        "select file_id from vector_store_files where vector_store_id = $1 and file_id = any ($2)",
    )
    .bind(store_id)
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?;
    Ok(members.into_iter().collect())
}

pub(super) async fn present(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    ids: &[FileId],
) -> Result<HashMap<FileId, Present>> {
    let rows: Vec<Present> = sqlx::query_as(
        "select file_id, status, max_chunk_tokens, chunk_overlap_tokens, batch_id
         from vector_store_files where vector_store_id = $1 and file_id = any ($2) for update",
    )
    .bind(store_id)
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.file_id, row)).collect())
}

/// Pairs of a new file and the old one whose place it will take.
pub(super) async fn replacements(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
) -> Result<Vec<(FileId, FileId)>> {
    Ok(sqlx::query_as(
        "select file_id, replaces from vector_store_files where vector_store_id = $1 and replaces is not null",
    )
    .bind(store_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// The files as columns, for `unnest`.
struct Columns<'a> {
    ids: Vec<FileId>,
    attributes: Vec<Json<&'a Attributes>>,
    max_tokens: Vec<Option<i32>>,
    overlap_tokens: Vec<Option<i32>>,
    replaces: Vec<Option<FileId>>,
    read: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn new(placed: &[&Placed<'a>]) -> Self {
        let (max_tokens, overlap_tokens) = placed.iter().map(|placed| placed.file.chunking.columns()).unzip();
        Self {
            ids: placed.iter().map(|placed| placed.file.file_id).collect(),
            attributes: placed
                .iter()
                .map(|placed| Json(&placed.file.attributes))
                .collect(),
            max_tokens,
            overlap_tokens,
            replaces: placed.iter().map(|placed| placed.replaces).collect(),
            read: placed.iter().map(|placed| placed.read).collect(),
        }
    }
}

/// Files that the store did not have.
pub(super) async fn insert(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: Option<BatchId>,
    placed: &[&Placed<'_>],
) -> Result<()> {
    if placed.is_empty() {
        return Ok(());
    }
    let columns = Columns::new(placed);
    sqlx::query(
        "insert into vector_store_files
           (vector_store_id, batch_id, file_id, attributes, max_chunk_tokens, chunk_overlap_tokens, replaces)
         select $1, $2, u.file_id, u.attributes, u.max_tokens, u.overlap_tokens, u.replaces
         from unnest($3::uuid[], $4::jsonb[], $5::int[], $6::int[], $7::uuid[])
              as u (file_id, attributes, max_tokens, overlap_tokens, replaces)",
    )
    .bind(store_id)
    .bind(batch_id)
    .bind(columns.ids)
    .bind(columns.attributes)
    .bind(columns.max_tokens)
    .bind(columns.overlap_tokens)
    .bind(columns.replaces)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Files that the store has. One that is read again keeps its passages, and how they were cut, until that is done.
pub(super) async fn update(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: Option<BatchId>,
    placed: &[&Placed<'_>],
) -> Result<()> {
    if placed.is_empty() {
        return Ok(());
    }
    let columns = Columns::new(placed);
    sqlx::query(
        "update vector_store_files f set
           batch_id = case when $2::uuid is not null then $2 when u.read then null else f.batch_id end,
           attributes = u.attributes, replaces = coalesce(u.replaces, f.replaces),
           previous_max_chunk_tokens =
             case when u.read and f.status = 'completed' then f.max_chunk_tokens else f.previous_max_chunk_tokens end,
           previous_chunk_overlap_tokens =
             case when u.read and f.status = 'completed' then f.chunk_overlap_tokens
                  else f.previous_chunk_overlap_tokens end,
           max_chunk_tokens = u.max_tokens, chunk_overlap_tokens = u.overlap_tokens,
           status = case when u.read then 'in_progress' else f.status end,
           error_code = case when u.read then null else f.error_code end,
           error_message = case when u.read then null else f.error_message end
         from unnest($3::uuid[], $4::jsonb[], $5::int[], $6::int[], $7::uuid[], $8::bool[])
              as u (file_id, attributes, max_tokens, overlap_tokens, replaces, read)
         where f.vector_store_id = $1 and f.file_id = u.file_id",
    )
    .bind(store_id)
    .bind(batch_id)
    .bind(columns.ids)
    .bind(columns.attributes)
    .bind(columns.max_tokens)
    .bind(columns.overlap_tokens)
    .bind(columns.replaces)
    .bind(columns.read)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
