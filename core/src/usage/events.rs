//! The metered calls of a tenant, one by one.

use chrono::{DateTime, Utc};
use insula_tenancy::usage::{Endpoint, Outcome, Trace};
use insula_tenancy::{KeyId, Money, RequestLogId, TenantTx};
use serde_json::Value;
use uuid::Uuid;

use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result};

/// A metered call.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct UsageEntry {
    /// The request's id.
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// By which key.
    pub key_id: Option<KeyId>,
    /// For whom.
    pub end_user: Option<String>,
    /// What was called.
    pub endpoint: String,
    /// The model that was asked for.
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
    /// Time from beginning to end, in microseconds.
    pub latency_us: i64,
    /// To the first token of a stream, in microseconds.
    pub first_token_us: Option<i64>,
    /// Calls to providers that it took.
    pub attempts: i16,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Whether the answer came from the cache.
    pub cache_hit: bool,
    /// Whether tokens were counted here.
    pub estimated: bool,
    /// What guardrails decided.
    pub decisions: Option<Value>,
}

/// A metered call with the way that it took.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct TracedEntry {
    /// The call.
    #[sqlx(flatten)]
    pub entry: UsageEntry,
    /// Its way; `None` where nothing is known of it.
    #[sqlx(json(nullable))]
    pub trace: Option<Trace>,
    /// What was logged of it.
    pub request_log_id: Option<RequestLogId>,
}

/// Which calls are asked for; `None`: any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Begun not before.
    pub from: Option<DateTime<Utc>>,
    /// Begun before.
    pub until: Option<DateTime<Utc>>,
    /// At an endpoint.
    pub endpoint: Option<Endpoint>,
    /// Of a model.
    pub model: Option<String>,
    /// With a key.
    pub key: Option<KeyId>,
    /// For an end user.
    pub end_user: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
}

macro_rules! columns {
    () => {
        "id, started_at, key_id, end_user, endpoint, model, provider, outcome, error, input_tokens, cached_tokens, output_tokens,
         reasoning_tokens, cost, latency_us, first_token_us, attempts, streamed, cache_hit, estimated, decisions"
    };
}

/// A page in one direction: after ($8, $9) and before ($10, $11), which are the ends of time where no cursor is.
macro_rules! page {
    ($after:literal, $before:literal, $direction:literal) => {
        concat!(
            "select ",
            columns!(),
            " from usage_events where started_at >= $1 and started_at < $2
               and ($3::text is null or endpoint = $3) and ($4::text is null or model = $4)
               and ($5::uuid is null or key_id = $5) and ($6::text is null or end_user = $6)
               and ($7::text is null or outcome = $7)
               and (started_at, id) ",
            $after,
            " ($8, $9) and (started_at, id) ",
            $before,
            " ($10, $11)
             order by started_at",
            $direction,
            ", id",
            $direction,
            " limit $12"
        )
    };
}

const ASCENDING: &str = page!(">", "<", "");
const DESCENDING: &str = page!("<", ">", " desc");

/// A moment that no call began before, and one that none begins after.
const FIRST: (i64, Uuid) = (0, Uuid::nil());
const LAST: (i64, Uuid) = (200_000_000_000, Uuid::max());

/// A part of the metered calls.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn events(tx: &mut TenantTx, filter: &EventFilter, page: Page) -> Result<Listing<UsageEntry>> {
    let end = |(seconds, id): (i64, Uuid)| (DateTime::from_timestamp(seconds, 0).unwrap_or_default(), id);
    let scan = page.scan();
    let (mut from, mut to) = match scan.ascending {
        true => (end(FIRST), end(LAST)),
        false => (end(LAST), end(FIRST)),
    };
    for (param, id) in page.cursors() {
        let at = place(tx, id).await?;
        let at = at.ok_or_else(|| unknown_cursor(param, "one of your calls"))?;
        if scan.from == Some(id) {
            from = (at, id);
        }
        if scan.to == Some(id) {
            to = (at, id);
        }
    }
    // Planned anew each time, because what is filtered by decides which index is the right one.
    let rows = sqlx::query_as(if scan.ascending { ASCENDING } else { DESCENDING })
        .persistent(false)
        .bind(filter.from.unwrap_or(end(FIRST).0))
        .bind(filter.until.unwrap_or(end(LAST).0))
        .bind(filter.endpoint.map(Endpoint::as_str))
        .bind(&filter.model)
        .bind(filter.key)
        .bind(&filter.end_user)
        .bind(filter.outcome.map(Outcome::as_str))
        .bind(from.0)
        .bind(from.1)
        .bind(to.0)
        .bind(to.1)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// A metered call, with the way that it took.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn event(tx: &mut TenantTx, id: Uuid) -> Result<TracedEntry> {
    let found = sqlx::query_as(concat!(
        "select ",
        columns!(),
        ", trace, (select l.id from request_logs l where l.usage_event_id = e.id limit 1) as request_log_id
         from usage_events e where id = $1"
    ))
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    found.ok_or_else(|| not_found(id))
}

fn not_found(id: Uuid) -> Error {
    Error::not_found("call", format!("req_{}", id.simple()))
}

/// When a call began, if it is one of the tenant's.
async fn place(tx: &mut TenantTx, id: Uuid) -> Result<Option<DateTime<Utc>>> {
    Ok(
        sqlx::query_scalar("select started_at from usage_events where id = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}
