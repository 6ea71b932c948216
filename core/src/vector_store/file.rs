//! Files of a vector store.

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, TenantTx, VectorStoreId};

pub use super::attach::attach;
pub(crate) use super::attach::make_room;
pub(crate) use super::ending::{completed, mark_cancelled, mark_failed, mark_in_progress};
use super::{Attributes, check_attributes, ending, file_store, lock, not_found};
use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result};

/// How a file is cut into chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Chunking {
    /// As fits the store's embedding model.
    #[default]
    Auto,
    /// At most this many tokens, with this many repeated from one chunk to the next.
    Static {
        /// 100..=4096.
        max_tokens: i32,
        /// At most half of `max_tokens`.
        overlap_tokens: i32,
    },
}

impl Chunking {
    /// The two columns that it is stored in.
    pub(super) fn columns(self) -> (Option<i32>, Option<i32>) {
        match self {
            Self::Auto => (None, None),
            Self::Static {
                max_tokens,
                overlap_tokens,
            } => (Some(max_tokens), Some(overlap_tokens)),
        }
    }

    pub(super) fn from_columns(max_tokens: Option<i32>, overlap_tokens: Option<i32>) -> Self {
        match (max_tokens, overlap_tokens) {
            (Some(max_tokens), Some(overlap_tokens)) => Self::Static {
                max_tokens,
                overlap_tokens,
            },
            _ => Self::Auto,
        }
    }

    /// Checks OpenAI's ranges.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(self) -> Result<()> {
        let Self::Static {
            max_tokens,
            overlap_tokens,
        } = self
        else {
            return Ok(());
        };
        if !(100..=4096).contains(&max_tokens) {
            let param = "chunking_strategy.static.max_chunk_size_tokens";
            return Err(Error::invalid(param, "Must be between 100 and 4096."));
        }
        if overlap_tokens < 0 || overlap_tokens > max_tokens / 2 {
            let param = "chunking_strategy.static.chunk_overlap_tokens";
            return Err(Error::invalid(
                param,
                "Must be between 0 and half of max_chunk_size_tokens.",
            ));
        }
        Ok(())
    }
}

/// How far a file of a store has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waiting or being read.
    InProgress,
    /// Searchable.
    Completed,
    /// Given up on request.
    Cancelled,
    /// Not readable.
    Failed,
}

impl Status {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::InProgress, Self::Completed, Self::Cancelled, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or_else(|| {
                Error::invalid(
                    "filter",
                    "Must be one of 'in_progress', 'completed', 'failed', 'cancelled'.",
                )
            })
    }
}

/// Why a file is not searchable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// `server_error`, `unsupported_file` or `invalid_file`.
    pub code: String,
    /// For the tenant's developer.
    pub message: String,
}

/// A file as a member of a store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreFile {
    /// The file.
    pub file_id: FileId,
    /// The store.
    pub vector_store_id: VectorStoreId,
    /// The file's name.
    pub filename: String,
    /// How far it has come.
    pub status: Status,
    /// Why it failed, if it did; or, of a completed one, why it could not be read again.
    pub last_error: Option<LastError>,
    /// The client's values, for filters.
    pub attributes: Attributes,
    /// How it is cut.
    pub chunking: Chunking,
    /// Bytes of its passages and vectors.
    pub usage_bytes: i64,
    /// How many passages it has.
    pub chunk_count: i32,
    /// The file whose place it takes when it is completed.
    pub replaces: Option<FileId>,
    /// When it was attached.
    pub created_at: DateTime<Utc>,
}

/// A file to be attached.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStoreFile {
    /// Which one.
    pub file_id: FileId,
    /// The client's values.
    pub attributes: Attributes,
    /// How to cut it.
    pub chunking: Chunking,
    /// The file of the store whose place it takes once it can be searched.
    pub replaces: Option<FileId>,
}

impl NewStoreFile {
    /// A file without values, cut as fits the model, beside all others.
    pub fn new(file_id: FileId) -> Self {
        Self {
            file_id,
            attributes: Attributes::default(),
            chunking: Chunking::Auto,
            replaces: None,
        }
    }
}

/// A file of a store.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<StoreFile> {
    file_store::find(tx, store_id, file_id)
        .await?
        .ok_or_else(|| Error::not_found("file in this vector store", file_id))
}

/// A part of the files of a store.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is not a file of this store.
pub async fn list(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    status: Option<Status>,
    page: Page,
) -> Result<Listing<StoreFile>> {
    super::get(tx, store_id).await?;
    for (param, id) in page.cursors() {
        if file_store::find(tx, store_id, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "a file of this vector store"));
        }
    }
    file_store::list(tx, store_id, None, status, page).await
}

/// Replaces a file's attributes. Searches see the new ones at once; nothing is read again.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for values out of range.
pub async fn set_attributes(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    attributes: Attributes,
) -> Result<StoreFile> {
    check_attributes(&attributes)?;
    file_store::set_attributes(tx, store_id, file_id, &attributes).await?;
    get(tx, store_id, file_id).await
}

/// Takes a file out of a store, with its passages and vectors, and stops its being read. The file itself stays.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn detach(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    if !lock(tx, store_id).await? {
        return Err(not_found(store_id));
    }
    get(tx, store_id, file_id).await?;
    ending::remove(tx, store_id, &[file_id]).await?;
    file_store::touch(tx, store_id).await
}

/// The passages of a file in reading order.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn content(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<Vec<String>> {
    get(tx, store_id, file_id).await?;
    file_store::contents(tx, store_id, file_id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_chunking_has_the_ranges_of_the_contract() {
        let check = |max_tokens, overlap_tokens| {
            Chunking::Static {
                max_tokens,
                overlap_tokens,
            }
            .check()
        };
        assert!(check(100, 50).is_ok() && check(4096, 0).is_ok() && check(801, 400).is_ok());
        for (max, overlap) in [(99, 0), (4097, 0), (800, 401), (800, -1)] {
            assert!(check(max, overlap).is_err(), "{max} {overlap}");
        }
    }
}
