//! Uploaded documents.

mod job;
mod store;

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, TenantContext, TenantTx};
pub(crate) use job::{DeleteBlob, DeleteBlobs, ExpireFile};
use tokio::io::AsyncRead;

use crate::blob::{StoredBlob, storage_error};
use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result, Services, housekeeping, quota, vector_store, worker};

/// What a file is for, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Search and grounded chat.
    Assistants,
    /// Input of a batch.
    Batch,
    /// Output of a batch.
    BatchOutput,
    /// Training data.
    FineTune,
    /// Images.
    Vision,
    /// Anything.
    UserData,
    /// Evaluation data.
    Evals,
}

impl Purpose {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::Batch => "batch",
            Self::BatchOutput => "batch_output",
            Self::FineTune => "fine-tune",
            Self::Vision => "vision",
            Self::UserData => "user_data",
            Self::Evals => "evals",
        }
    }
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        use Purpose::{Assistants, Batch, BatchOutput, Evals, FineTune, UserData, Vision};
        [Assistants, Batch, BatchOutput, FineTune, Vision, UserData, Evals]
            .into_iter()
            .find(|purpose| purpose.as_str() == name)
            .ok_or_else(|| {
                Error::invalid(
                    "purpose",
                    format!(
                        "'{name}' is not one of 'assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'."
                    ),
                )
            })
    }
}

/// An uploaded document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Its name, without folders.
    pub filename: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Size in bytes.
    pub bytes: i64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// When it will be deleted, if ever.
    pub expires_at: Option<DateTime<Utc>>,
    blob: String,
}

/// A file to be recorded, its bytes stored already.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The client's name for it; folders are cut off.
    pub filename: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The stored bytes.
    pub blob: StoredBlob,
    /// Lifetime from now.
    pub expires_after: Option<Duration>,
}

/// Records an uploaded file, which a job deletes when its time is over. Its bytes are the caller's to remove should `tx`
/// not be committed.
///
/// # Errors
/// [`Error::Invalid`] for a file name that is empty or longer than 1,024 characters; [`Error::QuotaExceeded`].
pub async fn create(tx: &mut TenantTx, new: &NewFile) -> Result<File> {
    let filename = checked_name(&new.filename)?;
    let file = store::insert(tx, &filename, new).await?;
    quota::check_stored(tx, file.bytes).await?;
    if let Some(lifetime) = new.expires_after {
        worker::enqueue_after(tx, &ExpireFile::new(file.id), lifetime).await?;
    }
    housekeeping::ensure(tx).await?;
    Ok(file)
}

/// The file of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: FileId) -> Result<File> {
    store::find(tx, id).await?.ok_or_else(|| not_found(id))
}

/// A part of the tenant's files.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a file of this tenant.
pub async fn list(tx: &mut TenantTx, purpose: Option<Purpose>, page: Page) -> Result<Listing<File>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your files"));
        }
    }
    store::list(tx, purpose, page).await
}

/// Deletes a file and takes it out of every vector store. Its bytes are removed by a job.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut TenantTx, id: FileId) -> Result<()> {
    let file = get(tx, id).await?;
    remove(tx, file).await
}

async fn remove(tx: &mut TenantTx, file: File) -> Result<()> {
    vector_store::detach_everywhere(tx, file.id).await?;
    store::delete(tx, file.id).await?;
    worker::enqueue(tx, &DeleteBlob { blob: file.blob }).await
}

/// The bytes of a file as a stream, with their number.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn content(
    services: &Services,
    cx: &TenantContext,
    id: FileId,
) -> Result<(File, Box<dyn AsyncRead + Send + Unpin>, u64)> {
    let mut tx = services.db.tenant(cx).await?;
    let file = get(&mut tx, id).await?;
    tx.commit().await?;
    let (data, bytes) = services.blobs.open(&file.blob).await.map_err(storage_error)?;
    Ok((file, data, bytes))
}

/// The name of the blob, for ingestion.
pub(crate) fn blob_name(file: &File) -> &str {
    &file.blob
}

pub(crate) fn not_found(id: FileId) -> Error {
    Error::not_found("file", id)
}

/// The name that a file is kept under: without folders, and not empty.
pub(crate) fn checked_name(name: &str) -> Result<String> {
    let name = base_name(name);
    if name.is_empty() || name.chars().count() > 1024 {
        return Err(Error::invalid(
            "file",
            "The file needs a name of 1 to 1024 characters.",
        ));
    }
    Ok(name)
}

/// The last part of a path in either style, without control characters.
fn base_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    match clean.trim() {
        "." | ".." => String::new(),
        clean => clean.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_control_characters_are_cut_from_names() {
        for (given, kept) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\docs\\تقرير.docx", "تقرير.docx"),
            ("a\u{0}b\n.txt", "ab.txt"),
            ("..", ""),
            ("dir/", ""),
        ] {
            assert_eq!(base_name(given), kept, "{given:?}");
        }
    }

    #[test]
    fn purposes_round_trip() {
        assert_eq!("user_data".parse::<Purpose>().unwrap(), Purpose::UserData);
        assert!("users".parse::<Purpose>().is_err());
    }
}
