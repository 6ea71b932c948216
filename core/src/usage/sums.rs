//! Sums of what was used, by hour or day, and by what it was of.
//!
//! They come from the rollups, which equal the events and are kept for ever: whole days from the daily one, in the grain that has
//! the fewest rows for the question, and what is left at both ends from the hourly one. End users have a daily rollup of their
//! own. Only what tells end users apart by something else besides has to look at the events themselves.

use chrono::{DateTime, TimeDelta, Utc};
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{KeyId, Money, TenantTx};

use super::Histogram;
use crate::{Error, Result};

/// Longest time that can be asked for at once.
const LONGEST: TimeDelta = TimeDelta::days(400);
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// What sums are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Hours.
    Hour,
    /// Days, in UTC.
    Day,
    /// The whole time.
    All,
}

/// What sums tell apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct By {
    /// Endpoints.
    pub endpoint: bool,
    /// Models.
    pub model: bool,
    /// Keys.
    pub key: bool,
    /// End users, as calls named them; calls that named none are left out.
    pub end_user: bool,
}

/// What sums are of; `None`: of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Of {
    /// An endpoint.
    pub endpoint: Option<Endpoint>,
    /// A model.
    pub model: Option<String>,
    /// A key.
    pub key: Option<KeyId>,
    /// An end user.
    pub end_user: Option<String>,
}

/// Which sums are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// From, to the hour; for end users to the day.
    pub from: DateTime<Utc>,
    /// Until, itself not included.
    pub until: DateTime<Utc>,
    /// Of what length.
    pub bucket: Bucket,
    /// What is told apart.
    pub by: By,
    /// What is asked about.
    pub of: Of,
    /// Most end users, those that cost most.
    pub most: i64,
}

/// A sum.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct UsageSum {
    /// When its time begins.
    pub starts_at: DateTime<Utc>,
    /// Of which endpoint; `None`: of all.
    pub endpoint: Option<String>,
    /// Of which model; `None`: of all.
    pub model: Option<String>,
    /// Of which key; `None`: of all, or of no key.
    pub key_id: Option<KeyId>,
    /// Of which end user; `None`: of all.
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
    /// Cost.
    pub cost: Money,
    /// Summed time from beginning to end, in microseconds.
    pub latency_us: i64,
    /// How it was spread.
    #[sqlx(try_from = "Vec<f32>")]
    pub latency: Histogram,
    /// The end user's place by cost, from 1.
    place: i64,
}

/// Sums, oldest first, and whether there are more end users than were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSums {
    /// The sums.
    pub sums: Vec<UsageSum>,
    /// Whether end users were left out.
    pub has_more: bool,
}

/// The columns of a sum over rows of a rollup, or over such sums; its histogram as it is added up, or as it is read.
macro_rules! totals {
    () => {
        concat!(totals!(vector), "::real[] as latency")
    };
    (vector) => {
        "sum(requests)::bigint as requests, sum(failed)::bigint as failed, sum(cache_hits)::bigint as cache_hits,
         sum(input_tokens)::bigint as input_tokens, sum(cached_tokens)::bigint as cached_tokens,
         sum(output_tokens)::bigint as output_tokens, sum(cost)::bigint as cost, sum(latency_us)::bigint as latency_us,
         sum(latency)"
    };
}

/// What is told apart, and what is asked about, in the rows of a rollup.
macro_rules! apart {
    () => {
        "case when $10 then endpoint end as endpoint, case when $11 then model end as model,
         case when $12 then key_id end as key_id"
    };
}
macro_rules! asked {
    () => {
        "($13::text is null or endpoint = $13) and ($14::text is null or model = $14) and ($15::uuid is null or key_id = $15)"
    };
}

/// `$1`, `$2` whole days of the grain `$3`; `$4` to `$5` and `$6` to `$7` hours before and after them; `$8` the bucket, `$9` its
/// beginning where it is all; `$10` to `$12` what is told apart; `$13` to `$15` what is asked about.
///
/// Each part is summed by itself and by its columns as they are: only of those does the planner know how many values they have,
/// so that it sums in memory instead of sorting all rows on disk.
const OF_ROLLUPS: &str = concat!(
    "with parts as (
       select case $8 when 'all' then $9 else day end as starts_at, ",
    apart!(),
    ", ",
    totals!(vector),
    " as latency from usage_days where grain = $3 and day >= $1 and day < $2 and ",
    asked!(),
    " group by 1, 2, 3, 4
       union all
       select case $8 when 'all' then $9 when 'hour' then hour else date_trunc($8, hour, 'UTC') end, ",
    apart!(),
    ", ",
    totals!(vector),
    " as latency from usage_hours where (hour >= $4 and hour < $5 or hour >= $6 and hour < $7) and ",
    asked!(),
    " group by 1, 2, 3, 4
     )
     select starts_at, endpoint, model, nullif(key_id, '00000000-0000-0000-0000-000000000000') as key_id,
            null::text as end_user, 1::bigint as place, ",
    totals!(),
    " from parts group by 1, 2, 3, 4 order by 1, 2, 3, 4"
);

/// `$1` to `$2` days; `$3` the bucket, `$4` its beginning where it is all; `$5` whether end users are told apart, `$6` the one
/// that is asked about, `$7` how many.
const OF_END_USERS: &str = concat!(
    "with best as (
       select end_user, row_number() over (order by sum(cost) desc, sum(requests) desc, end_user) as place
       from usage_end_users where day >= $1 and day < $2 and ($6::text is null or end_user = $6)
       group by 1 order by 2 limit $7
     )
     select case $3 when 'all' then $4 else day end as starts_at, null::text as endpoint, null::text as model,
            null::uuid as key_id, case when $5 then end_user end as end_user, place, ",
    totals!(),
    " from usage_end_users join best using (end_user) where day >= $1 and day < $2
     group by 1, 5, place order by 1, place"
);

/// The same over the whole time, by end user, with one look at the rows: `$1` to `$2` days; `$3` the one that is asked about, `$4`
/// how many.
const OF_END_USERS_IN_ALL: &str = concat!(
    "select $1 as starts_at, null::text as endpoint, null::text as model, null::uuid as key_id, end_user,
            row_number() over (order by sum(cost) desc, sum(requests) desc, end_user) as place, ",
    totals!(),
    " from usage_end_users where day >= $1 and day < $2 and ($3::text is null or end_user = $3)
     group by end_user order by place limit $4"
);

/// `$1` to `$2`; `$3` the bucket, `$4` its beginning where it is all; `$5` to `$8` what is told apart; `$9` to `$12` what is asked
/// about; `$13` how many end users.
const OF_EVENTS: &str = concat!(
    "with calls as (
       select started_at, endpoint, model, key_id, end_user, 1 as requests, (outcome = 'failed')::int as failed,
              cache_hit::int as cache_hits, input_tokens, cached_tokens, output_tokens, cost, latency_us,
              latency_histogram(latency_us) as latency
       from usage_events
       where started_at >= $1 and started_at < $2 and end_user is not null and ($9::text is null or endpoint = $9)
         and ($10::text is null or model = $10) and ($11::uuid is null or key_id = $11)
         and ($12::text is null or end_user = $12)
     ), best as (
       select end_user, row_number() over (order by sum(cost) desc, count(*) desc, end_user) as place
       from calls group by 1 order by 2 limit $13
     )
     select case $3 when 'all' then $4 else date_trunc($3, started_at, 'UTC') end as starts_at,
            case when $5 then endpoint end as endpoint, case when $6 then model end as model,
            case when $7 then key_id end as key_id, case when $8 then end_user end as end_user, place, ",
    totals!(),
    " from calls join best using (end_user)
     group by 1, 2, 3, 4, 5, place order by 1, place, 2, 3, 4"
);

/// Whether events of this time were recorded that are not kept any more. Those that go are the oldest.
const ARE_GONE: &str = "
    with oldest as (select date_trunc('hour', min(started_at), 'UTC') as hour from usage_events)
    select exists (select from usage_hours where hour >= $1 and hour < least($2, (select hour from oldest)))
        or exists (select from oldest where hour >= $1 and hour < $2
                   and (select sum(requests) from usage_hours h where h.hour = oldest.hour)
                     > (select count(*) from usage_events where started_at >= oldest.hour
                        and started_at < oldest.hour + interval '1 hour'))";

/// Sums of a time. They equal the events, to the token and the nano-dollar.
///
/// # Errors
/// [`Error::Invalid`] for a time that ends before it begins, or is longer than 400 days; for one whose events are gone, where they
/// would have to be looked at.
pub async fn sums(tx: &mut TenantTx, query: &UsageQuery) -> Result<UsageSums> {
    if query.until <= query.from {
        return Err(Error::invalid("end_time", "Must be after 'start_time'."));
    }
    if query.until - query.from > LONGEST {
        return Err(Error::invalid(
            "start_time",
            "At most 400 days can be asked for at once.",
        ));
    }
    let UsageQuery { by, of, .. } = query;
    if !by.end_user && of.end_user.is_none() {
        let sums = of_rollups(tx, query).await?;
        return Ok(UsageSums {
            sums,
            has_more: false,
        });
    }
    let end_users_only = !(by.endpoint || by.model || by.key)
        && of.endpoint.is_none()
        && of.model.is_none()
        && of.key.is_none()
        && query.bucket != Bucket::Hour;
    let mut sums = if end_users_only {
        of_end_users(tx, query).await?
    } else {
        of_events(tx, query).await?
    };
    let has_more = sums.iter().any(|sum| sum.place > query.most);
    sums.retain(|sum| sum.place <= query.most);
    Ok(UsageSums { sums, has_more })
}

async fn of_rollups(tx: &mut TenantTx, query: &UsageQuery) -> Result<Vec<UsageSum>> {
    let from = floor(query.from, HOUR);
    let (mut first, mut last) = (ceil(from, DAY), floor(query.until, DAY));
    if query.bucket == Bucket::Hour || first >= last {
        (first, last) = (query.until, query.until);
    }
    let UsageQuery { by, of, .. } = query;
    let by_key = by.key || of.key.is_some();
    let by_model = by.endpoint || by.model || of.endpoint.is_some() || of.model.is_some();
    let grain = match (by_key, by_model) {
        (false, _) => "model",
        (true, false) => "key",
        (true, true) => "all",
    };
    Ok(sqlx::query_as(OF_ROLLUPS)
        .persistent(false)
        .bind(first)
        .bind(last)
        .bind(grain)
        .bind(from)
        .bind(first)
        .bind(last)
        .bind(query.until)
        .bind(unit(query.bucket))
        .bind(from)
        .bind(by.endpoint)
        .bind(by.model)
        .bind(by.key)
        .bind(of.endpoint.map(Endpoint::as_str))
        .bind(&of.model)
        .bind(of.key)
        .fetch_all(&mut **tx)
        .await?)
}

async fn of_end_users(tx: &mut TenantTx, query: &UsageQuery) -> Result<Vec<UsageSum>> {
    let from = floor(query.from, DAY);
    if query.bucket == Bucket::All && query.by.end_user {
        return Ok(sqlx::query_as(OF_END_USERS_IN_ALL)
            .persistent(false)
            .bind(from)
            .bind(query.until)
            .bind(&query.of.end_user)
            .bind(query.most + 1)
            .fetch_all(&mut **tx)
            .await?);
    }
    Ok(sqlx::query_as(OF_END_USERS)
        .persistent(false)
        .bind(from)
        .bind(query.until)
        .bind(unit(query.bucket))
        .bind(from)
        .bind(query.by.end_user)
        .bind(&query.of.end_user)
        .bind(query.most + 1)
        .fetch_all(&mut **tx)
        .await?)
}

async fn of_events(tx: &mut TenantTx, query: &UsageQuery) -> Result<Vec<UsageSum>> {
    let from = floor(query.from, HOUR);
    let gone: bool = sqlx::query_scalar(ARE_GONE)
        .bind(from)
        .bind(query.until)
        .fetch_one(&mut **tx)
        .await?;
    if gone {
        return Err(Error::invalid(
            "start_time",
            "Not all calls of this time are kept any more, and end users by anything else but the day are only known from the \
             calls themselves. Ask for a later time, or for end users alone.",
        ));
    }
    let UsageQuery { by, of, .. } = query;
    Ok(sqlx::query_as(OF_EVENTS)
        .persistent(false)
        .bind(from)
        .bind(query.until)
        .bind(unit(query.bucket))
        .bind(from)
        .bind(by.endpoint)
        .bind(by.model)
        .bind(by.key)
        .bind(by.end_user)
        .bind(of.endpoint.map(Endpoint::as_str))
        .bind(&of.model)
        .bind(of.key)
        .bind(&of.end_user)
        .bind(query.most + 1)
        .fetch_all(&mut **tx)
        .await?)
}

fn unit(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Hour => "hour",
        Bucket::Day => "day",
        Bucket::All => "all",
    }
}

fn floor(at: DateTime<Utc>, width: i64) -> DateTime<Utc> {
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(width), 0).unwrap_or_default()
}

fn ceil(at: DateTime<Utc>, width: i64) -> DateTime<Utc> {
    floor(at + TimeDelta::seconds(width - 1), width)
}
