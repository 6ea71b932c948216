//! Files that arrive in parts: announced, filled in any order and at once, then completed to a file or given up.
//!
//! Each part is a blob with a row. Nothing is ever changed in place: completing copies the parts into a blob of its own
//! and commits the file, the end of the upload and the end of the parts together, so that whatever dies when, there is
//! either the upload with all its parts, or the whole file.

mod assemble;
mod job;
mod store;

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{PartId, TenantTx, UploadId};
use sha2::{Digest, Sha256};

pub use assemble::{Assembly, Completion, assemble};
pub(crate) use job::ExpireUpload;

use crate::blob::StoredBlob;
use crate::file::{self, DeleteBlobs, File, NewFile, Purpose};
use crate::{Error, Result, housekeeping, quota, worker};

/// Largest file that can be uploaded in parts.
pub const MAX_BYTES: i64 = 5 * 1024 * 1024 * 1024;
/// Largest part.
pub const MAX_PART_BYTES: u64 = 64 * 1024 * 1024;
/// Most parts of one upload.
pub const MAX_PARTS: usize = 10_000;
/// How long an upload may take; the column's default is the same.
const LIFETIME: Duration = Duration::from_secs(3600);

/// How far an upload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Parts can be added.
    Pending,
    /// It is a file.
    Completed,
    /// Given up on request.
    Cancelled,
    /// Its time ran out.
    Expired,
}

impl Status {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// A file that arrives in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The name of the file, without folders.
    pub filename: String,
    /// What the file is for.
    pub purpose: Purpose,
    /// Size of the file, as announced.
    pub bytes: i64,
    /// How far it has come.
    pub status: Status,
    /// Lifetime of the file from its making.
    pub file_lifetime: Option<Duration>,
    /// When it was announced.
    pub created_at: DateTime<Utc>,
    /// Until when it must be complete.
    pub expires_at: DateTime<Utc>,
    /// The file that it became, unless that was deleted.
    pub file: Option<File>,
}

/// An upload to be made.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The client's name for the file; folders are cut off.
    pub filename: String,
    /// What the file is for.
    pub purpose: Purpose,
    /// Its size, 1 to [`MAX_BYTES`].
    pub bytes: i64,
    /// Its lifetime from the moment of completion.
    pub file_lifetime: Option<Duration>,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its id.
    pub id: PartId,
    /// Of which upload.
    pub upload_id: UploadId,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// Announces a file. A job ends the upload when it is not completed in an hour.
///
/// # Errors
/// [`Error::Invalid`] for values out of range; [`Error::QuotaExceeded`] when the file would not fit.
pub async fn create(tx: &mut TenantTx, new: &NewUpload) -> Result<Upload> {
    let filename = file::checked_name(&new.filename).map_err(|error| match error {
        Error::Invalid { message, code, .. } => Error::Invalid {
            message,
            code,
            param: Some("filename".into()),
        },
        other => other,
    })?;
    if !(1..=MAX_BYTES).contains(&new.bytes) {
        return Err(Error::invalid("bytes", format!("Must be from 1 to {MAX_BYTES}.")));
    }
    quota::expect_file(tx, new.bytes).await?;
    let upload = store::insert(tx, &filename, new).await?;
    worker::enqueue_after(tx, &ExpireUpload::new(upload.id), LIFETIME).await?;
    housekeeping::ensure(tx).await?;
    Ok(upload)
}

/// The upload of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: UploadId) -> Result<Upload> {
    store::find(tx, id).await?.ok_or_else(|| not_found(id))
}

/// Adds a part, whose bytes are stored already. They are the caller's to remove should `tx` not be committed.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] when the upload takes no more parts; [`Error::TooLarge`];
/// [`Error::QuotaExceeded`].
pub async fn add_part(tx: &mut TenantTx, id: UploadId, blob: &StoredBlob) -> Result<Part> {
    let upload = lock(tx, id).await?;
    must_be_pending(&upload)?;
    if blob.bytes == 0 {
        return Err(Error::invalid("data", "A part must not be empty."));
    }
    let bytes = i64::try_from(blob.bytes).map_err(Error::internal)?;
    if blob.bytes > MAX_PART_BYTES {
        return Err(Error::TooLarge(format!(
            "A part must have at most {MAX_PART_BYTES} bytes."
        )));
    }
    let (parts, stored) = store::count_parts(tx, id).await?;
    // Room for parts that are sent again because their answer was lost; not for a second disk.
    if stored.saturating_add(bytes)
        > upload
            .bytes
            .saturating_mul(2)
            .saturating_add(MAX_PART_BYTES as i64)
        || parts >= MAX_PARTS as i64
    {
        return Err(Error::TooLarge(format!(
            "The parts of this upload are more than {MAX_PARTS}, or far larger than the {} bytes that were announced.",
            upload.bytes
        )));
    }
    let part = store::insert_part(tx, id, bytes, &blob.name).await?;
    quota::check_stored(tx, bytes).await?;
    Ok(part)
}

/// Makes the file of an assembled upload. The bytes of the assembly are the caller's to claim right before the commit.
///
/// # Errors
/// [`Error::Invalid`] when the upload was ended meanwhile; [`Error::QuotaExceeded`] for the number of files.
pub async fn complete(tx: &mut TenantTx, assembly: &Assembly) -> Result<Upload> {
    let id = assembly.upload_id;
    let upload = lock(tx, id).await?;
    if upload.status != Status::Completed {
        must_be_pending(&upload)?;
    }
    if !store::is_assembled_by(tx, id, assembly.token).await? {
        return Err(being_completed());
    }
    // Before the file is counted, or its bytes would be counted twice.
    remove_parts(tx, id).await?;
    let new = NewFile {
        filename: upload.filename,
        purpose: upload.purpose,
        blob: assembly.blob.clone(),
        expires_after: upload.file_lifetime,
    };
    let file = file::create(tx, &new).await?;
    store::set_completed(tx, id, file.id, &assembly.order).await?;
    get(tx, id).await
}

/// Gives an upload up; its bytes are removed by a job. One that was given up before stays so.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for an upload that is complete or has expired.
pub async fn cancel(tx: &mut TenantTx, id: UploadId) -> Result<Upload> {
    let upload = lock(tx, id).await?;
    if upload.status != Status::Cancelled {
        must_be_pending(&upload)?;
        end(tx, id, Status::Cancelled).await?;
    }
    get(tx, id).await
}

/// Ends a pending upload without a file. The caller holds its lock.
async fn end(tx: &mut TenantTx, id: UploadId, status: Status) -> Result<()> {
    remove_parts(tx, id).await?;
    store::set_ended(tx, id, status).await
}

async fn lock(tx: &mut TenantTx, id: UploadId) -> Result<Upload> {
    if !store::lock(tx, id).await? {
        return Err(not_found(id));
    }
    get(tx, id).await
}

/// Removes all parts of an upload, named at its completion or not.
async fn remove_parts(tx: &mut TenantTx, id: UploadId) -> Result<()> {
    const AT_ONCE: usize = 1000;
    for blobs in store::delete_parts(tx, id).await?.chunks(AT_ONCE) {
        worker::enqueue(
            tx,
            &DeleteBlobs {
                blobs: blobs.to_vec(),
            },
        )
        .await?;
    }
    Ok(())
}

fn must_be_pending(upload: &Upload) -> Result<()> {
    let state = match upload.status {
        Status::Pending => return Ok(()),
        Status::Completed => "is complete already",
        Status::Cancelled => "was cancelled",
        Status::Expired => "has expired",
    };
    Err(Error::Invalid {
        message: format!("The upload '{}' {state}.", upload.id),
        param: None,
        code: Some("upload_not_pending"),
    })
}

fn being_completed() -> Error {
    Error::Overloaded {
        message: "Another request is completing this upload right now.".into(),
        retry_after: Duration::from_secs(2),
    }
}

fn not_found(id: UploadId) -> Error {
    Error::not_found("upload", id)
}

/// Tells one order of parts from another.
fn order_of(parts: &[PartId]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.uuid().as_bytes());
    }
    digest.finalize().into()
}
