//! Turning files into searchable chunks: parse, chunk, embed, store.
//!
//! Everything slow happens without a transaction; the result is written in one, together with the end of the job and
//! under its fencing token. So a file is searchable whole or not at all, whatever dies when, and never twice.

mod embed;
mod job;
mod parsed;
mod ready;
mod reuse;
mod stored;
mod write;

use insula_tenancy::job::Lease;
use insula_tenancy::{FileId, TenantTx, VectorStoreId};

pub(crate) use job::IngestFile;
pub use parsed::{DocumentSource, Heading, PageStart, ParseError, ParseErrorCode, ParsedDocument, Parser};
pub(crate) use ready::{Embedded, ReadyChunk, embed_key, make_ready};
use stored::StoredDocument;
pub(crate) use write::{insert as insert_chunks, replace_chunks};

use crate::model::Embedder;
use crate::route::tenant;
use crate::text::chunk::{self, ChunkDraft, ChunkSettings};
use crate::vector_store::file::{Chunking, Status, StoreFile};
use crate::vector_store::{self, Located};
use crate::worker::{Failure, report};
use crate::{Error, Result, Services, file};

/// Reads a file into a store and completes the job.
async fn run(
    services: &Services,
    lease: &Lease,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<(), Failure> {
    let mut tx = services.db.tenant(&lease.cx).await?;
    let Some((store_file, file, store)) = wanted(&mut tx, store_id, file_id).await? else {
        // Detached or deleted meanwhile: nothing is left to do.
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        return Ok(());
    };
    let model_id = store.embedding_model_id;
    let embedder = &services
        .models
        .find_embedder(&store.embedding_model)
        .ok_or_else(|| {
            Error::internal(format!(
                "the model '{}' is not loaded here",
                store.embedding_model
            ))
        })?
        .embedder;
    let dimensions = embedder.card().dimensions;
    if let Some(twin) = reuse::twin(&mut tx, store_id, file_id).await?
        && write::copy_file(&mut tx, store_id, file_id, twin, model_id, dimensions).await?
    {
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        return Ok(());
    }
    tx.commit().await?;

    let embedder = &tenant::embedder_of(services, &lease.cx, &store.embedding_model).await?;
    report(services, lease, "reading", 0, 0).await?;
    let stored = StoredDocument {
        blobs: services.blobs.as_ref(),
        name: file::blob_name(&file),
    };
    let document = services.parser.parse(&stored, &file.filename).await?;
    report(services, lease, "chunking", 0, 0).await?;
    let drafts = cut(std::sync::Arc::clone(embedder), document, store_file.chunking).await?;
    if drafts.is_empty() {
        return Err(Failure::Document(ParseError {
            code: ParseErrorCode::InvalidFile,
            message: "The file contains no text.".into(),
        }));
    }
    let vectors = embed::embed(services, lease, model_id, embedder.as_ref(), &drafts).await?;
    report(services, lease, "writing", drafts.len(), drafts.len()).await?;
    let chunks = make_ready(&store, drafts, vectors).await?;

    let mut tx = services.db.tenant(&lease.cx).await?;
    replace_chunks(&mut tx, store_id, file_id, model_id, dimensions, &chunks).await?;
    reuse::unstage(&mut tx, lease.id).await?;
    lease.complete(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

async fn wanted(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Option<(StoreFile, file::File, Located)>> {
    let found = async {
        let store = vector_store::locate(tx, store_id).await?;
        let store_file = vector_store::file::get(tx, store_id, file_id).await?;
        let file = file::get(tx, file_id).await?;
        Ok((store_file, file, store))
    };
    match found.await {
        Ok((store_file, ..)) if store_file.status == Status::Cancelled => Ok(None),
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn cut(
    embedder: std::sync::Arc<dyn Embedder>,
    document: ParsedDocument,
    chunking: Chunking,
) -> Result<Vec<ChunkDraft>> {
    tokio::task::spawn_blocking(move || {
        let window = embedder.card().max_tokens;
        let settings = match chunking {
            Chunking::Auto => ChunkSettings::auto(window),
            Chunking::Static {
                max_tokens,
                overlap_tokens,
            } => ChunkSettings::fixed(
                max_tokens.unsigned_abs() as usize,
                overlap_tokens.unsigned_abs() as usize,
                window,
            ),
        };
        chunk::chunk(&document, embedder.counter(), &settings)
    })
    .await
    .map_err(Error::internal)
}
