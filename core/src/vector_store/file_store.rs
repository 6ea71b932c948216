//! SQL of files of vector stores.

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::Attributes;
use super::file::{Chunking, LastError, NewStoreFile, Status, StoreFile};
use crate::page::{Listing, Page, paged};
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    file_id: FileId,
    vector_store_id: VectorStoreId,
    status: String,
    error_code: Option<String>,
    error_message: Option<String>,
    attributes: Json<Attributes>,
    max_chunk_tokens: Option<i32>,
    chunk_overlap_tokens: Option<i32>,
    usage_bytes: i64,
    chunk_count: i32,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for StoreFile {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            file_id: row.file_id,
            vector_store_id: row.vector_store_id,
            status: row.status.parse().map_err(Error::internal)?,
            last_error: row.error_code.map(|code| LastError {
                code,
                message: row.error_message.unwrap_or_default(),
            }),
            attributes: row.attributes.0,
            chunking: match (row.max_chunk_tokens, row.chunk_overlap_tokens) {
                (Some(max_tokens), Some(overlap_tokens)) => Chunking::Static {
                    max_tokens,
                    overlap_tokens,
                },
                _ => Chunking::Auto,
            },
            usage_bytes: row.usage_bytes,
            chunk_count: row.chunk_count,
            created_at: row.created_at,
        })
    }
}

const PAGES: (&str, &str) = paged!(
    select "file_id, vector_store_id, status, error_code, error_message, attributes, max_chunk_tokens,
            chunk_overlap_tokens, usage_bytes, chunk_count, created_at"
    from "vector_store_files", id "file_id", cursor "vector_store_files where vector_store_id = $1",
    where "vector_store_id = $1 and ($2::uuid is null or file_id = $2) and ($3::text is null or status = $3)",
    "$4" "$5" "$6"
);

/// Inserts or updates; `true` if the file has to be read.
pub(super) async fn upsert(tx: &mut TenantTx, store_id: VectorStoreId, new: &NewStoreFile) -> Result<bool> {
    let (max_tokens, overlap_tokens) = match new.chunking {
        Chunking::Auto => (None, None),
        Chunking::Static {
            max_tokens,
            overlap_tokens,
        } => (Some(max_tokens), Some(overlap_tokens)),
    };
    let present: Option<(String, bool)> = sqlx::query_as(
        "select status, max_chunk_tokens is not distinct from $3 and chunk_overlap_tokens is not distinct from $4
         from vector_store_files where vector_store_id = $1 and file_id = $2 for update",
    )
    .bind(store_id)
    .bind(new.file_id)
    .bind(max_tokens)
    .bind(overlap_tokens)
    .fetch_optional(&mut **tx)
    .await?;
    let read_again = match &present {
        None => true,
        Some((status, same_chunking)) => match status.as_str() {
            "completed" => !same_chunking,
            "in_progress" if !same_chunking => {
                let message =
                    "The file is being read with another chunking_strategy; try again when it is done.";
                return Err(Error::invalid("chunking_strategy", message));
            }
            "in_progress" => false,
            _ => true,
        },
    };
    sqlx::query(
        "insert into vector_store_files
           (vector_store_id, file_id, attributes, max_chunk_tokens, chunk_overlap_tokens)
         values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, vector_store_id, file_id) do update set
           attributes = excluded.attributes, max_chunk_tokens = excluded.max_chunk_tokens,
           chunk_overlap_tokens = excluded.chunk_overlap_tokens,
           status = case when $6 then 'in_progress' else vector_store_files.status end,
           error_code = case when $6 then null else vector_store_files.error_code end,
           error_message = case when $6 then null else vector_store_files.error_message end",
    )
    .bind(store_id)
    .bind(new.file_id)
    .bind(Json(&new.attributes))
    .bind(max_tokens)
    .bind(overlap_tokens)
    .bind(read_again)
    .execute(&mut **tx)
    .await?;
    Ok(read_again)
}

pub(super) async fn touch(tx: &mut TenantTx, store_id: VectorStoreId) -> Result<()> {
    sqlx::query("update vector_stores set last_active_at = now() where id = $1")
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
        .fetch_optional(&mut **tx)
        .await?;
    row.map(StoreFile::try_from).transpose()
}

pub(super) async fn list(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
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

pub(super) async fn set_failed(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    code: &str,
    message: &str,
) -> Result<()> {
    sqlx::query(
        "update vector_store_files
         set status = 'failed', error_code = $3, error_message = $4, usage_bytes = 0, chunk_count = 0
         where vector_store_id = $1 and file_id = $2",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(code)
    .bind(message)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// `false` if the file is not in progress.
pub(super) async fn set_cancelled(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<bool> {
    let done = sqlx::query(
        "update vector_store_files set status = 'cancelled', usage_bytes = 0, chunk_count = 0
         where vector_store_id = $1 and file_id = $2 and status = 'in_progress'",
    )
    .bind(store_id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// `false` if the file neither failed nor was cancelled.
pub(super) async fn set_in_progress(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<bool> {
    let done = sqlx::query(
        "update vector_store_files set status = 'in_progress', error_code = null, error_message = null
         where vector_store_id = $1 and file_id = $2 and status in ('failed', 'cancelled')",
    )
    .bind(store_id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    sqlx::query("delete from vector_store_files where vector_store_id = $1 and file_id = $2")
        .bind(store_id)
        .bind(file_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
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
    // A sparsevec prints as {position:value,…}/dimensions, and positions are term ids.
    sqlx::query(
        "with gone as (
           select split_part(pair, ':', 1)::int as term, count(*)::int as n
           from chunks c, string_to_table(trim(both '{}' from split_part(c.terms::text, '/', 1)), ',') as pair
           where c.vector_store_id = $1 and c.file_id = $2 and pair <> '' group by 1
         )
         update term_stats s set df = s.df - gone.n
         from gone where s.vector_store_id = $1 and s.term = gone.term",
    )
    .bind(store_id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    sqlx::query("delete from term_stats where vector_store_id = $1 and df <= 0")
        .bind(store_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "with gone as (
           delete from chunks where vector_store_id = $1 and file_id = $2 returning term_count
         )
         update vector_stores set chunk_count = chunk_count - (select count(*) from gone),
                term_count = term_count - (select coalesce(sum(term_count), 0) from gone)
         where id = $1",
    )
    .bind(store_id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
