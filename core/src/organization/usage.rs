//! Reports over the ledger, by minutes, hours or days.
//!
//! Hours and days are added up from the hourly sums, which are kept for ever; minutes from the events themselves, which a
//! tenant may keep for a shorter time. A report by the minute over a time of which events are gone is refused: it would say
//! that less was used than was.

use chrono::{DateTime, TimeDelta, Utc};
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{KeyId, Money, OperatorTx, TenantId, TenantTx};
use sqlx::PgConnection;

use crate::{Error, Result};

/// How long a bucket is, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Width {
    /// How long that is.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The beginning of the bucket that `at` lies in.
    pub fn floor(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = at.timestamp();
        DateTime::from_timestamp(seconds - seconds.rem_euclid(self.seconds()), 0).unwrap_or_default()
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// What is reported on. All together are the whole ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What models wrote.
    Completions,
    /// What embedding models read, for embeddings, searches and documents; and what reranking models read.
    Embeddings,
    /// What was checked by moderation models, and asked of tenants' own models.
    Moderations,
}

impl Kind {
    /// What an endpoint is reported with.
    pub const fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses => Self::Completions,
            Endpoint::Embeddings
            | Endpoint::Search
            | Endpoint::FileSearch
            | Endpoint::Ingestion
            | Endpoint::Rerank => Self::Embeddings,
            // Of the three it is the one for models that neither write nor read at length.
            Endpoint::Moderations | Endpoint::Predictions => Self::Moderations,
        }
    }

    /// The endpoints that are reported with this.
    pub fn endpoints(self) -> Vec<Endpoint> {
        let all = Endpoint::ALL.into_iter();
        all.filter(|endpoint| Self::of(*endpoint) == self).collect()
    }
}

/// Which sums are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The first bucket's beginning.
    pub from: DateTime<Utc>,
    /// The end of the last bucket.
    pub until: DateTime<Utc>,
    /// How long each is.
    pub width: Width,
    /// Of these endpoints; `None`: of all.
    pub endpoints: Option<Vec<Endpoint>>,
    /// Of these tenants.
    pub projects: Option<Vec<TenantId>>,
    /// With these keys.
    pub keys: Option<Vec<KeyId>>,
    /// Of these models.
    pub models: Option<Vec<String>>,
    /// Of these models at these endpoints, as [`Sum::line_item`] names them.
    pub line_items: Option<Vec<String>>,
    /// What is told apart.
    pub by: GroupBy,
}

/// What sums tell apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupBy {
    /// Tenants.
    pub project: bool,
    /// Keys.
    pub key: bool,
    /// Models.
    pub model: bool,
    /// Endpoints.
    pub endpoint: bool,
}

/// A sum. What is not told apart is `None`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Sum {
    /// The beginning of its bucket.
    pub starts_at: DateTime<Utc>,
    /// Of which tenant.
    pub project: Option<TenantId>,
    /// With which key; `None` also for calls without one.
    pub key: Option<KeyId>,
    /// Of which model.
    pub model: Option<String>,
    /// Of which endpoint.
    pub endpoint: Option<String>,
    /// Calls.
    pub requests: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Of those, from the provider's cache.
    pub cached_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Cost.
    pub cost: Money,
}

impl Sum {
    /// What money is spent on, as in `gpt-5, chat.completions`; `None` unless both are told apart.
    pub fn line_item(&self) -> Option<String> {
        let (model, endpoint) = (self.model.as_deref()?, self.endpoint.as_deref()?);
        Some(format!("{model}, {endpoint}"))
    }
}

/// The sums of the whole install, oldest first. They equal the ledger, to the token and the nano-dollar.
///
/// # Errors
/// [`Error::Invalid`] for minutes of which events are gone.
pub async fn of_install(tx: &mut OperatorTx, report: &Report) -> Result<Vec<Sum>> {
    sums(tx, report).await
}

/// The sums of the tenant; others' are nobody's. See [`of_install`].
///
/// # Errors
/// As for [`of_install`].
pub async fn of_tenant(tx: &mut TenantTx, report: &Report) -> Result<Vec<Sum>> {
    sums(tx, report).await
}

const HOURS: &str = "
select date_trunc($1, hour, 'UTC') as starts_at, case when $2 then tenant_id end as project,
       case when $3 then nullif(key_id, '00000000-0000-0000-0000-000000000000') end as key,
       case when $4 then model end as model, case when $5 then endpoint end as endpoint,
       sum(requests)::bigint as requests, sum(input_tokens)::bigint as input_tokens,
       sum(cached_tokens)::bigint as cached_tokens, sum(output_tokens)::bigint as output_tokens,
       sum(cost)::bigint as cost
from usage_hours
where hour >= $6 and hour < $7 and ($8::text[] is null or endpoint = any($8))
  and ($9::uuid[] is null or tenant_id = any($9)) and ($10::uuid[] is null or key_id = any($10))
  and ($11::text[] is null or model = any($11))
  and ($12::text[] is null or model || ', ' || endpoint = any($12))
group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5";

// Tenant by tenant, since the events' key begins with it.
const MINUTES: &str = "
select date_trunc($1, e.started_at, 'UTC') as starts_at, case when $2 then t.id end as project,
       case when $3 then e.key_id end as key, case when $4 then e.model end as model,
       case when $5 then e.endpoint end as endpoint, count(*) as requests,
       sum(e.input_tokens)::bigint as input_tokens, sum(e.cached_tokens)::bigint as cached_tokens,
       sum(e.output_tokens)::bigint as output_tokens, sum(e.cost)::bigint as cost
from tenants t cross join lateral (
  select started_at, key_id, model, endpoint, input_tokens, cached_tokens, output_tokens, cost from usage_events
  where tenant_id = t.id and started_at >= $6 and started_at < $7
) e
where ($8::text[] is null or e.endpoint = any($8)) and ($9::uuid[] is null or t.id = any($9))
  and ($10::uuid[] is null or e.key_id = any($10)) and ($11::text[] is null or e.model = any($11))
  and ($12::text[] is null or e.model || ', ' || e.endpoint = any($12))
group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5";

/// The last hour of which a tenant has more in its hourly sums than it has events. Both are written in one transaction, and
/// this is one statement, so that in between there is nothing.
const GONE: &str = "
select max(h.hour) from (
  select tenant_id, hour, sum(requests) as requests from usage_hours
  where hour >= date_trunc('hour', $1, 'UTC') and hour < $2 and ($3::uuid[] is null or tenant_id = any($3))
  group by 1, 2
) h
where h.requests > (
  select count(*) from usage_events e
  where e.tenant_id = h.tenant_id and e.started_at >= h.hour and e.started_at < h.hour + interval '1 hour'
)";

async fn sums(connection: &mut PgConnection, report: &Report) -> Result<Vec<Sum>> {
    if report.width == Width::Minute {
        let gone: Option<DateTime<Utc>> = sqlx::query_scalar(GONE)
            .bind(report.from)
            .bind(report.until)
            .bind(&report.projects)
            .fetch_one(&mut *connection)
            .await?;
        if let Some(hour) = gone {
            let since = (hour + TimeDelta::hours(1)).timestamp();
            let message = format!(
                "Calls are not kept by the minute any more before {since}. Ask for a bucket_width of '1h' or '1d'."
            );
            return Err(Error::invalid("start_time", message));
        }
    }
    let endpoints: Option<Vec<&str>> = report
        .endpoints
        .as_ref()
        .map(|endpoints| endpoints.iter().map(|endpoint| endpoint.as_str()).collect());
    let statement = match report.width {
        Width::Minute => MINUTES,
        Width::Hour | Width::Day => HOURS,
    };
    Ok(sqlx::query_as(statement)
        .bind(report.width.unit())
        .bind(report.by.project)
        .bind(report.by.key)
        .bind(report.by.model)
        .bind(report.by.endpoint)
        .bind(report.from)
        .bind(report.until)
        .bind(endpoints)
        .bind(&report.projects)
        .bind(&report.keys)
        .bind(&report.models)
        .bind(&report.line_items)
        .fetch_all(connection)
        .await?)
}

/// Bytes of a tenant's vector stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredBytes {
    /// Whose.
    pub project: TenantId,
    /// How many.
    pub bytes: i64,
}

const STORED: &str = "
select tenant_id as project, sum(usage_bytes)::bigint as bytes from vector_store_files
where $1::uuid[] is null or tenant_id = any($1) group by 1 having sum(usage_bytes) > 0 order by 1";

/// The bytes of vector stores right now, of all tenants or of these.
///
/// # Errors
/// When the database is away.
pub async fn stored_in_install(
    tx: &mut OperatorTx,
    projects: Option<&[TenantId]>,
) -> Result<Vec<StoredBytes>> {
    Ok(sqlx::query_as(STORED).bind(projects).fetch_all(&mut **tx).await?)
}

/// The bytes of the tenant's vector stores right now, if it is one of these.
///
/// # Errors
/// When the database is away.
pub async fn stored_in_tenant(tx: &mut TenantTx, projects: Option<&[TenantId]>) -> Result<Vec<StoredBytes>> {
    Ok(sqlx::query_as(STORED).bind(projects).fetch_all(&mut **tx).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_in_utc() {
        let at: DateTime<Utc> = "2026-11-21T23:59:59.9Z".parse().unwrap();
        let floor = |width: Width, at| width.floor(at).to_rfc3339();
        assert_eq!(floor(Width::Minute, at), "2026-11-21T23:59:00+00:00");
        assert_eq!(floor(Width::Hour, at), "2026-11-21T23:00:00+00:00");
        assert_eq!(floor(Width::Day, at), "2026-11-21T00:00:00+00:00");
        let before_all = DateTime::from_timestamp(-1, 0).unwrap();
        assert_eq!(floor(Width::Day, before_all), "1969-12-31T00:00:00+00:00");
    }

    #[test]
    fn every_endpoint_is_reported_once() {
        let reported: usize = [Kind::Completions, Kind::Embeddings, Kind::Moderations]
            .into_iter()
            .map(|kind| kind.endpoints().len())
            .sum();
        assert_eq!(reported, Endpoint::ALL.len());
    }
}
