//! Vectors of a set's documents, computed by the real model once and kept in a file.

use std::path::Path;

use anyhow::{Context, Result};
use insula_inference::onnx::OnnxOptions;
use sha2::{Digest, Sha256};

/// The bootstrap's model.
pub(crate) const MODEL: &str = "all-MiniLM-L6-v2";
/// Length of its vectors.
pub(crate) const DIMENSIONS: usize = 384;
const BATCH: usize = 16;

/// The vectors of texts, in their order. A text beyond the model's window is cut, as it is by whoever published figures.
pub(crate) fn of(runtime: &Path, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let folder = runtime.join("bench");
    let path = folder.join(format!("{}.f32", digest(texts)));
    if let Ok(bytes) = std::fs::read(&path)
        && bytes.len() == texts.len() * DIMENSIONS * 4
    {
        return Ok(read(&bytes));
    }
    let vectors = embed(runtime, texts)?;
    std::fs::create_dir_all(&folder)?;
    let bytes: Vec<u8> = vectors
        .iter()
        .flatten()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    // Whole or not at all: a run may be broken off.
    let part = path.with_extension("part");
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, &path)?;
    Ok(vectors)
}

fn embed(runtime: &Path, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let options = OnnxOptions::new(
        runtime.join("onnxruntime/libonnxruntime.so"),
        runtime.join("models").join(MODEL),
    );
    let mut model = crate::embed::bare(&options)?;
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|place| texts[*place].len());
    let mut vectors = vec![Vec::new(); texts.len()];
    for part in order.chunks(BATCH) {
        let batch: Vec<&str> = part.iter().map(|place| texts[*place]).collect();
        for (place, vector) in part.iter().zip(model.embed(&batch, Some(BATCH))?) {
            vectors[*place] = vector;
        }
    }
    vectors
        .iter()
        .all(|vector| vector.len() == DIMENSIONS)
        .then_some(vectors)
        .context("not every text has a vector")
}

fn digest(texts: &[&str]) -> String {
    let mut digest = Sha256::new_with_prefix(MODEL);
    for text in texts {
        digest.update([0]);
        digest.update(text);
    }
    let digest: [u8; 32] = digest.finalize().into();
    digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(bytes: &[u8]) -> Vec<Vec<f32>> {
    let (values, _) = bytes.as_chunks::<4>();
    values
        .chunks(DIMENSIONS)
        .map(|vector| vector.iter().map(|value| f32::from_le_bytes(*value)).collect())
        .collect()
}
