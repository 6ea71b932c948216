//! SQL of files of vector stores.

use chrono::{DateTime, Utc};
use insula_tenancy::{BatchId, ChunkId, FileId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::Attributes;
use super::file::{Chunking, LastError, Status, StoreFile};
use crate::ingest::ParseError;
use crate::page::{Listing, Page, paged};
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    file_id: FileId,
    vector_store_id: VectorStoreId,
    filename: String,
    status: String,
    error_code: Option<String>,
    error_message: Option<String>,
    attributes: Json<Attributes>,
    max_chunk_tokens: Option<i32>,
    chunk_overlap_tokens: Option<i32>,
    usage_bytes: i64,
    chunk_count: i32,
    replaces: Option<FileId>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for StoreFile {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            file_id: row.file_id,
            vector_store_id: row.vector_store_id,
            filename: row.filename,
            status: row.status.parse().map_err(Error::internal)?,
            last_error: row.error_code.map(|code| LastError {
                code,
                message: row.error_message.unwrap_or_default(),
            }),
            attributes: row.attributes.0,
            chunking: Chunking::from_columns(row.max_chunk_tokens, row.chunk_overlap_tokens),
            usage_bytes: row.usage_bytes,
            chunk_count: row.chunk_count,
            replaces: row.replaces,
            created_at: row.created_at,
        })
    }
}

const PAGES: (&str, &str) = paged!(
    select "file_id, vector_store_id, (select filename from files where files.id = file_id) as filename, status, error_code, error_message, attributes, max_chunk_tokens,
            chunk_overlap_tokens, usage_bytes, chunk_count, replaces, created_at"
    from "vector_store_files", id "file_id", cursor "vector_store_files where vector_store_id = $1",
    where "vector_store_id = $1 and ($2::uuid is null or file_id = $2) and ($3::text is null or status = $3)
            and ($7::uuid is null or batch_id = $7)",
    "$4" "$5" "$6"
);

pub(super) async fn touch(tx: &mut TenantTx, store_id: VectorStoreId) -> Result<()> {
    sqlx::query(
        "update vector_stores set last_active_at = now()
         where id = $1 and expired_at is null
           and coalesce(last_active_at + make_interval(days => expires_after_days) >= now(), true)",
    )
    .bind(store_id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn find(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Option<StoreFile>> {
    let row: Option<Row> = sqlx::query_as(PAGES.0)
        .bind(store_id)
        .bind(file_id)
        .bind(None::<&str>)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .bind(None::<BatchId>)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(StoreFile::try_from).transpose()
}

pub(super) async fn list(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: Option<BatchId>,
    status: Option<Status>,
    page: Page,
) -> Result<Listing<StoreFile>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(store_id)
        .bind(None::<uuid::Uuid>)
        .bind(status.map(Status::as_str))
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .bind(batch_id)
        .fetch_all(&mut **tx)
        .await?;
    let files = rows
        .into_iter()
        .map(StoreFile::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(scan.finish(files))
}

pub(super) async fn set_attributes(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    attributes: &Attributes,
) -> Result<()> {
    sqlx::query("update vector_store_files set attributes = $3 where vector_store_id = $1 and file_id = $2")
        .bind(store_id)
        .bind(file_id)
        .bind(Json(attributes))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A file that is not in progress any more.
#[derive(sqlx::FromRow)]
pub(super) struct Ended {
    pub(super) batch_id: Option<BatchId>,
    pub(super) status: String,
}

/// Ends the reading of files that are in progress: a file with passages is completed as it was before, any other one gets
/// `status`.
pub(super) async fn set_unread(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_ids: &[FileId],
    status: &'static str,
    error: Option<&ParseError>,
) -> Result<Vec<Ended>> {
    Ok(sqlx::query_as(
        "update vector_store_files set
           status = case when chunk_count > 0 then 'completed' else $3 end,
           error_code = $4,
           error_message = case when chunk_count > 0 and $4 is not null then
             'The file could not be read again; searches go on with what was read before. ' || $5 else $5 end,
           max_chunk_tokens = case when chunk_count > 0 then previous_max_chunk_tokens else max_chunk_tokens end,
           chunk_overlap_tokens =
             case when chunk_count > 0 then previous_chunk_overlap_tokens else chunk_overlap_tokens end
         where vector_store_id = $1 and file_id = any ($2) and status = 'in_progress'
         returning batch_id, status",
    )
    .bind(store_id)
    .bind(file_ids)
    .bind(status)
    .bind(error.map(|error| error.code.as_str()))
    .bind(error.map(|error| error.message.as_str()))
    .fetch_all(&mut **tx)
    .await?)
}

/// Gives up a file whose passages were removed because its store has expired.
pub(super) async fn set_expired(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Vec<Ended>> {
    Ok(sqlx::query_as(
        "update vector_store_files
         set status = 'cancelled', error_code = null, error_message = null, usage_bytes = 0, chunk_count = 0
         where vector_store_id = $1 and file_id = $2
         returning batch_id, status",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Lets a file that failed or was cancelled be in progress again, and its batch with it. `false` if it did neither.
pub(super) async fn set_in_progress(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<bool> {
    let again: Option<Option<BatchId>> = sqlx::query_scalar(
        "update vector_store_files set status = 'in_progress', error_code = null, error_message = null
         where vector_store_id = $1 and file_id = $2 and status in ('failed', 'cancelled')
         returning batch_id",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(batch_id) = again else {
        return Ok(false);
    };
    sqlx::query(
        "update file_batches set finished_at = null, cancelled_at = null where vector_store_id = $1 and id = $2",
    )
    .bind(store_id)
    .bind(batch_id)
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// What the row of a file that left its store said.
#[derive(sqlx::FromRow)]
pub(super) struct Gone {
    pub(super) batch_id: Option<BatchId>,
    pub(super) replaces: Option<FileId>,
}

pub(super) async fn delete(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Option<Gone>> {
    Ok(sqlx::query_as(
        "delete from vector_store_files where vector_store_id = $1 and file_id = $2 returning batch_id, replaces",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// What a file replaces, and what that was to replace, and so on.
pub(super) async fn older_versions(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Vec<FileId>> {
    Ok(sqlx::query_scalar(
        "with recursive older as (
           select replaces as file_id from vector_store_files
           where vector_store_id = $1 and file_id = $2 and replaces is not null
           union
           select f.replaces from vector_store_files f join older o on f.file_id = o.file_id
           where f.vector_store_id = $1 and f.replaces is not null
         )
         select file_id from older",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// The file that is to replace this one.
pub(super) async fn newer_version(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Option<FileId>> {
    Ok(sqlx::query_scalar(
        "select file_id from vector_store_files where vector_store_id = $1 and replaces = $2",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_optional(&mut **tx)
    .await?)
}

pub(super) async fn set_replaces(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    older: FileId,
) -> Result<()> {
    sqlx::query("update vector_store_files set replaces = $3 where vector_store_id = $1 and file_id = $2")
        .bind(store_id)
        .bind(file_id)
        .bind(older)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Which of the files have passages.
pub(super) async fn with_chunks(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_ids: &[FileId],
) -> Result<Vec<FileId>> {
    Ok(sqlx::query_scalar(
        "select file_id from vector_store_files
         where vector_store_id = $1 and file_id = any ($2) and chunk_count > 0",
    )
    .bind(store_id)
    .bind(file_ids)
    .fetch_all(&mut **tx)
    .await?)
}

pub(super) async fn batch_of(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Option<BatchId>> {
    let batch: Option<Option<BatchId>> = sqlx::query_scalar(
        "select batch_id from vector_store_files where vector_store_id = $1 and file_id = $2",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(batch.flatten())
}

pub(super) async fn is_in_batch(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: BatchId,
    file_id: FileId,
) -> Result<bool> {
    Ok(batch_of(tx, store_id, file_id).await? == Some(batch_id))
}

/// The files of a batch that are not read yet.
pub(super) async fn in_progress_of(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: BatchId,
) -> Result<Vec<FileId>> {
    Ok(sqlx::query_scalar(
        "select file_id from vector_store_files
         where vector_store_id = $1 and batch_id = $2 and status = 'in_progress'",
    )
    .bind(store_id)
    .bind(batch_id)
    .fetch_all(&mut **tx)
    .await?)
}

pub(super) async fn stores_of(tx: &mut TenantTx, file_id: FileId) -> Result<Vec<VectorStoreId>> {
    Ok(
        sqlx::query_scalar("select vector_store_id from vector_store_files where file_id = $1 order by 1")
            .bind(file_id)
            .fetch_all(&mut **tx)
            .await?,
    )
}

pub(super) async fn contents(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select content from chunks where vector_store_id = $1 and file_id = $2 order by ordinal",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Removes a file's chunks (their vectors go with them) and takes them out of the store's statistics. The caller holds
/// the store's lock.
pub(crate) async fn remove_chunks(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    remove_some(tx, store_id, file_id, None).await
}

/// Removes one chunk, as [`remove_chunks`] does.
pub(crate) async fn remove_chunk(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    chunk_id: ChunkId,
) -> Result<()> {
    remove_some(tx, store_id, file_id, Some(chunk_id)).await
}

async fn remove_some(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    only: Option<ChunkId>,
) -> Result<()> {
    // A sparsevec prints as {position:value,…}/dimensions, and positions are term ids.
    sqlx::query(
        "with gone as (
           select split_part(pair, ':', 1)::int as term, count(*)::int as n
           from chunks c, string_to_table(trim(both '{}' from split_part(c.terms::text, '/', 1)), ',') as pair
           where c.vector_store_id = $1 and c.file_id = $2 and ($3::uuid is null or c.id = $3) and pair <> ''
           group by 1
         )
         update term_stats s set df = s.df - gone.n
         from gone where s.vector_store_id = $1 and s.term = gone.term",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(only)
    .execute(&mut **tx)
    .await?;
    sqlx::query("delete from term_stats where vector_store_id = $1 and df <= 0")
        .bind(store_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "with gone as (
           delete from chunks where vector_store_id = $1 and file_id = $2 and ($3::uuid is null or id = $3)
           returning term_count
         )
         update vector_stores set chunk_count = chunk_count - (select count(*) from gone),
                term_count = term_count - (select coalesce(sum(term_count), 0) from gone),
                -- A single chunk may come back under its id with another vector.
                rewritten_version = case when $3 is null then rewritten_version else content_version + 1 end
         where id = $1",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(only)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
