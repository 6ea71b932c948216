//! What a caller who may search may know of stores and files besides.

use insula_tenancy::{FileId, TenantContext, VectorStoreId};

use super::{narrow, store};
use crate::page::Page;
use crate::vector_store::{self, Attributes};
use crate::{Error, Result, Services};

/// The embedding model of a store, for what a search may cost. A store that cannot be searched has none: the search itself
/// will say why.
///
/// # Errors
/// When the database is away.
pub async fn embedding_model(
    services: &Services,
    cx: &TenantContext,
    id: VectorStoreId,
) -> Result<Option<String>> {
    let mut tx = services.db.tenant(cx).await?;
    let located = match vector_store::locate(&mut tx, id).await {
        Ok(located) => Some(located.embedding_model),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    tx.commit().await?;
    Ok(located)
}

/// A file of a store, as whoever may search it may read it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadableFile {
    /// Its name.
    pub filename: String,
    /// Its values in the store.
    pub attributes: Attributes,
    /// Its passages in reading order.
    pub passages: Vec<String>,
}

/// Reads a file of a vector store, within the bounds of the caller: what a search would not find cannot be read either.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or file, or one outside the bounds.
pub async fn read(
    services: &Services,
    cx: &TenantContext,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<ReadableFile> {
    narrow::check_store(cx, store_id)?;
    let filter = narrow::filters(cx, None)?;
    let mut tx = services.db.tenant(cx).await?;
    let found = store::find_file(&mut tx, store_id, file_id, filter.as_ref()).await?;
    let (filename, attributes) =
        found.ok_or_else(|| Error::not_found("file in this vector store", file_id))?;
    let passages = vector_store::file::content(&mut tx, store_id, file_id).await?;
    tx.commit().await?;
    Ok(ReadableFile {
        filename,
        attributes,
        passages,
    })
}

/// The stores that the caller may search, newest first, `most` at the most.
///
/// # Errors
/// When the database is away.
pub async fn stores(services: &Services, cx: &TenantContext, most: i64) -> Result<Vec<VectorStoreId>> {
    let mut tx = services.db.tenant(cx).await?;
    let mut page = Page::first(100);
    let mut stores = Vec::new();
    loop {
        let listing = vector_store::list(&mut tx, page).await?;
        page.after = listing.data.last().map(|store| store.id.uuid());
        let open = listing
            .data
            .iter()
            .filter(|store| !store.expired && narrow::check_store(cx, store.id).is_ok());
        stores.extend(open.map(|store| store.id));
        let enough = stores.len() as i64 >= most;
        if enough || !listing.has_more {
            break;
        }
    }
    tx.commit().await?;
    stores.truncate(usize::try_from(most).unwrap_or(0));
    Ok(stores)
}
