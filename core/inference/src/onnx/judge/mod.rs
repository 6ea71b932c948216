//! Models in this process that score texts: cross-encoders, which rank documents, and classifiers of texts.
//!
//! A folder has `model.onnx`, `tokenizer.json` and `model.toml`; a classifier's `config.json` says what its outputs mean
//! (`id2label`).

mod moderate;
mod rerank;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use insula_core::model::JudgeCard;
use insula_core::{Error, Result};
use serde::Deserialize;
use tokenizers::{Encoding, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};
use tokio::sync::{Semaphore, TryAcquireError};

pub use self::moderate::OnnxModerator;
pub use self::rerank::OnnxReranker;
use super::files::{checked, corrupt, read};
use super::graph::{Graph, Row};
use super::{Device, LoadError};
use crate::batch::BoxError;

/// Tokens of a batch after padding.
const BATCH_TOKENS: usize = 2048;
/// Calls that may wait for the model; more are told to come back.
const MOST_WAITING: usize = 256;

/// What to load.
#[derive(Debug, Clone)]
pub struct JudgeOptions {
    /// The shared library of ONNX Runtime.
    pub library: PathBuf,
    /// The folder.
    pub model_dir: PathBuf,
    /// Threads of the model.
    pub threads: usize,
}

/// `model.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    id: String,
    max_tokens: usize,
    owned_by: String,
    /// Of `model.onnx`, in lower-case hexadecimal.
    sha256: Option<String>,
    /// What makes scores of the model's outputs.
    #[serde(default)]
    activation: Activation,
    /// From which score on a text is flagged.
    threshold: Option<f64>,
    /// The categories that each label of a classifier speaks of. One that is called like a category speaks of it.
    #[serde(default)]
    categories: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Activation {
    /// Each output by itself.
    #[default]
    Sigmoid,
    /// All outputs together.
    Softmax,
}

impl Activation {
    fn apply(self, outputs: &[f32]) -> Vec<f64> {
        let outputs = outputs.iter().map(|output| f64::from(*output));
        match self {
            Self::Sigmoid => outputs.map(|output| 1.0 / (1.0 + (-output).exp())).collect(),
            Self::Softmax => {
                let most = outputs.clone().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = outputs.map(|output| (output - most).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(|power| power / sum).collect()
            }
        }
    }
}

/// A loaded model.
struct Judge {
    tokenizer: Tokenizer,
    graph: Mutex<Graph>,
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Judge {
    fn load(options: &JudgeOptions, documents_are_cut: bool) -> Result<(Self, Manifest), LoadError> {
        let path = options.model_dir.join("model.toml");
        let text = String::from_utf8(read(&path)?).map_err(|error| corrupt(&path, error))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| corrupt(&path, error.message()))?;
        if manifest.max_tokens < 8 {
            return Err(corrupt(&path, "max_tokens is too small"));
        }
        let path = options.model_dir.join("tokenizer.json");
        let mut tokenizer = Tokenizer::from_bytes(read(&path)?).map_err(|error| corrupt(&path, error))?;
        tokenizer.with_padding(None);
        let truncation = documents_are_cut.then_some(TruncationParams {
            max_length: manifest.max_tokens,
            strategy: TruncationStrategy::OnlySecond,
            stride: 0,
            direction: TruncationDirection::Right,
        });
        tokenizer
            .with_truncation(truncation)
            .map_err(|error| corrupt(&path, error))?;
        let path = options.model_dir.join("model.onnx");
        let graph = checked(&path, manifest.sha256.as_deref())?;
        let graph = Graph::load(&options.library, Device::Cpu, options.threads, &path, &graph)?;
        let judge = Self {
            tokenizer,
            graph: Mutex::new(graph),
            gate: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
        };
        tracing::info!(model = manifest.id, threads = options.threads, "model loaded");
        Ok((judge, manifest))
    }

    /// A text in pieces that fit the model's window, at least one. (The tokenizer's own truncation does not look at what is
    /// beyond the first.)
    fn pieces(&self, text: &str, max_tokens: usize) -> Result<Vec<Encoding>, BoxError> {
        let special = self.tokenizer.encode_fast("", true)?.len();
        let mut first = self.tokenizer.encode(text, false)?;
        let room = max_tokens.saturating_sub(special).max(1);
        first.truncate(room, 0, TruncationDirection::Right);
        let more = first.take_overflowing();
        let pieces = std::iter::once(first).chain(more);
        let whole = |piece| self.tokenizer.post_process(piece, None, true);
        pieces.map(whole).collect()
    }

    /// The outputs for each text, in order.
    fn outputs(&self, texts: &[Encoding], left: &AtomicBool) -> Result<Vec<Vec<f32>>, BoxError> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|n| texts[*n].len());
        let mut outputs = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            if left.load(Ordering::Relaxed) {
                return Err("nobody waits for it any more".into());
            }
            // The longest of a batch is its last.
            let fits = |count: &usize| count * texts[rest[count - 1]].len() <= BATCH_TOKENS;
            let count = (1..=rest.len()).take_while(fits).last().unwrap_or(1);
            let (batch, after) = rest.split_at(count);
            let encodings: Vec<&Encoding> = batch.iter().map(|n| &texts[*n]).collect();
            for (n, output) in batch.iter().zip(self.run(&encodings)?) {
                outputs[*n] = output;
            }
            rest = after;
        }
        Ok(outputs)
    }

    fn run(&self, texts: &[&Encoding]) -> Result<Vec<Vec<f32>>, BoxError> {
        let rows: Vec<Row<'_>> = texts
            .iter()
            .map(|text| Row {
                ids: text.get_ids(),
                types: text.get_type_ids(),
            })
            .collect();
        // A graph holds nothing across calls that a panic could leave half done.
        let mut graph = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = graph.run(&rows)?;
        let (_, values) = answer[0].try_extract_tensor::<f32>()?;
        if values.is_empty()
            || values.len() % texts.len() != 0
            || values.iter().any(|value| !value.is_finite())
        {
            return Err("the model gave outputs of the wrong number, or that are not finite".into());
        }
        Ok(values
            .chunks(values.len() / texts.len())
            .map(<[f32]>::to_vec)
            .collect())
    }
}

/// Works on the blocking pool, one call at a time; one whose caller has gone stops at the next batch.
async fn work<T: Send + 'static>(
    judge: &Arc<Judge>,
    call: impl FnOnce(&Judge, &AtomicBool) -> Result<T> + Send + 'static,
) -> Result<T> {
    let _place = judge.waiting.try_acquire().map_err(|error| match error {
        TryAcquireError::NoPermits => Error::Overloaded {
            message: "Too many texts are waiting for this model.".into(),
            retry_after: Duration::from_secs(1),
        },
        TryAcquireError::Closed => Error::internal(error),
    })?;
    let turn = Arc::clone(&judge.gate)
        .acquire_owned()
        .await
        .map_err(Error::internal)?;
    let left = Left(Arc::default());
    let (judge, seen) = (Arc::clone(judge), Arc::clone(&left.0));
    let working = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        call(&judge, &seen)
    });
    working.await.map_err(Error::internal)?
}

/// Says, when it is dropped, that nobody waits any more.
struct Left(Arc<AtomicBool>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn card(manifest: Manifest) -> JudgeCard {
    JudgeCard {
        id: manifest.id,
        owned_by: manifest.owned_by,
    }
}

/// Runs the model once: it has to give so many outputs.
fn try_out(judge: &Judge, folder: &Path, outputs: usize) -> Result<(), LoadError> {
    let failed = |reason: String| LoadError::SelfCheck {
        path: folder.to_owned(),
        reason,
    };
    let text = judge.tokenizer.encode(("self", "check"), true);
    let text = text.map_err(|error| failed(error.to_string()))?;
    let found = judge.run(&[&text]).map_err(|error| failed(error.to_string()))?;
    match found.first().map(Vec::len) {
        // A cross-encoder may have an output for "no" before the one for "yes".
        Some(found) if found == outputs || (outputs == 1 && found == 2) => Ok(()),
        found => Err(failed(format!("{} outputs, not {outputs}", found.unwrap_or(0)))),
    }
}
