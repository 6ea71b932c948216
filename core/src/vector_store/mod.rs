//! Searchable sets of files.

mod attach;
mod attach_store;
mod attributes;
pub mod batch;
mod batch_store;
mod ending;
mod expiry;
pub mod file;
mod file_store;
mod store;
mod version;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use insula_tenancy::{FileId, TenantTx, VectorStoreId, permission};

pub use attach::Named;
pub use attributes::{AttributeValue, Attributes, check_attributes};
pub(crate) use expiry::{ExpireStore, expired};
pub(crate) use file_store::{remove_chunk, remove_chunks};
pub(crate) use store::{Located, locate, lock, stores_vectors_of};

use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Models, Result, housekeeping};

/// Up to 16 short strings that a client keeps with an object.
pub type Metadata = BTreeMap<String, String>;

/// How many of a store's files are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Waiting or being read.
    pub in_progress: i64,
    /// Searchable.
    pub completed: i64,
    /// Not readable; the file's `last_error` says why.
    pub failed: i64,
    /// Given up on request.
    pub cancelled: i64,
}

impl FileCounts {
    /// All files of the store.
    pub fn total(self) -> i64 {
        self.in_progress + self.completed + self.failed + self.cancelled
    }
}

/// A searchable set of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorStore {
    /// Its id.
    pub id: VectorStoreId,
    /// Its name, possibly empty.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// The client's own notes.
    pub metadata: Metadata,
    /// Name of the model that its vectors come from.
    pub embedding_model: String,
    /// Days without use after which it expires.
    pub expires_after_days: Option<i32>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last searched or changed.
    pub last_active_at: DateTime<Utc>,
    /// Bytes of its passages and vectors.
    pub usage_bytes: i64,
    /// Its files by state.
    pub file_counts: FileCounts,
    /// Whether its time has run out.
    pub expired: bool,
}

impl VectorStore {
    /// When it will expire unless it is used before.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_after_days
            .map(|days| self.last_active_at + Duration::days(i64::from(days)))
    }
}

/// A vector store to be made.
#[derive(Debug, Clone, Default)]
pub struct NewVectorStore {
    /// Its name, possibly empty.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// The client's own notes.
    pub metadata: Metadata,
    /// The embedding model; `None` for the install's default.
    pub embedding_model: Option<String>,
    /// Days without use after which it expires, 1..=365.
    pub expires_after_days: Option<i32>,
    /// Files to attach at once.
    pub file_ids: Vec<FileId>,
    /// How to cut them.
    pub chunking: file::Chunking,
}

/// A partial update. The outer `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct VectorStoreUpdate {
    /// A new name; `Some(None)` clears it.
    pub name: Option<Option<String>>,
    /// A new description.
    pub description: Option<Option<String>>,
    /// Replaces the whole map; `Some(None)` clears it.
    pub metadata: Option<Option<Metadata>>,
    /// A new expiry; `Some(None)` clears it.
    pub expires_after_days: Option<Option<i32>>,
}

/// Checks OpenAI's rules for metadata: at most 16 pairs, keys of 1–64 characters, values of at most 512.
///
/// # Errors
/// [`Error::Invalid`] with param `metadata`.
pub fn check_metadata(metadata: &Metadata) -> Result<()> {
    if metadata.len() > 16 {
        return Err(Error::invalid(
            "metadata",
            "At most 16 key-value pairs are allowed.",
        ));
    }
    for (key, value) in metadata {
        if key.is_empty() || key.chars().count() > 64 || key.contains('\0') {
            return Err(Error::invalid(
                "metadata",
                "Keys must have 1 to 64 characters and no NUL.",
            ));
        }
        if value.chars().count() > 512 || value.contains('\0') {
            let message = "Values must have at most 512 characters and no NUL.";
            return Err(Error::invalid(format!("metadata.{key}"), message));
        }
    }
    Ok(())
}

/// Makes a vector store, with its first files if any are named.
///
/// # Errors
/// [`Error::NotFound`] for an unknown file or model; [`Error::Invalid`] for values out of range.
pub async fn create(tx: &mut TenantTx, models: &Models, new: NewVectorStore) -> Result<VectorStore> {
    check_metadata(&new.metadata)?;
    check_text("name", &new.name, 1024)?;
    check_text(
        "description",
        new.description.as_deref().unwrap_or_default(),
        4096,
    )?;
    check_days(new.expires_after_days)?;
    if new.file_ids.len() > 500 {
        return Err(Error::invalid(
            "file_ids",
            "At most 500 files can be attached at once.",
        ));
    }
    let model = match &new.embedding_model {
        None => models.default_embedder()?,
        Some(name) => match models.find_embedder(name) {
            Some(model) if permission::own(tx).await?.unwrap_or_default().permit(name) => model,
            _ => {
                return Err(Error::NotFound {
                    message: format!("The embedding model '{name}' does not exist."),
                    param: Some("embedding_model".into()),
                    code: Some("model_not_found"),
                });
            }
        },
    };
    let card = model.embedder.card();
    if !store::stores_vectors_of(tx, card.dimensions).await? {
        return Err(Error::invalid(
            "embedding_model",
            format!(
                "This server's database has no table for vectors of length {}, as '{}' makes them. The operator can make it.",
                card.dimensions, card.id
            ),
        ));
    }
    let id = store::insert(tx, &new, model.id).await?;
    expiry::plan(tx, id).await?;
    housekeeping::ensure(tx).await?;
    let files: Vec<file::NewStoreFile> = new
        .file_ids
        .iter()
        .map(|file_id| file::NewStoreFile {
            chunking: new.chunking,
            ..file::NewStoreFile::new(*file_id)
        })
        .collect();
    if !files.is_empty() {
        attach::attach_all(tx, id, None, &files, attach::Named::FileIds).await?;
    }
    get(tx, id).await
}

/// The vector store of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: VectorStoreId) -> Result<VectorStore> {
    store::find(tx, id).await?.ok_or_else(|| not_found(id))
}

/// A part of the tenant's vector stores.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a vector store of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<VectorStore>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your vector stores"));
        }
    }
    store::list(tx, page).await
}

/// Changes the named fields. A store that has expired stays so.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for values out of range.
pub async fn update(tx: &mut TenantTx, id: VectorStoreId, update: VectorStoreUpdate) -> Result<VectorStore> {
    if let Some(Some(metadata)) = &update.metadata {
        check_metadata(metadata)?;
    }
    if let Some(Some(name)) = &update.name {
        check_text("name", name, 1024)?;
    }
    if let Some(Some(description)) = &update.description {
        check_text("description", description, 4096)?;
    }
    check_days(update.expires_after_days.flatten())?;
    let is_planned_anew = update.expires_after_days.is_some();
    store::update(tx, id, update).await?;
    if is_planned_anew {
        expiry::plan(tx, id).await?;
    }
    get(tx, id).await
}

/// Deletes a store with its passages and vectors. The files stay.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut TenantTx, id: VectorStoreId) -> Result<()> {
    if store::delete(tx, id).await? {
        Ok(())
    } else {
        Err(not_found(id))
    }
}

/// Takes a file out of every store that has it.
pub(crate) async fn detach_everywhere(tx: &mut TenantTx, file_id: FileId) -> Result<()> {
    for store_id in file_store::stores_of(tx, file_id).await? {
        file::detach(tx, store_id, file_id).await?;
    }
    Ok(())
}

pub(crate) fn not_found(id: VectorStoreId) -> Error {
    Error::not_found("vector store", id)
}

fn check_days(days: Option<i32>) -> Result<()> {
    match days {
        Some(days) if !(1..=365).contains(&days) => {
            Err(Error::invalid("expires_after.days", "Must be between 1 and 365."))
        }
        _ => Ok(()),
    }
}

fn check_text(param: &str, text: &str, most: usize) -> Result<()> {
    if text.chars().count() > most {
        return Err(Error::invalid(
            param,
            format!("Must have at most {most} characters."),
        ));
    }
    if text.contains('\0') {
        return Err(Error::invalid(param, "Must not contain NUL characters."));
    }
    Ok(())
}
