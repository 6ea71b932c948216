//! `/v1/insula/usage`: what was used and what it cost, by the same ledger that enforces budgets.

use axum::extract::State;
use chrono::{DateTime, Utc};
use insula_core::Error;
use insula_core::usage::{self, Bucket, UsageEntry, UsageQuery, UsageSum};
use insula_tenancy::scope_types::{UsageRead, UsageWrite};
use insula_tenancy::usage as ledger;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::wire::{List, now, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, FromQuery, Json, Query, QueryParams};

/// Which sums are asked for.
#[derive(Debug)]
pub struct SumsQuery(UsageQuery);

impl FromQuery for SumsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let month_ago = || DateTime::from_timestamp(now() - 30 * 24 * 3600, 0).unwrap_or_default();
        let from = time(params, "start_time")?.unwrap_or_else(month_ago);
        let mut query = UsageQuery {
            from,
            until: time(params, "end_time")?.unwrap_or(DateTime::<Utc>::MAX_UTC),
            bucket: params
                .choice("bucket_width", &[("1h", Bucket::Hour), ("1d", Bucket::Day)])?
                .unwrap_or(Bucket::Day),
            by_endpoint: false,
            by_model: false,
            by_key: false,
        };
        if query.until == DateTime::<Utc>::MAX_UTC {
            // Up to now: nothing is recorded of later.
            query.until = from + chrono::TimeDelta::days(400);
        }
        for group in params.all("group_by") {
            match group {
                "endpoint" => query.by_endpoint = true,
                "model" => query.by_model = true,
                "api_key_id" => query.by_key = true,
                _ => {
                    let message = "Supported values are: 'endpoint', 'model', 'api_key_id'.";
                    return Err(Error::invalid("group_by", message));
                }
            }
        }
        Ok(Self(query))
    }
}

fn time(params: &QueryParams, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    // Far enough from the ends that days can be added.
    let sane = seconds.filter(|time| (0..=100_000_000_000).contains(&time.timestamp()));
    sane.map(Some)
        .ok_or_else(|| Error::invalid(name, "Must be Unix seconds."))
}

/// The query of the sums.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; SumsQuery reads them")]
struct SumsParams {
    /// Unix seconds; absent: thirty days ago.
    start_time: Option<i64>,
    /// Unix seconds, itself not included; absent: until now.
    end_time: Option<i64>,
    /// `1h` or `1d`, in UTC; days unless said otherwise.
    bucket_width: Option<String>,
    /// What is told apart: `endpoint`, `model`, `api_key_id`; several may be given.
    group_by: Option<Vec<String>>,
}

/// What was used in one hour or day.
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
}

impl From<UsageSum> for SumObject {
    fn from(sum: UsageSum) -> Self {
        Self {
            object: "insula.usage",
            start_time: seconds(sum.starts_at),
            endpoint: sum.endpoint,
            model: sum.model,
            api_key_id: sum.key_id.map(|id| id.to_string()),
            requests: sum.requests,
            failed: sum.failed,
            cache_hits: sum.cache_hits,
            input_tokens: sum.input_tokens,
            cached_tokens: sum.cached_tokens,
            output_tokens: sum.output_tokens,
            cost_usd: sum.cost.to_string(),
            mean_latency_ms: sum.latency_us as f64 / 1e3 / sum.requests.max(1) as f64,
        }
    }
}

/// Sums what was used, by hour or day.
#[utoipa::path(
    get, path = "/v1/insula/usage", operation_id = "list_usage", tag = "usage",
    params(SumsParams), responses((status = OK, body = List<SumObject>))
)]
pub async fn list_usage(
    caller: Caller<UsageRead>,
    State(app): State<App>,
    Query(SumsQuery(query)): Query<SumsQuery>,
) -> ApiResult<Json<List<SumObject>>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let sums = usage::sums(&mut tx, query).await?;
    let sums = sums.into_iter().map(SumObject::from).collect();
    Ok(Json(List::new(sums, false, |sum| sum.start_time.to_string())))
}

/// Which events are asked for.
#[derive(Debug)]
pub struct EventsQuery {
    before: Option<DateTime<Utc>>,
    limit: u32,
}

impl FromQuery for EventsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        Ok(Self {
            before: time(params, "before")?,
            limit: params.integer("limit", 1..=1000, 100)?,
        })
    }
}

/// The query of the events.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; EventsQuery reads them")]
struct EventsParams {
    /// Only events that began before these Unix seconds.
    before: Option<i64>,
    /// 1 to 1000; 100 unless said otherwise.
    limit: Option<u32>,
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
            id: format!("req_{}", entry.id.simple()),
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

/// Lists metered calls, latest first.
#[utoipa::path(
    get, path = "/v1/insula/usage/events", operation_id = "list_usage_events", tag = "usage",
    params(EventsParams), responses((status = OK, body = List<EventObject>))
)]
pub async fn list_usage_events(
    caller: Caller<UsageRead>,
    State(app): State<App>,
    Query(query): Query<EventsQuery>,
) -> ApiResult<Json<List<EventObject>>> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut tx = app.services.db.tenant(&caller).await?;
    let mut events = usage::events(&mut tx, query.before, i64::from(query.limit) + 1).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let events = events.into_iter().map(EventObject::from).collect();
    Ok(Json(List::new(events, has_more, |event| event.id.clone())))
}

/// For how long metered calls are kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageRetention {
    /// Days, 1 to 3650; null: for ever. Sums by the hour stay.
    #[schema(required)]
    pub days: Option<i32>,
}

/// Tells for how long metered calls are kept.
#[utoipa::path(
    get, path = "/v1/insula/settings/usage_retention", operation_id = "get_usage_retention", tag = "usage",
    responses((status = OK, body = UsageRetention))
)]
pub async fn get_usage_retention(
    caller: Caller<UsageRead>,
    State(app): State<App>,
) -> ApiResult<Json<UsageRetention>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let days = ledger::retention(&mut tx).await?;
    Ok(Json(UsageRetention { days }))
}

/// Says for how long metered calls are kept. Older ones are removed once a day.
#[utoipa::path(
    put, path = "/v1/insula/settings/usage_retention", operation_id = "put_usage_retention", tag = "usage",
    request_body = UsageRetention, responses((status = OK, body = UsageRetention))
)]
pub async fn put_usage_retention(
    caller: Caller<UsageWrite>,
    State(app): State<App>,
    Json(request): Json<UsageRetention>,
) -> ApiResult<Json<UsageRetention>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    ledger::set_retention(&mut tx, request.days)
        .await
        .map_err(|error| match error {
            insula_tenancy::Error::Invalid(message) => Error::invalid("days", format!("This {message}.")),
            other => other.into(),
        })?;
    insula_core::usage::keep_house(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(request))
}
