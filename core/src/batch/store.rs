//! SQL of batches.

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, KeyId, RequestBatchId, TenantTx};
use sqlx::types::Json;

use super::input::Place;
use super::{Batch, BatchError, Callable, NewBatch, Status, Times};
use crate::page::{Listing, Page, paged};
use crate::vector_store::Metadata;
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    id: RequestBatchId,
    key_id: KeyId,
    endpoint: String,
    input_file_id: FileId,
    metadata: Option<Json<Metadata>>,
    output_expires_after: Option<i64>,
    status: String,
    errors: Option<Json<Vec<BatchError>>>,
    total: i32,
    completed: i32,
    failed: i32,
    resume_line: i64,
    resume_offset: i64,
    output_file_id: Option<FileId>,
    error_file_id: Option<FileId>,
    now: DateTime<Utc>,
    #[sqlx(flatten)]
    times: Times,
}

impl TryFrom<Row> for Batch {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let endpoint = Callable::find(&row.endpoint);
        let seconds = row.output_expires_after.map(u64::try_from).transpose();
        Ok(Self {
            id: row.id,
            endpoint: endpoint.ok_or_else(|| Error::internal(format!("a batch of '{}'", row.endpoint)))?,
            input_file_id: row.input_file_id,
            metadata: row.metadata.map(|Json(metadata)| metadata),
            status: Status::read(&row.status)?,
            errors: row.errors.map(|Json(errors)| errors).unwrap_or_default(),
            total: row.total,
            completed: row.completed,
            failed: row.failed,
            output_file_id: row.output_file_id,
            error_file_id: row.error_file_id,
            times: row.times,
            key_id: row.key_id,
            output_expires_after: seconds.map_err(Error::internal)?.map(Duration::from_secs),
            resume: Place {
                line: row.resume_line,
                offset: u64::try_from(row.resume_offset).map_err(Error::internal)?,
            },
            now: row.now,
        })
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, key_id, endpoint, input_file_id, metadata, output_expires_after, status, errors, total, completed, failed,
            resume_line, resume_offset, output_file_id, error_file_id, now() as now, created_at, expires_at, in_progress_at, finalizing_at, completed_at, failed_at, expired_at, cancelling_at, cancelled_at"
    from "batches", id "id", cursor "batches where true", where "($1::uuid is null or id = $1)", "$2" "$3" "$4"
);

pub(super) async fn insert(tx: &mut TenantTx, new: &NewBatch) -> Result<RequestBatchId> {
    let id = RequestBatchId::generate();
    let seconds = new.output_expires_after.map(|lifetime| lifetime.as_secs());
    sqlx::query(
        "insert into batches (id, key_id, endpoint, input_file_id, metadata, output_expires_after)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(new.key_id)
    .bind(new.endpoint.path())
    .bind(new.input_file_id)
    .bind(new.metadata.as_ref().map(Json))
    .bind(seconds.map(i64::try_from).transpose().map_err(Error::internal)?)
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, id: RequestBatchId) -> Result<Option<Batch>> {
    let listing = page(tx, Some(id), Page::first(1)).await?;
    Ok(listing.data.into_iter().next())
}

pub(super) async fn list(tx: &mut TenantTx, page_of: Page) -> Result<Listing<Batch>> {
    page(tx, None, page_of).await
}

async fn page(tx: &mut TenantTx, only: Option<RequestBatchId>, page: Page) -> Result<Listing<Batch>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(only)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    let batches = rows
        .into_iter()
        .map(Batch::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(scan.finish(batches))
}

/// `false`: it was too late.
pub(super) async fn set_cancelling(tx: &mut TenantTx, id: RequestBatchId) -> Result<bool> {
    let done = sqlx::query(
        "update batches set status = 'cancelling', cancelling_at = now()
         where id = $1 and status in ('validating', 'in_progress')",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets the lines be called, unless the batch was given up meanwhile.
pub(super) async fn set_in_progress(tx: &mut TenantTx, id: RequestBatchId, total: i32) -> Result<()> {
    sqlx::query(
        "update batches set status = 'in_progress', in_progress_at = coalesce(in_progress_at, now()), total = $2
         where id = $1 and status = 'validating'",
    )
    .bind(id)
    .bind(total)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends the calling of lines, unless the batch was given up meanwhile.
pub(super) async fn set_finalizing(tx: &mut TenantTx, id: RequestBatchId) -> Result<()> {
    sqlx::query(
        "update batches set status = 'finalizing', finalizing_at = now() where id = $1 and status = 'in_progress'",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes where the work goes on.
pub(super) async fn set_resume(tx: &mut TenantTx, id: RequestBatchId, place: Place) -> Result<()> {
    sqlx::query("update batches set resume_line = $2, resume_offset = $3 where id = $1")
        .bind(id)
        .bind(place.line)
        .bind(i64::try_from(place.offset).map_err(Error::internal)?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Counts lines that are done. Whether more may be called.
pub(super) async fn count(tx: &mut TenantTx, id: RequestBatchId, good: i32, bad: i32) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "update batches set completed = completed + $2, failed = failed + $3 where id = $1
         returning status = 'in_progress' and expires_at > now()",
    )
    .bind(id)
    .bind(good)
    .bind(bad)
    .fetch_one(&mut **tx)
    .await?)
}

/// Ends a batch. What it did not come to keeps its time; what it came to gets one.
pub(super) async fn end(
    tx: &mut TenantTx,
    id: RequestBatchId,
    status: Status,
    errors: &[BatchError],
    [output, error]: [Option<FileId>; 2],
) -> Result<()> {
    sqlx::query(
        "update batches set status = $2, errors = $3, output_file_id = $4, error_file_id = $5,
                completed_at = case when $2 = 'completed' then now() end,
                failed_at = case when $2 = 'failed' then now() end,
                expired_at = case when $2 = 'expired' then now() end,
                cancelled_at = case when $2 = 'cancelled' then now() end
         where id = $1",
    )
    .bind(id)
    .bind(status.as_str())
    .bind((!errors.is_empty()).then_some(Json(errors)))
    .bind(output)
    .bind(error)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Brings a batch that failed for our reasons back to where it was. `false`: it did not fail, or its lines are gone.
pub(super) async fn revive(tx: &mut TenantTx, id: RequestBatchId) -> Result<bool> {
    let done = sqlx::query(
        "update batches set errors = null, failed_at = null,
                status = case when cancelling_at is not null then 'cancelling' when finalizing_at is not null
                              then 'finalizing' when in_progress_at is not null then 'in_progress' else 'validating' end
         where id = $1 and status = 'failed' and output_file_id is null and error_file_id is null
           and (completed + failed = 0 or exists (select from batch_lines l where l.batch_id = batches.id))",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
