//! What a tenant used, by the ledger.

use chrono::{DateTime, TimeDelta, Utc};
use insula_tenancy::{KeyId, Money, TenantTx};
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, Result, housekeeping};

/// Longest time that can be asked for at once.
const LONGEST: TimeDelta = TimeDelta::days(400);

/// What sums are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Hours.
    Hour,
    /// Days, in UTC.
    Day,
}

/// Which sums are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQuery {
    /// From.
    pub from: DateTime<Utc>,
    /// Until, itself not included.
    pub until: DateTime<Utc>,
    /// Of what length.
    pub bucket: Bucket,
    /// Whether endpoints are told apart.
    pub by_endpoint: bool,
    /// Whether models are told apart.
    pub by_model: bool,
    /// Whether keys are told apart.
    pub by_key: bool,
}

/// A sum.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UsageSum {
    /// When its time begins.
    pub starts_at: DateTime<Utc>,
    /// Of which endpoint; `None`: of all.
    pub endpoint: Option<String>,
    /// Of which model; `None`: of all.
    pub model: Option<String>,
    /// Of which key; `None`: of all, or of no key.
    pub key_id: Option<KeyId>,
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
    /// Cost.
    pub cost: Money,
    /// Summed time from beginning to end, in microseconds.
    pub latency_us: i64,
}

/// Sums of a time, oldest first. They equal the events, to the token and the nano-dollar.
///
/// # Errors
/// [`Error::Invalid`] for a time that ends before it begins, or is longer than 400 days.
pub async fn sums(tx: &mut TenantTx, query: UsageQuery) -> Result<Vec<UsageSum>> {
    if query.until <= query.from {
        return Err(Error::invalid("end_time", "Must be after 'start_time'."));
    }
    if query.until - query.from > LONGEST {
        return Err(Error::invalid(
            "start_time",
            "At most 400 days can be asked for at once.",
        ));
    }
    Ok(sqlx::query_as(
        "select date_trunc($3, hour, 'UTC') as starts_at,
                case when $4 then endpoint end as endpoint, case when $5 then model end as model,
                case when $6 then nullif(key_id, '00000000-0000-0000-0000-000000000000') end as key_id,
                sum(requests)::bigint as requests, sum(failed)::bigint as failed,
                sum(cache_hits)::bigint as cache_hits, sum(input_tokens)::bigint as input_tokens,
                sum(cached_tokens)::bigint as cached_tokens, sum(output_tokens)::bigint as output_tokens,
                sum(cost)::bigint as cost, sum(latency_us)::bigint as latency_us
         from usage_hours where hour >= date_trunc('hour', $1, 'UTC') and hour < $2
         group by 1, 2, 3, 4 order by 1, 2, 3, 4",
    )
    .bind(query.from)
    .bind(query.until)
    .bind(match query.bucket {
        Bucket::Hour => "hour",
        Bucket::Day => "day",
    })
    .bind(query.by_endpoint)
    .bind(query.by_model)
    .bind(query.by_key)
    .fetch_all(&mut **tx)
    .await?)
}

/// Sees to it that events past the tenant's retention are removed.
///
/// # Errors
/// When the database is away.
pub async fn keep_house(tx: &mut TenantTx) -> Result<()> {
    housekeeping::ensure(tx).await
}

/// One metered act, as the tenant may see it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct UsageEntry {
    /// The request's id.
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// With which key.
    pub key_id: Option<KeyId>,
    /// For whom.
    pub end_user: Option<String>,
    /// What was called.
    pub endpoint: String,
    /// What was asked for.
    pub model: String,
    /// Who answered.
    pub provider: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// The code of what went wrong.
    pub error: Option<String>,
    /// Tokens read.
    pub input_tokens: i64,
    /// Of those, from the provider's cache.
    pub cached_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Of those, spent on reasoning.
    pub reasoning_tokens: i64,
    /// Cost.
    pub cost: Money,
    /// From beginning to end, in microseconds.
    pub latency_us: i64,
    /// To the first token, in microseconds.
    pub first_token_us: Option<i64>,
    /// Calls to providers.
    pub attempts: i16,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Whether it came from the cache.
    pub cache_hit: bool,
    /// Whether tokens were counted here.
    pub estimated: bool,
    /// What guardrails decided.
    pub decisions: Option<Value>,
}

/// At most `most` events before `before`, latest first.
///
/// # Errors
/// When the database is away.
pub async fn events(tx: &mut TenantTx, before: Option<DateTime<Utc>>, most: i64) -> Result<Vec<UsageEntry>> {
    Ok(sqlx::query_as(
        "select id, started_at, key_id, end_user, endpoint, model, provider, outcome, error, input_tokens,
                cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, first_token_us, attempts, streamed,
                cache_hit, estimated, decisions
         from usage_events where started_at < coalesce($1, 'infinity') order by started_at desc, id desc limit $2",
    )
    .bind(before)
    .bind(most)
    .fetch_all(&mut **tx)
    .await?)
}
