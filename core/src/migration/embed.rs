//! Vectors of chunks that are stored already.

use std::sync::Arc;

use insula_tenancy::{ChunkId, TenantContext};

use super::vectors::StoredChunk;
use crate::model::Embedder;
use crate::pg::Halfvec;
use crate::text::chunk::embed_texts;
use crate::{Error, Result, Services, metering};

/// Texts that the embedder is given at once.
const EMBED_AT_ONCE: usize = 128;

/// Embeds chunks behind all queries. The ids and vectors, in the order of the chunks.
pub(super) async fn embed(
    services: &Services,
    cx: &TenantContext,
    embedder: &Arc<dyn Embedder>,
    chunks: Vec<StoredChunk>,
) -> Result<(Vec<ChunkId>, Vec<Halfvec>)> {
    let (ids, texts) = {
        let embedder = Arc::clone(embedder);
        tokio::task::spawn_blocking(move || texts(embedder.as_ref(), &chunks))
            .await
            .map_err(Error::internal)?
    };
    let pieces: Vec<usize> = texts.iter().map(Vec::len).collect();
    let texts = texts.concat();
    let mut vectors = Vec::with_capacity(texts.len());
    for part in texts.chunks(EMBED_AT_ONCE) {
        let embedded = metering::embed(services, cx, embedder.as_ref(), part.to_vec()).await?;
        vectors.extend(embedded.vectors);
    }
    if vectors.len() != texts.len() {
        return Err(Error::internal(
            "the embedder returned another number of vectors than it was given texts",
        ));
    }
    let mut vectors = vectors.into_iter();
    let of_chunk = |count: usize| Halfvec::new(&mean(vectors.by_ref().take(count).collect()));
    Ok((ids, pieces.into_iter().map(of_chunk).collect()))
}

fn texts(embedder: &dyn Embedder, chunks: &[StoredChunk]) -> (Vec<ChunkId>, Vec<Vec<String>>) {
    let window = embedder.card().max_tokens;
    chunks
        .iter()
        .map(|chunk| {
            let texts = embed_texts(&chunk.heading_path, &chunk.content, embedder.counter(), window);
            (chunk.id, texts)
        })
        .unzip()
}

/// The direction between some unit vectors, again of unit length.
fn mean(vectors: Vec<Vec<f32>>) -> Vec<f32> {
    let mut vectors = vectors.into_iter();
    let mut sum = vectors.next().unwrap_or_default();
    if vectors.len() == 0 {
        return sum;
    }
    for vector in vectors {
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += value;
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|value| *value /= length);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_has_unit_length_and_lies_between() {
        assert_eq!(mean(vec![vec![0.6, 0.8]]), [0.6, 0.8]);
        let half = std::f32::consts::FRAC_1_SQRT_2;
        for (found, expected) in mean(vec![vec![1.0, 0.0], vec![0.0, 1.0]])
            .iter()
            .zip([half, half])
        {
            assert!((found - expected).abs() < 1e-6);
        }
        assert_eq!(
            mean(vec![vec![1.0], vec![-1.0]]),
            [0.0],
            "opposites have no direction"
        );
    }
}
