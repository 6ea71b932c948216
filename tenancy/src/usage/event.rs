//! What is recorded of a call.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Trace;
use crate::Money;

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// A conversation.
    #[serde(rename = "chat.completions")]
    ChatCompletions,
    /// A text to go on from.
    #[serde(rename = "completions")]
    Completions,
    /// Input items to output items.
    #[serde(rename = "responses")]
    Responses,
    /// Texts to vectors.
    #[serde(rename = "embeddings")]
    Embeddings,
    /// A search.
    #[serde(rename = "vector_stores.search")]
    Search,
    /// A search for a response, which its model or its caller wanted.
    #[serde(rename = "responses.file_search")]
    FileSearch,
    /// Documents made searchable.
    #[serde(rename = "vector_stores.ingestion")]
    Ingestion,
    /// Documents ranked for a query.
    #[serde(rename = "rerank")]
    Rerank,
    /// Texts looked through for what should not be there.
    #[serde(rename = "moderations")]
    Moderations,
    /// A model of the tenant's own was asked.
    #[serde(rename = "predictions")]
    Predictions,
}

impl Endpoint {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::Search,
        Self::FileSearch,
        Self::Ingestion,
        Self::Rerank,
        Self::Moderations,
        Self::Predictions,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Search => "vector_stores.search",
            Self::FileSearch => "responses.file_search",
            Self::Ingestion => "vector_stores.ingestion",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
            Self::Predictions => "predictions",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// With a whole answer.
    Completed,
    /// The caller left, or the server died, before the answer was whole. What was produced until then is charged.
    Cancelled,
    /// Without an answer, or with a broken one.
    Failed,
}

impl Outcome {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Read.
    pub input: u64,
    /// Of those, read from the provider's cache.
    pub cached: u64,
    /// Written.
    pub output: u64,
    /// Of those, spent on reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Read and written: what limits of tokens count.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// What is learnt of a call while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Who answered.
    pub provider: Option<String>,
    /// By which model of theirs.
    pub upstream_model: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of what went wrong.
    pub error: Option<String>,
    /// What it took.
    pub tokens: Tokens,
    /// What it costs the tenant.
    pub cost: Money,
    /// From the call to the first token of a stream, in microseconds.
    pub first_token_us: Option<u64>,
    /// Calls to providers that it took.
    pub attempts: u16,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Whether the answer came from the cache.
    pub cache_hit: bool,
    /// Whether the tokens were counted or estimated here, because nobody told.
    pub estimated: bool,
    /// What guardrails decided; a list, absent when there was nothing to decide.
    pub decisions: Option<Value>,
    /// The way that it took, as far as it is known.
    #[serde(default, skip_serializing_if = "Trace::is_empty")]
    pub trace: Trace,
}

impl Default for Details {
    /// Of a call of which nothing more will be heard.
    fn default() -> Self {
        Self {
            provider: None,
            upstream_model: None,
            outcome: Outcome::Cancelled,
            error: None,
            tokens: Tokens::default(),
            cost: Money::ZERO,
            first_token_us: None,
            attempts: 0,
            streamed: false,
            cache_hit: false,
            estimated: true,
            decisions: None,
            trace: Trace::default(),
        }
    }
}

/// One metered act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// Whose.
    pub tenant_id: Uuid,
    /// The request's id.
    pub id: Uuid,
    /// When it began, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// By which API key.
    pub key_id: Option<Uuid>,
    /// For whom, as the tenant calls them.
    pub end_user: Option<String>,
    /// What was called.
    pub endpoint: Endpoint,
    /// The model that was asked for.
    pub model: String,
    /// From beginning to end, in microseconds.
    pub latency_us: u64,
    /// The rest.
    pub details: Details,
}
