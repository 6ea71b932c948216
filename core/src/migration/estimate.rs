//! What a migration will cost.

use std::sync::Arc;

use insula_tenancy::{TenantContext, VectorStoreId};
use serde::{Deserialize, Serialize};

use super::vectors::{self, StoredChunk};
use super::{differs, wanted};
use crate::model::Embedder;
use crate::text::chunk::embed_texts;
use crate::vector_store;
use crate::{Error, Result, Services};

/// Chunks that are tokenized for an estimate. A store that has no more is counted exactly.
const SAMPLE: i64 = 500;

/// What a migration is thought to cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Chunks of the store.
    pub chunks: i64,
    /// How many of them the numbers below were counted on; they are exact when it is all of them.
    pub sampled_chunks: i64,
    /// Tokens to embed, by the new model's tokenizer, without special tokens.
    pub tokens: i64,
    /// Chunks that are longer than the new model's window. They are embedded in pieces, and found by the mean of the
    /// pieces' vectors.
    pub chunks_over_window: i64,
    /// Seconds that the new model will be busy, at the rate that this process measured of late; `None` if it has not
    /// been used.
    pub seconds: Option<f64>,
    /// Bytes of the new vectors.
    pub bytes: i64,
}

/// A migration that could be begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The store's model.
    pub from_model: String,
    /// The model that it shall have.
    pub to_model: String,
    /// What that is thought to cost.
    pub estimate: Estimate,
}

/// Estimates what it would cost to put a store on another model. Changes nothing.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or (param `model`) model; [`Error::Invalid`] when the store has the model
/// already.
pub async fn estimate(
    services: &Services,
    cx: &TenantContext,
    store_id: VectorStoreId,
    model: &str,
) -> Result<Plan> {
    let mut tx = services.db.tenant(cx).await?;
    let located = vector_store::locate(&mut tx, store_id).await?;
    let embedder = Arc::clone(&wanted(&mut tx, &services.models, model).await?.embedder);
    differs(model, &located.embedding_model)?;
    let (chunks, bytes) = vectors::size(&mut tx, store_id).await?;
    let sample = vectors::sample(&mut tx, store_id, SAMPLE).await?;
    tx.commit().await?;

    let dimensions = embedder.card().dimensions;
    let rate = embedder.tokens_per_second();
    let sampled = tokio::task::spawn_blocking(move || Sampled::count(embedder.as_ref(), &sample))
        .await
        .map_err(Error::internal)?;
    let tokens = scaled(sampled.tokens, bytes, sampled.bytes);
    Ok(Plan {
        from_model: located.embedding_model,
        to_model: model.to_owned(),
        estimate: Estimate {
            chunks,
            sampled_chunks: sampled.chunks,
            tokens,
            chunks_over_window: scaled(sampled.over_window, chunks, sampled.chunks),
            seconds: rate.map(|rate| tokens as f64 / rate),
            bytes: chunks.saturating_mul(i64::try_from(dimensions * size_of::<u16>()).unwrap_or(i64::MAX)),
        },
    })
}

/// What was counted on a sample.
#[derive(Debug, Default)]
struct Sampled {
    chunks: i64,
    bytes: i64,
    tokens: i64,
    over_window: i64,
}

impl Sampled {
    fn count(embedder: &dyn Embedder, sample: &[StoredChunk]) -> Self {
        let mut sampled = Self::default();
        let counter = embedder.counter();
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        for chunk in sample {
            let texts = embed_texts(
                &chunk.heading_path,
                &chunk.content,
                counter,
                embedder.card().max_tokens,
            );
            sampled.chunks += 1;
            sampled.bytes += number(chunk.content.len());
            sampled.tokens += number(texts.iter().map(|text| counter.count(text)).sum());
            sampled.over_window += i64::from(texts.len() > 1);
        }
        sampled
    }
}

/// `counted` on `sample` of `all`.
fn scaled(counted: i64, all: i64, sample: i64) -> i64 {
    if all == sample {
        return counted;
    }
    (counted as f64 * all as f64 / sample.max(1) as f64).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_stands_for_all() {
        assert_eq!(scaled(7, 10, 10), 7);
        assert_eq!(scaled(7, 1000, 10), 700);
        assert_eq!(scaled(0, 0, 0), 0);
    }
}
