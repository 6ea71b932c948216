//! SQL of search analytics.

use chrono::{DateTime, Utc};
use insula_tenancy::TenantTx;

use super::{Keeping, Query, Searched};
use crate::Result;

/// Queries beyond the tenant's retention, for housekeeping: `$1` rows at most. `$2` is not used.
pub(crate) const OLD_SEARCHES: &str = "delete from searches where $2::text is not null and id in (
   select id from searches
   where created_at < now() - make_interval(days => (select retention_days from search_analytics)) limit $1)";

/// Sums of days.
#[derive(sqlx::FromRow)]
pub(super) struct Sums {
    pub(super) searches: i64,
    pub(super) zero_result: i64,
    pub(super) mean_top_score: Option<f64>,
}

/// Queries of whole days, one row for all spellings of case; `$1` to `$2`.
macro_rules! queries {
    ($rest:literal) => {
        concat!(
            "select min(query) as query, count(*) as searches, count(*) filter (where hits = 0) as zero_result,
                    avg(top_score) as mean_top_score, max(created_at) as last_at
             from searches
             where created_at >= date_trunc('day', $1, 'UTC')
               and created_at < date_trunc('day', $2 + interval '1 day' - interval '1 microsecond', 'UTC')
             group by lower(query) ",
            $rest
        )
    };
}

pub(super) async fn keeping(tx: &mut TenantTx) -> Result<Option<Keeping>> {
    Ok(
        sqlx::query_as("select enabled, retention_days from search_analytics")
            .fetch_optional(&mut **tx)
            .await?,
    )
}

pub(super) async fn set_keeping(tx: &mut TenantTx, keeping: Keeping) -> Result<()> {
    sqlx::query(
        "insert into search_analytics (enabled, retention_days) values ($1, $2)
         on conflict (tenant_id) do update set
           enabled = excluded.enabled, retention_days = excluded.retention_days, updated_at = now()",
    )
    .bind(keeping.enabled)
    .bind(keeping.retention_days)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Counts searches, and keeps those whose query is kept.
pub(super) async fn insert(tx: &mut TenantTx, searches: &[Searched]) -> Result<()> {
    let count = |searches: usize| i64::try_from(searches).unwrap_or(i64::MAX);
    let scores: Vec<f64> = searches.iter().filter_map(|search| search.top_score).collect();
    sqlx::query(
        "insert into search_days as d (day, searches, zero_result, scored, score)
         values (date_trunc('day', now(), 'UTC'), $1, $2, $3, $4)
         on conflict (tenant_id, day) do update set
           searches = d.searches + excluded.searches, zero_result = d.zero_result + excluded.zero_result,
           scored = d.scored + excluded.scored, score = d.score + excluded.score",
    )
    .bind(count(searches.len()))
    .bind(count(searches.iter().filter(|search| search.hits == 0).count()))
    .bind(count(scores.len()))
    .bind(scores.iter().sum::<f64>())
    .execute(&mut **tx)
    .await?;
    let kept: Vec<(&Searched, &str)> = searches
        .iter()
        .filter_map(|search| Some((search, search.query.as_deref()?)))
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into searches (vector_store_id, query, hits, top_score)
         select * from unnest($1::uuid[], $2::text[], $3::int[], $4::float8[])",
    )
    .bind(
        kept.iter()
            .map(|(search, _)| search.vector_store_id)
            .collect::<Vec<_>>(),
    )
    .bind(kept.iter().map(|(_, query)| *query).collect::<Vec<_>>())
    .bind(
        kept.iter()
            .map(|(search, _)| i32::try_from(search.hits).unwrap_or(i32::MAX))
            .collect::<Vec<_>>(),
    )
    .bind(
        kept.iter()
            .map(|(search, _)| search.top_score)
            .collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn sums(tx: &mut TenantTx, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Sums> {
    Ok(sqlx::query_as(
        "select coalesce(sum(searches), 0)::bigint as searches, coalesce(sum(zero_result), 0)::bigint as zero_result,
                sum(score) / nullif(sum(scored), 0)::float8 as mean_top_score
         from search_days where day >= date_trunc('day', $1, 'UTC') and day < $2",
    )
    .bind(from)
    .bind(until)
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn top(
    tx: &mut TenantTx,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Query>> {
    Ok(sqlx::query_as(queries!("order by searches desc, query limit $3"))
        .bind(from)
        .bind(until)
        .bind(most)
        .fetch_all(&mut **tx)
        .await?)
}

pub(super) async fn zero(
    tx: &mut TenantTx,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Query>> {
    // One for which something was found since is not lacking any more.
    Ok(sqlx::query_as(queries!(
        "having (array_agg(hits order by created_at desc, id desc))[1] = 0 order by searches desc, query limit $3"
    ))
    .bind(from)
    .bind(until)
    .bind(most)
    .fetch_all(&mut **tx)
    .await?)
}

pub(super) async fn low(
    tx: &mut TenantTx,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    below: f64,
    most: i64,
) -> Result<Vec<Query>> {
    Ok(sqlx::query_as(queries!(
        "having avg(top_score) < $4 order by mean_top_score, searches desc, query limit $3"
    ))
    .bind(from)
    .bind(until)
    .bind(most)
    .bind(below)
    .fetch_all(&mut **tx)
    .await?)
}
