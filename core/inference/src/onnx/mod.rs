//! Embedding models in this process, run by ONNX Runtime.
//!
//! A text is tokenized once, by whoever waits for it, and goes through the batcher as token ids: batches are cut by what the model
//! will compute, and a fast device never waits for the tokenizer.

mod check;
mod device;
mod encoder;
mod error;
mod files;
mod graph;
mod judge;
mod runtime;
mod tokens;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use insula_core::Result;
use insula_core::model::{EmbedWork, Embedder, EmbedderCard, Embeddings, TokenCounter};

use self::encoder::Encoder;
use self::files::ModelFiles;
use self::graph::Graph;
use self::tokens::{Counter, Tokenizing};
use crate::batch::{Batcher, Limits};

pub use self::device::{Device, DeviceError};
pub use self::error::LoadError;
pub use self::judge::{JudgeOptions, OnnxModerator, OnnxReranker};

/// What to load and how much of the machine to use.
#[derive(Debug, Clone)]
pub struct OnnxOptions {
    /// The shared library of ONNX Runtime, for example `libonnxruntime.so`.
    pub library: PathBuf,
    /// A directory with `model.onnx` (`model.cuda.onnx` for a card), `model.toml`, `tokenizer.json` and, to check them by,
    /// `config.json` and `golden.json`.
    pub model_dir: PathBuf,
    /// Where it runs.
    pub device: Device,
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
            device: Device::Cpu,
            sessions: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            batch_tokens: 768,
            queue_tokens: 500_000,
        }
    }

    /// The same on a device, with batches of the size that suits it.
    pub fn on(self, device: Device) -> Self {
        match device {
            Device::Cpu => Self { device, ..self },
            // A card is not busy below this, and a batch of it takes some 20 ms.
            Device::Cuda(_) => Self {
                device,
                threads: 1,
                batch_tokens: 32_768,
                queue_tokens: 8_000_000,
                ..self
            },
        }
    }

    /// The process's ONNX Runtime, for whoever runs graphs beside ours: there can be only one.
    ///
    /// # Errors
    /// [`LoadError`] where the library cannot be used.
    pub fn environment(&self) -> Result<ort::environment::Environment, LoadError> {
        runtime::environment(&self.library)
    }

    fn open(&self, files: &ModelFiles) -> Result<Encoder, LoadError> {
        let (path, bytes) = files.graph(self.device)?;
        Ok(Encoder {
            graph: Graph::load(&self.library, self.device, self.threads, &path, &bytes)?,
            pooling: files.pooling,
            dimensions: files.card.dimensions,
        })
    }
}

/// A local embedding model behind a dynamic batcher.
pub struct OnnxEmbedder {
    card: EmbedderCard,
    counter: Arc<Counter>,
    tokenizing: Tokenizing,
    batcher: Batcher,
}

impl OnnxEmbedder {
    /// Loads the model, checks that it gives the vectors it should, and starts its workers.
    ///
    /// Takes about half a second and blocks: call it from a blocking thread. A process can use one ONNX Runtime
    /// library, but any number of models.
    pub fn load(options: OnnxOptions) -> Result<Self, LoadError> {
        // Callers tokenize beside each other; a second pool of threads would only compete.
        tokenizers::utils::parallelism::set_parallelism(false);
        let files = ModelFiles::open(&options.model_dir)?;
        // First, because nothing helps where it is missing.
        options.environment()?;
        let counter = Arc::new(files.counter()?);
        let mut first = options.open(&files)?;
        check::vectors(&mut first, &counter, &files)?;
        let mut engines = vec![first];
        for _ in 1..options.sessions {
            engines.push(options.open(&files)?);
        }
        let limits = Limits {
            batch_tokens: options.batch_tokens,
            queue_tokens: options.queue_tokens,
        };
        let batcher = Batcher::start(engines, limits).map_err(LoadError::Threads)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        tracing::info!(
            model = files.card.id,
            device = %options.device,
            sessions = options.sessions,
            threads = options.threads,
            "model loaded"
        );
        // Beside a card the processor has nothing better to do.
        let for_bulk = match options.device {
            Device::Cpu => cores / 2,
            Device::Cuda(_) => cores,
        };
        Ok(Self {
            tokenizing: Tokenizing::new(Arc::clone(&counter), cores, for_bulk),
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

    async fn embed(&self, texts: Vec<String>, work: EmbedWork) -> Result<Embeddings> {
        self.batcher.check_room(work.purpose)?;
        let texts = self.tokenizing.ids(texts, work.purpose).await?;
        let tokens = texts.iter().map(Vec::len).collect();
        let vectors = self.batcher.embed(texts, work).await?;
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
