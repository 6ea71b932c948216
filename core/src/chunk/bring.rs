//! Chunks that a client cut itself, with vectors of its own if it has them.

use std::sync::Arc;

use insula_tenancy::{FileId, TenantContext, TenantId, TenantTx, VectorStoreId};
use serde::Serialize;

use super::check::{self, NewChunk};
use super::store;
use crate::blob::{Unclaimed, storage_error};
use crate::file::{self, NewFile, Purpose};
use crate::ingest::{Embedded, ReadyChunk, embed_key, make_ready, replace_chunks};
use crate::model::{EmbedPurpose, Embedder};
use crate::pg::Halfvec;
use crate::route::tenant;
use crate::text::chunk::{ChunkDraft, Given};
use crate::vector_store::file::{NewStoreFile, StoreFile, make_room};
use crate::vector_store::{self, Attributes};
use crate::{Error, Result, Services};

/// What the chunks are passages of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An uploaded file. Whatever passages it has in the store are replaced.
    File(FileId),
    /// A file of that name, which is made of the chunks: a line of JSON for each.
    Named(String),
}

/// Chunks to be put into a store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewChunks {
    /// What they are passages of.
    pub origin: Origin,
    /// The passages in order, 1 to 1,000.
    pub chunks: Vec<NewChunk>,
    /// The client's values, for filters.
    pub attributes: Attributes,
    /// The file of the store whose place they take.
    pub replaces: Option<FileId>,
}

/// Chunks with all that takes time done. Dropped without [`Prepared::claim`], it leaves nothing behind.
pub struct Prepared {
    store_id: VectorStoreId,
    model_id: i32,
    dimensions: usize,
    chunks: Vec<ReadyChunk>,
    file: PreparedFile,
    attributes: Attributes,
    replaces: Option<FileId>,
}

enum PreparedFile {
    Known(FileId),
    New(NewFile, Unclaimed),
}

impl Prepared {
    /// Keeps the bytes of the new file: a row knows them, or may know them.
    pub fn claim(self) {
        if let PreparedFile::New(_, unclaimed) = self.file {
            unclaimed.claim();
        }
    }
}

/// Checks chunks, computes the vectors that they lack, and stores the bytes of a new file.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store; [`Error::Invalid`] naming the place for what cannot be a chunk or a vector of
/// the store's model, and for a store that has expired; [`Error::Overloaded`] when too much waits for the model.
pub async fn prepare(
    services: &Services,
    cx: &TenantContext,
    store_id: VectorStoreId,
    new: NewChunks,
) -> Result<Prepared> {
    vector_store::check_attributes(&new.attributes)?;
    let given = check::places(&new.chunks)?;
    let mut tx = services.db.tenant(cx).await?;
    let store = vector_store::locate(&mut tx, store_id).await?;
    tx.commit().await?;
    if store.expired {
        return Err(vector_store::expired());
    }
    let embedder = tenant::embedder_of(services, cx, &store.embedding_model).await?;
    let content = jsonl(&new.chunks)?;
    let vectors: Vec<Option<Vec<f32>>> = new.chunks.into_iter().map(|chunk| chunk.embedding).collect();
    let dimensions = embedder.card().dimensions;
    let vectors = units(vectors, dimensions)?;
    let drafts = drafts(Arc::clone(&embedder), given).await?;
    let vectors = embed_missing(embedder.as_ref(), cx.tenant_id(), &drafts, vectors).await?;
    let chunks = make_ready(&store, drafts, vectors).await?;
    let file = match new.origin {
        Origin::File(id) => PreparedFile::Known(id),
        Origin::Named(filename) => {
            let mut bytes = content.as_slice();
            let stored = services.blobs.put(cx.tenant_id(), &mut bytes).await;
            let blob = stored.map_err(storage_error)?;
            let unclaimed = Unclaimed::new(&services.blobs, &blob);
            let new = NewFile {
                filename,
                purpose: Purpose::UserData,
                blob,
                expires_after: None,
            };
            PreparedFile::New(new, unclaimed)
        }
    };
    Ok(Prepared {
        store_id,
        model_id: store.embedding_model_id,
        dimensions,
        chunks,
        file,
        attributes: new.attributes,
        replaces: new.replaces,
    })
}

/// Makes prepared chunks searchable, all or none of them, in the place of what they replace.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or file; [`Error::Conflict`] if the store has changed its model since the
/// chunks were prepared; [`Error::QuotaExceeded`].
pub async fn create(tx: &mut TenantTx, prepared: &Prepared) -> Result<StoreFile> {
    let file_id = match &prepared.file {
        PreparedFile::Known(id) => *id,
        PreparedFile::New(new, _) => {
            let named = file::create(tx, new).await;
            named.map_err(|error| error.about("filename"))?.id
        }
    };
    let store_id = prepared.store_id;
    let attached = NewStoreFile {
        attributes: prepared.attributes.clone(),
        replaces: prepared.replaces,
        ..NewStoreFile::new(file_id)
    };
    make_room(tx, store_id, attached).await?;
    let model_id = vector_store::locate(tx, store_id).await?.embedding_model_id;
    if model_id != prepared.model_id {
        let message = "The vector store changed its embedding model in this moment. Send the request again.";
        return Err(Error::Conflict(message.into()));
    }
    replace_chunks(
        tx,
        store_id,
        file_id,
        model_id,
        prepared.dimensions,
        &prepared.chunks,
    )
    .await?;
    store::note_by_hand(tx, store_id, file_id, 0).await?;
    vector_store::file::get(tx, store_id, file_id).await
}

fn units(vectors: Vec<Option<Vec<f32>>>, dimensions: usize) -> Result<Vec<Option<Halfvec>>> {
    let unit = |(index, vector): (usize, Option<Vec<f32>>)| {
        let vector = vector.map(|vector| check::unit(index, &vector, dimensions));
        Ok(vector.transpose()?.map(|vector| Halfvec::new(&vector)))
    };
    vectors.into_iter().enumerate().map(unit).collect()
}

/// Counts tokens, off the async threads.
async fn drafts(embedder: Arc<dyn Embedder>, given: Vec<Given>) -> Result<Vec<ChunkDraft>> {
    let draft = move || {
        let window = embedder.card().max_tokens;
        let drafts = given
            .into_iter()
            .map(|given| ChunkDraft::given(given, embedder.counter(), window));
        drafts.collect()
    };
    tokio::task::spawn_blocking(draft).await.map_err(Error::internal)
}

async fn embed_missing(
    embedder: &dyn Embedder,
    tenant: TenantId,
    drafts: &[ChunkDraft],
    vectors: Vec<Option<Halfvec>>,
) -> Result<Vec<Embedded>> {
    let lacking: Vec<usize> = (0..drafts.len())
        .filter(|index| vectors[*index].is_none())
        .collect();
    let texts: Vec<String> = lacking.iter().map(|index| drafts[*index].embed_text()).collect();
    let keys: Vec<_> = texts.iter().map(|text| embed_key(text)).collect();
    let computed = if texts.is_empty() {
        Vec::new()
    } else {
        let computed = embedder.embed(texts, EmbedPurpose::Bulk.of(tenant)).await;
        computed.map_err(|error| in_chunks(error, &lacking))?.vectors
    };
    let mut computed = keys.into_iter().zip(computed);
    let embedded = vectors.into_iter().map(|vector| match vector {
        Some(vector) => Ok(Embedded {
            vector,
            embed_key: None,
        }),
        None => match computed.next() {
            Some((key, vector)) => Ok(Embedded {
                vector: Halfvec::new(&vector),
                embed_key: Some(key),
            }),
            None => Err(Error::internal("the embedder returned too few vectors")),
        },
    });
    embedded.collect()
}

/// An embedder's error, which is about `input[n]` or `input`, in the words of the request. `lacking` are the chunks that it
/// was given.
fn in_chunks(error: Error, lacking: &[usize]) -> Error {
    let Error::Invalid {
        param: Some(param), ..
    } = &error
    else {
        return error;
    };
    let position = param
        .strip_prefix("input[")
        .and_then(|rest| rest.strip_suffix(']'));
    let position: usize = position.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    match lacking.get(position) {
        Some(index) => error.about(format!("chunks[{index}].text")),
        None => error.about("chunks"),
    }
}

/// A chunk as a line of the file that is made of them.
#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    heading_path: &'a [String],
}

fn jsonl(chunks: &[NewChunk]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        let line = Line {
            text: &chunk.text,
            page: chunk.page,
            heading_path: &chunk.heading_path,
        };
        serde_json::to_writer(&mut bytes, &line).map_err(Error::internal)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}
