//! What was used, on the wire.

use insula_core::usage::{TracedEntry, UsageEntry, UsageSum};
use insula_tenancy::usage::{Attempted, Stage, Trace, UsedChunk};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::routes::wire::seconds;

/// What was used in one hour, one day, or all the time that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSum)]
pub struct SumObject {
    /// `insula.usage`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its beginning.
    pub start_time: i64,
    /// Null: of all.
    #[schema(required)]
    pub endpoint: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub model: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub end_user: Option<String>,
    /// Calls.
    pub requests: i64,
    /// Of those, without an answer or with a broken one.
    pub failed: i64,
    /// Of those, answered from the cache.
    pub cache_hits: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Of those, from the provider's cache.
    pub cached_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Cost in US dollars, exact.
    pub cost_usd: String,
    /// Mean time from beginning to end, in milliseconds.
    pub mean_latency_ms: f64,
    /// The time that half of the calls took at most, in milliseconds, right to a factor of 1.4; null without a call.
    #[schema(required)]
    pub latency_p50_ms: Option<f64>,
    /// The time that 95 % of them took at most.
    #[schema(required)]
    pub latency_p95_ms: Option<f64>,
}

impl From<UsageSum> for SumObject {
    fn from(sum: UsageSum) -> Self {
        Self {
            object: "insula.usage",
            start_time: seconds(sum.starts_at),
            endpoint: sum.endpoint,
            model: sum.model,
            api_key_id: sum.key_id.map(|id| id.to_string()),
            end_user: sum.end_user,
            requests: sum.requests,
            failed: sum.failed,
            cache_hits: sum.cache_hits,
            input_tokens: sum.input_tokens,
            cached_tokens: sum.cached_tokens,
            output_tokens: sum.output_tokens,
            cost_usd: sum.cost.to_string(),
            mean_latency_ms: sum.latency_us as f64 / 1e3 / sum.requests.max(1) as f64,
            latency_p50_ms: sum.latency.quantile(0.5).map(tenths),
            latency_p95_ms: sum.latency.quantile(0.95).map(tenths),
        }
    }
}

fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

pub(super) fn request_id(id: Uuid) -> String {
    format!("req_{}", id.simple())
}

/// One metered call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageEvent)]
pub struct EventObject {
    /// The request's id, as in `x-request-id`.
    pub id: String,
    /// `insula.usage_event`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its beginning.
    pub created_at: i64,
    /// Null: not by an API key.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// For whom, as the call named them.
    #[schema(required)]
    pub end_user: Option<String>,
    /// As in `chat.completions`.
    pub endpoint: String,
    /// The model that was asked for.
    pub model: String,
    /// Who answered.
    #[schema(required)]
    pub provider: Option<String>,
    /// `completed`, `cancelled` (the caller left) or `failed`.
    pub outcome: String,
    /// The code of what went wrong.
    #[schema(required)]
    pub error: Option<String>,
    /// Tokens read.
    pub input_tokens: i64,
    /// Of those, from the provider's cache.
    pub cached_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Of those, spent on reasoning.
    pub reasoning_tokens: i64,
    /// Cost in US dollars, exact.
    pub cost_usd: String,
    /// From beginning to end, in milliseconds.
    pub latency_ms: f64,
    /// To the first token of a stream, in milliseconds.
    #[schema(required)]
    pub first_token_ms: Option<f64>,
    /// Calls to providers that it took.
    pub attempts: i16,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Whether the answer came from the cache.
    pub cache_hit: bool,
    /// Whether tokens were counted here, because nobody told.
    pub estimated: bool,
    /// What guardrails decided; null: nothing.
    #[schema(required)]
    pub decisions: Option<Value>,
}

impl From<UsageEntry> for EventObject {
    fn from(entry: UsageEntry) -> Self {
        let ms = |us: i64| us as f64 / 1e3;
        Self {
            id: request_id(entry.id),
            object: "insula.usage_event",
            created_at: seconds(entry.started_at),
            api_key_id: entry.key_id.map(|id| id.to_string()),
            end_user: entry.end_user,
            endpoint: entry.endpoint,
            model: entry.model,
            provider: entry.provider,
            outcome: entry.outcome,
            error: entry.error,
            input_tokens: entry.input_tokens,
            cached_tokens: entry.cached_tokens,
            output_tokens: entry.output_tokens,
            reasoning_tokens: entry.reasoning_tokens,
            cost_usd: entry.cost.to_string(),
            latency_ms: ms(entry.latency_us),
            first_token_ms: entry.first_token_us.map(ms),
            attempts: entry.attempts,
            streamed: entry.streamed,
            cache_hit: entry.cache_hit,
            estimated: entry.estimated,
            decisions: entry.decisions,
        }
    }
}

/// One metered call, with the way that it took.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TracedUsageEvent)]
pub struct TracedEventObject {
    #[serde(flatten)]
    event: EventObject,
    /// Its way; null where nothing is known of it.
    #[schema(required)]
    trace: Option<TraceObject>,
    /// What was logged of it, `rlog_…`; null: nothing.
    #[schema(required)]
    request_log_id: Option<String>,
}

/// What a call went through. No texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageEventTrace)]
pub(super) struct TraceObject {
    /// Where its time went; a stage like `search.embed` is a part of `search`.
    stages: Vec<StageObject>,
    /// Which providers were called, in their order; empty for what was computed on this server.
    attempts: Vec<AttemptObject>,
    /// The passages that were found for it, best first; the first fifty.
    chunks: Vec<ChunkObject>,
}

/// A part of a call's way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageEventStage)]
pub(super) struct StageObject {
    /// `limits`, `route`, `guardrails`, `search` and its parts, `reservation`, `model` (to the answer, or to the first piece of a
    /// stream), `stream`.
    name: String,
    /// From the beginning of the call, in milliseconds.
    start_ms: f64,
    /// How long it took, in milliseconds.
    duration_ms: f64,
}

/// A call of a provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageEventAttempt)]
pub(super) struct AttemptObject {
    /// The provider's name.
    provider: String,
    /// What the provider calls the model.
    upstream_model: String,
    /// `answered`, `refused`, `too_long`, `limited`, `overloaded`, `timed_out` or `failed`.
    outcome: String,
    /// The HTTP status with which it failed; null where there was none.
    #[schema(required)]
    status: Option<u16>,
    /// How long it took, in milliseconds.
    duration_ms: f64,
}

/// A passage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageEventChunk)]
pub(super) struct ChunkObject {
    /// Its vector store.
    vector_store_id: String,
    /// Its file.
    file_id: String,
    /// The passage.
    chunk_id: String,
    /// How well it matched, 0 to 1.
    score: f64,
}

impl From<TracedEntry> for TracedEventObject {
    fn from(traced: TracedEntry) -> Self {
        Self {
            event: traced.entry.into(),
            trace: traced.trace.map(TraceObject::from),
            request_log_id: traced.request_log_id.map(|id| id.to_string()),
        }
    }
}

impl From<Trace> for TraceObject {
    fn from(trace: Trace) -> Self {
        let stage = |stage: Stage| StageObject {
            name: stage.name.into_owned(),
            start_ms: ms(stage.start_us),
            duration_ms: ms(stage.duration_us),
        };
        let attempt = |attempt: Attempted| AttemptObject {
            provider: attempt.provider,
            upstream_model: attempt.upstream_model,
            outcome: attempt.outcome.into_owned(),
            status: attempt.status,
            duration_ms: ms(attempt.duration_us),
        };
        let chunk = |chunk: UsedChunk| ChunkObject {
            vector_store_id: chunk.vector_store_id.to_string(),
            file_id: chunk.file_id.to_string(),
            chunk_id: chunk.chunk_id.to_string(),
            score: chunk.score,
        };
        Self {
            stages: trace.stages.into_iter().map(stage).collect(),
            attempts: trace.attempts.into_iter().map(attempt).collect(),
            chunks: trace.chunks.into_iter().map(chunk).collect(),
        }
    }
}
