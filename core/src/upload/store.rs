//! SQL of uploads.

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, PartId, TenantTx, UploadId};
use uuid::Uuid;

use super::{NewUpload, Part, Status, Upload};
use crate::{Error, Result, file};

/// How long an assembler may go without a sign of life, as SQL's interval.
const ASSEMBLER_LEASE: &str = "60 seconds";

#[derive(sqlx::FromRow)]
struct Row {
    id: UploadId,
    filename: String,
    purpose: String,
    bytes: i64,
    status: String,
    lifetime_seconds: Option<i64>,
    file_id: Option<FileId>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Row {
    fn into_upload(self, file: Option<file::File>) -> Result<Upload> {
        let status = match self.status.as_str() {
            "pending" => Status::Pending,
            "completed" => Status::Completed,
            "cancelled" => Status::Cancelled,
            "expired" => Status::Expired,
            other => return Err(Error::internal(format!("an upload is '{other}'"))),
        };
        Ok(Upload {
            id: self.id,
            filename: self.filename,
            purpose: self.purpose.parse().map_err(Error::internal)?,
            bytes: self.bytes,
            status,
            file_lifetime: self
                .lifetime_seconds
                .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
            created_at: self.created_at,
            expires_at: self.expires_at,
            file,
        })
    }
}

pub(super) async fn insert(tx: &mut TenantTx, filename: &str, new: &NewUpload) -> Result<Upload> {
    let lifetime = new.file_lifetime.map(|lifetime| lifetime.as_secs());
    let row: Row = sqlx::query_as(
        "insert into uploads (id, filename, purpose, bytes, lifetime_seconds) values ($1, $2, $3, $4, $5)
         returning id, filename, purpose, bytes, status, lifetime_seconds, file_id, created_at, expires_at",
    )
    .bind(UploadId::generate())
    .bind(filename)
    .bind(new.purpose.as_str())
    .bind(new.bytes)
    .bind(lifetime.map(i64::try_from).transpose().map_err(Error::internal)?)
    .fetch_one(&mut **tx)
    .await?;
    row.into_upload(None)
}

pub(super) async fn find(tx: &mut TenantTx, id: UploadId) -> Result<Option<Upload>> {
    // Its time may be over before the job notices; while it is being assembled, it may take longer.
    let row: Option<Row> = sqlx::query_as(
        "select id, filename, purpose, bytes, lifetime_seconds, file_id, created_at, expires_at,
                case when status = 'pending' and expires_at < now() and coalesce(assembler_until < now(), true)
                     then 'expired' else status end as status
         from uploads where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let file = match row.file_id {
        None => None,
        Some(file_id) => match file::get(tx, file_id).await {
            Ok(file) => Some(file),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        },
    };
    row.into_upload(file).map(Some)
}

/// Makes changes of an upload wait for each other. `false` if it is gone.
pub(super) async fn lock(tx: &mut TenantTx, id: UploadId) -> Result<bool> {
    let locked: Option<i32> = sqlx::query_scalar("select 1 from uploads where id = $1 for no key update")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(locked.is_some())
}

/// Number and bytes of an upload's parts.
pub(super) async fn count_parts(tx: &mut TenantTx, id: UploadId) -> Result<(i64, i64)> {
    Ok(sqlx::query_as(
        "select count(*), coalesce(sum(bytes), 0)::bigint from upload_parts where upload_id = $1",
    )
    .bind(id)
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn insert_part(tx: &mut TenantTx, id: UploadId, bytes: i64, blob: &str) -> Result<Part> {
    let part = PartId::generate();
    let created_at: DateTime<Utc> = sqlx::query_scalar(
        "insert into upload_parts (id, upload_id, bytes, blob) values ($1, $2, $3, $4) returning created_at",
    )
    .bind(part)
    .bind(id)
    .bind(bytes)
    .bind(blob)
    .fetch_one(&mut **tx)
    .await?;
    Ok(Part {
        id: part,
        upload_id: id,
        created_at,
    })
}

/// A part's id, size and blob.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct StoredPart {
    pub(super) id: PartId,
    pub(super) bytes: i64,
    pub(super) blob: String,
}

pub(super) async fn parts(tx: &mut TenantTx, id: UploadId) -> Result<Vec<StoredPart>> {
    Ok(
        sqlx::query_as("select id, bytes, blob from upload_parts where upload_id = $1")
            .bind(id)
            .fetch_all(&mut **tx)
            .await?,
    )
}

/// Removes the rows of all parts. Their blobs.
pub(super) async fn delete_parts(tx: &mut TenantTx, id: UploadId) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar("delete from upload_parts where upload_id = $1 returning blob")
            .bind(id)
            .fetch_all(&mut **tx)
            .await?,
    )
}

/// Takes the right to assemble the upload. `false` if another one has it.
pub(super) async fn take(tx: &mut TenantTx, id: UploadId, token: Uuid) -> Result<bool> {
    let taken = sqlx::query(
        "update uploads set assembler = $2, assembler_until = now() + $3::text::interval
         where id = $1 and status = 'pending' and coalesce(assembler_until < now(), true)",
    )
    .bind(id)
    .bind(token)
    .bind(ASSEMBLER_LEASE)
    .execute(&mut **tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Keeps the right for longer. `false` if it is lost: the upload was ended, or another one took over.
pub(super) async fn keep(tx: &mut TenantTx, id: UploadId, token: Uuid) -> Result<bool> {
    let kept = sqlx::query(
        "update uploads set assembler_until = now() + $3::text::interval where id = $1 and assembler = $2",
    )
    .bind(id)
    .bind(token)
    .bind(ASSEMBLER_LEASE)
    .execute(&mut **tx)
    .await?;
    Ok(kept.rows_affected() == 1)
}

/// Gives the right back, if it is still there.
pub(super) async fn give_back(tx: &mut TenantTx, id: UploadId, token: Uuid) -> Result<()> {
    sqlx::query(
        "update uploads set assembler = null, assembler_until = null where id = $1 and assembler = $2",
    )
    .bind(id)
    .bind(token)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn is_assembled_by(tx: &mut TenantTx, id: UploadId, token: Uuid) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from uploads where id = $1 and assembler = $2)")
            .bind(id)
            .bind(token)
            .fetch_one(&mut **tx)
            .await?,
    )
}

/// Whether the upload became a file of exactly these parts.
pub(super) async fn is_completed_with(tx: &mut TenantTx, id: UploadId, order: &[u8; 32]) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from uploads where id = $1 and completed_with = $2)")
            .bind(id)
            .bind(order.as_slice())
            .fetch_one(&mut **tx)
            .await?,
    )
}

pub(super) async fn set_completed(
    tx: &mut TenantTx,
    id: UploadId,
    file_id: FileId,
    order: &[u8; 32],
) -> Result<()> {
    sqlx::query(
        "update uploads set status = 'completed', file_id = $2, completed_with = $3, assembler = null,
                assembler_until = null
         where id = $1",
    )
    .bind(id)
    .bind(file_id)
    .bind(order.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_ended(tx: &mut TenantTx, id: UploadId, status: Status) -> Result<()> {
    sqlx::query("update uploads set status = $2, assembler = null, assembler_until = null where id = $1")
        .bind(id)
        .bind(status.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whether the upload is pending, and in how many seconds it may be ended: not above 0 when its time is over and nobody
/// assembles it.
pub(super) async fn time_left(tx: &mut TenantTx, id: UploadId) -> Result<Option<f64>> {
    Ok(sqlx::query_scalar(
        "select extract(epoch from greatest(expires_at, assembler_until) - now())::float8 from uploads
         where id = $1 and status = 'pending'",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}
