//! From text with a vector to what search needs.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::pg::{Halfvec, Sparsevec};
use crate::text::chunk::ChunkDraft;
use crate::text::terms::DocumentTerms;
use crate::vector_store::Located;
use crate::{Error, Result};

/// A chunk with everything that search needs.
pub(crate) struct ReadyChunk {
    pub(crate) draft: ChunkDraft,
    pub(crate) language: &'static str,
    pub(crate) term_count: i32,
    pub(crate) terms: Sparsevec,
    pub(crate) vector: Halfvec,
    /// What the vector was computed from; `None` if the client brought it.
    pub(crate) embed_key: Option<Uuid>,
}

/// A vector and the text that it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    pub(crate) vector: Halfvec,
    pub(crate) embed_key: Option<Uuid>,
}

/// Identifies a text that is embedded: the first half of its SHA-256.
pub(crate) fn embed_key(text: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(half)
}

/// Detects languages and computes terms. `vectors` are those of `drafts`, in order.
///
/// # Errors
/// [`Error::Internal`] if there are not as many vectors as drafts.
pub(crate) async fn make_ready(
    store: &Located,
    drafts: Vec<ChunkDraft>,
    vectors: Vec<Embedded>,
) -> Result<Vec<ReadyChunk>> {
    if vectors.len() != drafts.len() {
        return Err(Error::internal("not every chunk has one vector"));
    }
    let (chunk_count, term_count) = (store.chunk_count, store.term_count);
    tokio::task::spawn_blocking(move || {
        let languages: Vec<&'static str> = drafts.iter().map(|draft| language_of(&draft.text)).collect();
        let average = average_length(chunk_count, term_count, &drafts, &languages);
        std::iter::zip(std::iter::zip(drafts, languages), vectors)
            .map(|((draft, language), embedded)| {
                let terms = DocumentTerms::new(&draft.indexed_text(), known(language), average);
                ReadyChunk {
                    draft,
                    language,
                    term_count: i32::try_from(terms.length).unwrap_or(i32::MAX),
                    terms: Sparsevec::new(terms.weights),
                    vector: embedded.vector,
                    embed_key: embedded.embed_key,
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

#[cfg(test)]
mod tests {
    use super::embed_key;

    #[test]
    fn a_text_has_one_key_and_another_text_another() {
        assert_eq!(embed_key("a"), embed_key("a"));
        assert_ne!(embed_key("a"), embed_key("a "));
    }
}
