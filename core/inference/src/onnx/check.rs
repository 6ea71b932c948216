//! Is this the model that it claims to be? Asked once, before anything is embedded with it.

use super::LoadError;
use super::encoder::Encoder;
use super::files::{Golden, ModelFiles};
use super::tokens::Counter;
use crate::batch::Engine;

/// Below this, two vectors are not of the same model. Kernels of other processors, and half precision, differ by far less.
const SAME: f32 = 0.999;

/// Texts of `golden.json` that are tried.
const TRIED: usize = 2;

/// Compares ids and vectors with the stored ones; without stored ones, only the shape can be checked.
pub(super) fn vectors(model: &mut Encoder, counter: &Counter, files: &ModelFiles) -> Result<(), LoadError> {
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
    let ids: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| counter.ids(text))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    let rows: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let vectors = model.embed(&rows).map_err(|error| failed(error.to_string()))?;
    for vector in &vectors {
        // It was divided by its length, unless that was nothing.
        if !((0.999..=1.001).contains(&cosine(vector, vector))) {
            return Err(failed("a vector is nothing but zeros".into()));
        }
    }
    for (n, (golden, (found_ids, found))) in golden.iter().zip(ids.iter().zip(&vectors)).enumerate() {
        let Golden { ids, vector, .. } = golden;
        if found_ids != ids {
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
