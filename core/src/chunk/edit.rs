//! Correcting the text of a chunk.

use insula_tenancy::{ChunkId, TenantContext, VectorStoreId};

use super::{Chunk, check, get, store};
use crate::ingest::{Embedded, embed_key, insert_chunks, make_ready};
use crate::model::EmbedPurpose;
use crate::pg::Halfvec;
use crate::route::tenant;
use crate::text::chunk::{ChunkDraft, Given};
use crate::vector_store::{self, lock, remove_chunk};
use crate::{Error, Result, Services};

/// Gives a chunk another text: it is embedded and indexed anew, and keeps its id and its place. Reading the file again
/// undoes it.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] with param `text` for one that cannot be a chunk, and for a store that has
/// expired; [`Error::Conflict`] if the store changed its model meanwhile.
pub async fn update(
    services: &Services,
    cx: &TenantContext,
    store_id: VectorStoreId,
    id: ChunkId,
    text: String,
) -> Result<Chunk> {
    check::check_text("text", &text)?;
    let mut tx = services.db.tenant(cx).await?;
    let located = vector_store::locate(&mut tx, store_id).await?;
    if located.expired {
        return Err(vector_store::expired());
    }
    let old = get(&mut tx, store_id, id).await?;
    tx.commit().await?;

    let embedder = tenant::embedder_of(services, cx, &located.embedding_model).await?;
    let card = embedder.card();
    let given = Given {
        ordinal: old.ordinal,
        text,
        start_char: old.start_char,
        end_char: old.end_char,
        page: old.page,
        heading_path: old.heading_path,
    };
    let draft = ChunkDraft::given(given, embedder.counter(), card.max_tokens);
    let embedded_text = draft.embed_text();
    let key = embed_key(&embedded_text);
    let computed = embedder
        .embed(vec![embedded_text], EmbedPurpose::Interactive.of(cx.tenant_id()))
        .await;
    let vectors = computed.map_err(|error| error.about("text"))?.vectors;
    let embedded = vectors.iter().map(|vector| Embedded {
        vector: Halfvec::new(vector),
        embed_key: Some(key),
    });
    let ready = make_ready(&located, vec![draft], embedded.collect()).await?;

    let mut tx = services.db.tenant(cx).await?;
    if !lock(&mut tx, store_id).await? {
        return Err(vector_store::not_found(store_id));
    }
    let model_id = vector_store::locate(&mut tx, store_id).await?.embedding_model_id;
    if model_id != located.embedding_model_id {
        let message = "The vector store changed its embedding model in this moment. Send the request again.";
        return Err(Error::Conflict(message.into()));
    }
    // It may have been replaced, or corrected by somebody else, while this one was embedded.
    let replaced = get(&mut tx, store_id, id).await?;
    remove_chunk(&mut tx, store_id, old.file_id, id).await?;
    insert_chunks(
        &mut tx,
        store_id,
        old.file_id,
        model_id,
        card.dimensions,
        &[id],
        &ready,
    )
    .await?;
    let bytes = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let chunk = get(&mut tx, store_id, id).await?;
    let more_bytes = bytes(&chunk.text) - bytes(&replaced.text);
    store::note_by_hand(&mut tx, store_id, old.file_id, more_bytes).await?;
    tx.commit().await?;
    Ok(chunk)
}
