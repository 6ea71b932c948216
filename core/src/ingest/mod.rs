//! Turning files into searchable chunks: parse, chunk, embed, store.
//!
//! Everything slow happens without a transaction; the result is written in one, together with the end of the job and
//! under its fencing token. So a file is searchable whole or not at all, whatever dies when, and never twice.

mod job;
mod parsed;
mod write;

use insula_tenancy::job::Lease;
use insula_tenancy::{FileId, TenantTx, VectorStoreId};

pub(crate) use job::IngestFile;
pub use parsed::{Heading, PageStart, ParseError, ParseErrorCode, ParsedDocument, Parser};
use write::ReadyChunk;

use crate::model::{EmbedPurpose, Embedder};
use crate::pg::{Halfvec, Sparsevec};
use crate::text::chunk::{self, ChunkDraft, ChunkSettings};
use crate::text::terms::DocumentTerms;
use crate::vector_store::file::{Chunking, Status, StoreFile};
use crate::vector_store::{self, Located};
use crate::worker::Failure;
use crate::{Error, Result, Services, file};

/// How many chunks are handed to the embedder at once: enough for full batches, few enough that a lost lease is noticed
/// and that memory stays bounded.
const EMBED_AT_ONCE: usize = 128;

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
    tx.commit().await?;

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
    let bytes = services
        .blobs
        .read(file::blob_name(&file))
        .await
        .map_err(Error::internal)?;
    let document = services
        .parser
        .parse(bytes, &file.filename)
        .await
        .map_err(Failure::Document)?;
    let drafts = cut(std::sync::Arc::clone(embedder), document, store_file.chunking).await?;
    if drafts.is_empty() {
        return Err(Failure::Document(ParseError {
            code: ParseErrorCode::InvalidFile,
            message: "The file contains no text.".into(),
        }));
    }
    let chunks = embed(embedder.as_ref(), &store, drafts).await?;

    let mut tx = services.db.tenant(&lease.cx).await?;
    write::replace_chunks(
        &mut tx,
        store_id,
        file_id,
        store.embedding_model_id,
        embedder.card().dimensions,
        &chunks,
    )
    .await?;
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

async fn embed(embedder: &dyn Embedder, store: &Located, drafts: Vec<ChunkDraft>) -> Result<Vec<ReadyChunk>> {
    let mut vectors = Vec::with_capacity(drafts.len());
    for part in drafts.chunks(EMBED_AT_ONCE) {
        let texts = part.iter().map(ChunkDraft::embed_text).collect();
        vectors.extend(embedder.embed(texts, EmbedPurpose::Bulk).await?.vectors);
    }
    if vectors.len() != drafts.len() {
        return Err(Error::internal(
            "the embedder returned another number of vectors than it was given texts",
        ));
    }
    let (chunk_count, term_count) = (store.chunk_count, store.term_count);
    tokio::task::spawn_blocking(move || {
        let languages: Vec<&'static str> = drafts.iter().map(|draft| language_of(&draft.text)).collect();
        let average = average_length(chunk_count, term_count, &drafts, &languages);
        std::iter::zip(std::iter::zip(drafts, languages), vectors)
            .map(|((draft, language), vector)| {
                let terms = DocumentTerms::new(&draft.indexed_text(), known(language), average);
                ReadyChunk {
                    draft,
                    language,
                    term_count: i32::try_from(terms.length).unwrap_or(i32::MAX),
                    terms: Sparsevec::new(terms.weights),
                    vector: Halfvec::new(&vector),
                }
            })
            .collect()
    })
    .await
    .map_err(Error::internal)
}

fn language_of(text: &str) -> &'static str {
    let detected = crate::text::language::detect(text);
    if detected.reliable { detected.code } else { "und" }
}

/// `None` lets the tokenizer decide for itself.
fn known(language: &'static str) -> Option<&'static str> {
    (language != "und").then_some(language)
}

/// BM25's average length: of the store as it is, and of the new chunks. It is frozen into the weights, which is mild
/// (search-quality falls by less than a point when the average drifts by a fifth).
fn average_length(
    chunk_count: i64,
    term_count: i64,
    drafts: &[ChunkDraft],
    languages: &[&'static str],
) -> f32 {
    // A sample says enough about the new chunks; their lengths are bounded by the chunk size.
    const SAMPLE: usize = 64;
    let step = (drafts.len() / SAMPLE).max(1);
    let sampled: Vec<u32> = drafts
        .iter()
        .zip(languages)
        .step_by(step)
        .map(|(draft, language)| DocumentTerms::new(&draft.indexed_text(), known(language), 1.0).length)
        .collect();
    let mean = sampled.iter().map(|length| f64::from(*length)).sum::<f64>() / sampled.len().max(1) as f64;
    let total = term_count as f64 + mean * drafts.len() as f64;
    (total / (chunk_count as f64 + drafts.len() as f64).max(1.0)) as f32
}
