//! Passages of files, one by one: looking at them, bringing one's own, correcting them.

mod bring;
mod check;
mod edit;
mod store;

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};

pub use bring::{NewChunks, Origin, Prepared, create, prepare};
pub use check::NewChunk;
pub use edit::update;

use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result, vector_store};

/// A passage of a file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its id.
    pub id: ChunkId,
    /// The file.
    pub file_id: FileId,
    /// Place in the file, from 0.
    pub ordinal: i32,
    /// The text.
    pub text: String,
    /// Tokens of the store's embedding model, without special ones.
    pub tokens: i32,
    /// ISO 639-3, or `und`.
    pub language: String,
    /// Page on which it starts, where there are pages.
    pub page: Option<i32>,
    /// Titles of the sections that it lies in, outermost first.
    pub heading_path: Vec<String>,
    /// Character offset of its start in the text of the file.
    pub start_char: i64,
    /// Character offset behind its end.
    pub end_char: i64,
}

/// The chunk of that id, in that store.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, store_id: VectorStoreId, id: ChunkId) -> Result<Chunk> {
    store::find(tx, store_id, id)
        .await?
        .ok_or_else(|| Error::not_found("chunk in this vector store", id))
}

/// A part of the chunks of a file, by their place in it.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is not a chunk of this file.
pub async fn list(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    page: Page,
) -> Result<Listing<Chunk>> {
    vector_store::file::get(tx, store_id, file_id).await?;
    for (param, id) in page.cursors() {
        let found = store::find(tx, store_id, id.into()).await?;
        if found.is_none_or(|chunk| chunk.file_id != file_id) {
            return Err(unknown_cursor(param, "a chunk of this file"));
        }
    }
    store::list(tx, store_id, file_id, page).await
}
