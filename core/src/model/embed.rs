//! Text to vectors.

use std::sync::Arc;

use async_trait::async_trait;
use insula_tenancy::TenantId;

use crate::Result;
use crate::route::Prices;

/// What is known of an embedding model; shown to tenants and used by chunking and fusion.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedderCard {
    /// The name clients send, for example `all-MiniLM-L6-v2`.
    pub id: String,
    /// Length of its vectors.
    pub dimensions: usize,
    /// Longest input in its own tokens, special tokens included.
    pub max_tokens: usize,
    /// ISO 639-3 codes of the languages that it was trained on. Search leans on text for all others.
    pub languages: Vec<String>,
    /// How many candidates the 1-bit scan hands to the exact rerank for recall@10 ≥ 0.99.
    pub oversample: i64,
    /// Name of the party that serves it, for `GET /v1/models`.
    pub owned_by: String,
}

/// Who waits for the vectors: a person, or a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedPurpose {
    /// Somebody waits for the answer: goes before all [`EmbedPurpose::Bulk`] work.
    Interactive,
    /// Ingestion.
    Bulk,
}

impl EmbedPurpose {
    /// Such work of a tenant's.
    pub fn of(self, tenant: TenantId) -> EmbedWork {
        EmbedWork {
            purpose: self,
            tenant: Some(tenant),
        }
    }
}

/// Of nobody in particular.
impl From<EmbedPurpose> for EmbedWork {
    fn from(purpose: EmbedPurpose) -> Self {
        Self {
            purpose,
            tenant: None,
        }
    }
}

/// What texts are embedded for, and for whom: tenants take turns, whatever each of them asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EmbedWork {
    /// Who waits.
    pub purpose: EmbedPurpose,
    /// Whose texts they are, where that is known.
    pub tenant: Option<TenantId>,
}

/// Vectors in input order, with the tokens that each text cost.
#[derive(Debug, Clone, Default)]
pub struct Embeddings {
    /// Unit-length vectors, one per input.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens per input, special tokens included.
    pub tokens: Vec<usize>,
    /// Who computed them, where that is a target of a route.
    pub by: Option<EmbeddedBy>,
}

/// The target of a route that computed vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedBy {
    /// The operator's name of the provider.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub upstream_model: Arc<str>,
    /// What its tokens cost.
    pub prices: Prices,
}

/// Counts tokens of one model; cheap enough to be called per candidate chunk.
pub trait TokenCounter: Send + Sync {
    /// Tokens of `text` without special tokens.
    fn count(&self, text: &str) -> usize;
}

/// A model that turns texts into unit vectors.
#[async_trait]
pub trait Embedder: Send + Sync + 'static {
    /// The model's description.
    fn card(&self) -> &EmbedderCard;

    /// The model's own tokenizer.
    fn counter(&self) -> &dyn TokenCounter;

    /// Embeds `texts`, never cutting any: a text above `card().max_tokens` is an [`crate::Error::Invalid`]
    /// with param `input` (`input[3]` when several were given) and code `context_length_exceeded`.
    ///
    /// Cancel-safe: dropping the future gives up the work that has not been started. A full queue is
    /// [`crate::Error::Overloaded`].
    async fn embed(&self, texts: Vec<String>, work: EmbedWork) -> Result<Embeddings>;

    /// How fast it is, measured in this process of late; `None` while nothing has been measured.
    fn tokens_per_second(&self) -> Option<f64> {
        None
    }
}
