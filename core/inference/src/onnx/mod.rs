//! Embedding models in this process, run by ONNX Runtime.

mod check;
mod error;
mod files;
mod judge;
mod runtime;
mod tokens;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use fastembed::{InitOptionsUserDefined, TextEmbedding, UserDefinedEmbeddingModel};
use insula_core::Result;
use insula_core::model::{EmbedPurpose, Embedder, EmbedderCard, Embeddings, TokenCounter};

use self::files::{ModelFiles, corrupt};
use self::tokens::{Counter, Measurer};
use crate::batch::{Batcher, BoxError, Engine, Limits};

pub use self::error::LoadError;
pub use self::judge::{JudgeOptions, OnnxModerator, OnnxReranker};

/// What to load and how much of the machine to use.
#[derive(Debug, Clone)]
pub struct OnnxOptions {
    /// The shared library of ONNX Runtime, for example `libonnxruntime.so`.
    pub library: PathBuf,
    /// A directory with `model.onnx`, `model.toml`, `tokenizer.json`, `tokenizer_config.json`, `config.json`,
    /// `special_tokens_map.json` and, for the self-check, `golden.json`.
    pub model_dir: PathBuf,
    /// Copies of the model. Each takes its own memory and runs one batch at a time.
    pub sessions: usize,
    /// Threads within each session.
    pub threads: usize,
    /// Tokens of a batch after padding. Bounds memory and how long a query waits for a batch in progress.
    pub batch_tokens: usize,
    /// Tokens that may wait, for queries and for jobs each, before callers are asked to come back later.
    pub queue_tokens: usize,
}

impl OnnxOptions {
    /// One session on all cores: the least memory.
    pub fn new(library: impl Into<PathBuf>, model_dir: impl Into<PathBuf>) -> Self {
        Self {
            library: library.into(),
            model_dir: model_dir.into(),
            sessions: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            batch_tokens: 768,
            queue_tokens: 500_000,
        }
    }

    /// Opens the bare model, without batching, length checks or self-check: the yardstick for benchmarks.
    pub fn open_bare(&self) -> Result<TextEmbedding, LoadError> {
        self.open(&ModelFiles::open(&self.model_dir)?)
    }

    fn open(&self, files: &ModelFiles) -> Result<TextEmbedding, LoadError> {
        let environment = runtime::environment(&self.library)?;
        let model = UserDefinedEmbeddingModel::new(files.graph()?, files.tokenizer()?)
            .with_pooling(files.pooling.clone());
        // Idle pool threads must not spin: the cores are shared with Postgres and the server itself.
        let options = InitOptionsUserDefined::new()
            .with_environment(environment)
            .with_max_length(files.card.max_tokens)
            .with_intra_threads(self.threads.max(1))
            .with_session_config("session.intra_op.allow_spinning", "0");
        TextEmbedding::try_new_from_user_defined(model, options)
            .map_err(|error| corrupt(&files.graph_path(), error))
    }
}

/// A local embedding model behind a dynamic batcher.
pub struct OnnxEmbedder {
    card: EmbedderCard,
    counter: Arc<Counter>,
    measurer: Measurer,
    batcher: Batcher,
}

impl OnnxEmbedder {
    /// Loads the model, checks that it gives the vectors it should, and starts its workers.
    ///
    /// Takes about half a second and blocks: call it from a blocking thread. A process can use one ONNX Runtime
    /// library, but any number of models.
    pub fn load(options: OnnxOptions) -> Result<Self, LoadError> {
        // Batches are tokenized by the worker that runs them; a second pool of threads would only compete.
        tokenizers::utils::parallelism::set_parallelism(false);
        let files = ModelFiles::open(&options.model_dir)?;
        let mut first = options.open(&files)?;
        let counter = Arc::new(check::counter(&first, &files)?);
        check::vectors(&mut first, &counter, &files)?;
        let mut engines = vec![Session {
            model: first,
            dimensions: files.card.dimensions,
        }];
        for _ in 1..options.sessions {
            engines.push(Session {
                model: options.open(&files)?,
                dimensions: files.card.dimensions,
            });
        }
        let limits = Limits {
            batch_tokens: options.batch_tokens,
            queue_tokens: options.queue_tokens,
        };
        let batcher = Batcher::start(engines, limits).map_err(LoadError::Threads)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        tracing::info!(
            model = files.card.id,
            sessions = options.sessions,
            threads = options.threads,
            "model loaded"
        );
        Ok(Self {
            measurer: Measurer::new(Arc::clone(&counter), cores),
            counter,
            card: files.card,
            batcher,
        })
    }
}

#[async_trait]
impl Embedder for OnnxEmbedder {
    fn card(&self) -> &EmbedderCard {
        &self.card
    }

    fn counter(&self) -> &dyn TokenCounter {
        self.counter.as_ref()
    }

    async fn embed(&self, texts: Vec<String>, purpose: EmbedPurpose) -> Result<Embeddings> {
        self.batcher.check_room(purpose)?;
        let (texts, tokens) = self.measurer.measure(texts, purpose).await?;
        let vectors = self.batcher.embed(texts, &tokens, purpose).await?;
        Ok(Embeddings {
            vectors,
            tokens,
            by: None,
        })
    }

    fn tokens_per_second(&self) -> Option<f64> {
        self.batcher.tokens_per_second()
    }
}

/// One loaded copy of the model.
struct Session {
    model: TextEmbedding,
    dimensions: usize,
}

impl Engine for Session {
    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BoxError> {
        let vectors = self.model.embed(texts, Some(texts.len().max(1)))?;
        for vector in &vectors {
            if vector.len() != self.dimensions || !vector.iter().all(|x| x.is_finite()) {
                return Err(
                    "the model gave a vector of the wrong length or with values that are not finite".into(),
                );
            }
        }
        Ok(vectors)
    }
}
