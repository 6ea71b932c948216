//! Is this the model that it claims to be? Asked once, before anything is embedded with it.

use fastembed::TextEmbedding;

use super::LoadError;
use super::files::{Golden, ModelFiles, corrupt};
use super::tokens::Counter;

/// Below this, two vectors are not of the same model. Kernels of other processors differ by far less.
const SAME: f32 = 0.999;

/// Texts of `golden.json` that are tried.
const TRIED: usize = 2;

/// A counter from the model's tokenizer, refusing a tokenizer that would cut texts which the model takes.
pub(super) fn counter(model: &TextEmbedding, files: &ModelFiles) -> Result<Counter, LoadError> {
    let max_tokens = files.card.max_tokens;
    let cut = model
        .tokenizer
        .get_truncation()
        .map_or(max_tokens, |truncation| truncation.max_length);
    if cut != max_tokens {
        let path = files.dir().join("tokenizer_config.json");
        return Err(corrupt(
            &path,
            format!("model_max_length is {cut}, model.toml says max_tokens {max_tokens}"),
        ));
    }
    let path = files.dir().join("tokenizer.json");
    Counter::new(model.tokenizer.clone(), max_tokens).map_err(|error| corrupt(&path, error))
}

/// Compares ids and vectors with the stored ones; without stored ones, only the shape can be checked.
pub(super) fn vectors(
    model: &mut TextEmbedding,
    counter: &Counter,
    files: &ModelFiles,
) -> Result<(), LoadError> {
    let failed = |reason: String| LoadError::SelfCheck {
        path: files.dir().to_owned(),
        reason,
    };
    let golden = files.golden(TRIED)?;
    let mut texts: Vec<&str> = golden.iter().map(|golden| golden.text.as_str()).collect();
    if texts.is_empty() {
        tracing::warn!(
            model = files.card.id,
            "no golden.json: only the shape of the vectors is checked"
        );
        texts.push("self-check");
    }
    let vectors = model
        .embed(&texts, None)
        .map_err(|error| failed(error.to_string()))?;
    for vector in &vectors {
        if vector.len() != files.card.dimensions {
            return Err(failed(format!(
                "{} dimensions, not {}",
                vector.len(),
                files.card.dimensions
            )));
        }
        if !((0.999..=1.001).contains(&cosine(vector, vector))) {
            return Err(failed("the vectors are not of unit length".into()));
        }
    }
    for (n, (Golden { text, ids, vector }, found)) in golden.iter().zip(&vectors).enumerate() {
        let found_ids = counter.ids(text).map_err(|error| failed(error.to_string()))?;
        if found_ids != *ids {
            return Err(failed(format!("text {n} of golden.json has other token ids")));
        }
        let cosine = cosine(vector, found);
        if vector.len() != found.len() || cosine.is_nan() || cosine < SAME {
            return Err(failed(format!(
                "text {n} of golden.json has cosine {cosine} to its vector"
            )));
        }
    }
    Ok(())
}

/// Dot product: the cosine of unit vectors.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
