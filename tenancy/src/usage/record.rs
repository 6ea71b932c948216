//! Events into the database, with everything that follows from them, in one transaction.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::UsageEvent;
use crate::budget::Draw;
use crate::token::MAX_END_USER;
use crate::{Db, Money, Result, TenantId};

/// A budget that went past one of its percentages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Crossed {
    pub(crate) tenant_id: TenantId,
    pub(crate) id: Uuid,
}

/// What recording led to.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Events that were not there before.
    pub(crate) events: i64,
    /// Alerts that a tenant is to be told.
    pub(crate) alerts: Vec<Crossed>,
}

/// Records events, whichever tenants they are of. Those that are there already change nothing.
///
/// In the same statement: the sums by hour, by day and by end user, with their latencies; what was spent of budgets, and the
/// alerts that follow. Rows that several servers write are taken in the order of their keys, so that no two wait for each
/// other.
const RECORD: &str = "
with came as (
  insert into usage_events
    (tenant_id, id, started_at, key_id, end_user, endpoint, model, provider, upstream_model, outcome, error,
     input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_us, first_token_us, attempts, streamed,
     cache_hit, estimated, decisions, trace)
  select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::bigint[], $18::bigint[], $19::smallint[], $20::boolean[], $21::boolean[], $22::boolean[],
    $23::jsonb[], $24::jsonb[]) as e (tenant_id)
  -- What comes late of a tenant that is gone.
  where not exists (select from tenants t where t.id = e.tenant_id and t.erased_at is not null)
  on conflict do nothing
  returning tenant_id, started_at, key_id, end_user, endpoint, model, outcome, cache_hit, input_tokens, cached_tokens,
            output_tokens, reasoning_tokens, cost, latency_us
), shaped as (
  select *, date_trunc('day', started_at, 'UTC') as day,
         coalesce(key_id, '00000000-0000-0000-0000-000000000000') as key, latency_histogram(latency_us) as latency
  from came
), hours as (
  insert into usage_hours as h
    (tenant_id, hour, endpoint, model, key_id, requests, failed, cache_hits, input_tokens, cached_tokens, output_tokens,
     reasoning_tokens, cost, latency_us, latency)
  select tenant_id, date_trunc('hour', started_at, 'UTC'), endpoint, model, key, count(*),
         count(*) filter (where outcome = 'failed'), count(*) filter (where cache_hit), sum(input_tokens),
         sum(cached_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost), sum(latency_us), sum(latency)
  from shaped group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
  on conflict (tenant_id, hour, endpoint, model, key_id) do update set
    requests = h.requests + excluded.requests, failed = h.failed + excluded.failed,
    cache_hits = h.cache_hits + excluded.cache_hits, input_tokens = h.input_tokens + excluded.input_tokens,
    cached_tokens = h.cached_tokens + excluded.cached_tokens,
    output_tokens = h.output_tokens + excluded.output_tokens,
    reasoning_tokens = h.reasoning_tokens + excluded.reasoning_tokens, cost = h.cost + excluded.cost,
    latency_us = h.latency_us + excluded.latency_us, latency = h.latency + excluded.latency
), days as (
  insert into usage_days as d
    (tenant_id, grain, day, endpoint, model, key_id, requests, failed, cache_hits, input_tokens, cached_tokens,
     output_tokens, reasoning_tokens, cost, latency_us, latency)
  select tenant_id, case grouping(endpoint, key) when 0 then 'all' when 1 then 'model' else 'key' end, day,
         coalesce(endpoint, ''), coalesce(model, ''), coalesce(key, '00000000-0000-0000-0000-000000000000'), count(*),
         count(*) filter (where outcome = 'failed'), count(*) filter (where cache_hit), sum(input_tokens),
         sum(cached_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost), sum(latency_us), sum(latency)
  from shaped
  group by grouping sets ((tenant_id, day, endpoint, model, key), (tenant_id, day, endpoint, model), (tenant_id, day, key))
  order by 1, 2, 3, 4, 5, 6
  on conflict (tenant_id, grain, day, endpoint, model, key_id) do update set
    requests = d.requests + excluded.requests, failed = d.failed + excluded.failed,
    cache_hits = d.cache_hits + excluded.cache_hits, input_tokens = d.input_tokens + excluded.input_tokens,
    cached_tokens = d.cached_tokens + excluded.cached_tokens,
    output_tokens = d.output_tokens + excluded.output_tokens,
    reasoning_tokens = d.reasoning_tokens + excluded.reasoning_tokens, cost = d.cost + excluded.cost,
    latency_us = d.latency_us + excluded.latency_us, latency = d.latency + excluded.latency
), end_users as (
  insert into usage_end_users as u
    (tenant_id, day, end_user, requests, failed, cache_hits, input_tokens, cached_tokens, output_tokens,
     reasoning_tokens, cost, latency_us, latency)
  select tenant_id, day, end_user, count(*), count(*) filter (where outcome = 'failed'),
         count(*) filter (where cache_hit), sum(input_tokens), sum(cached_tokens), sum(output_tokens),
         sum(reasoning_tokens), sum(cost), sum(latency_us), sum(latency)
  from shaped where end_user is not null group by 1, 2, 3 order by 1, 2, 3
  on conflict (tenant_id, day, end_user) do update set
    requests = u.requests + excluded.requests, failed = u.failed + excluded.failed,
    cache_hits = u.cache_hits + excluded.cache_hits, input_tokens = u.input_tokens + excluded.input_tokens,
    cached_tokens = u.cached_tokens + excluded.cached_tokens,
    output_tokens = u.output_tokens + excluded.output_tokens,
    reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens, cost = u.cost + excluded.cost,
    latency_us = u.latency_us + excluded.latency_us, latency = u.latency + excluded.latency
), added as (
  select c.tenant_id, b.id as budget_id, s.subject, b.amount, b.alert_at,
         case b.period when 'day' then date_trunc('day', c.started_at, 'UTC')
                       when 'month' then date_trunc('month', c.started_at, 'UTC')
                       else timestamptz 'epoch' end as starts_at,
         sum(c.cost)::bigint as cost
  from came c
  join budgets b on b.tenant_id = c.tenant_id
  cross join lateral (select case b.subject_kind when 'tenant' then '' when 'key' then c.key_id::text
                                                 when 'model' then c.model else c.end_user end) s (subject)
  where c.cost > 0 and s.subject is not null and (b.subject is null or b.subject = s.subject)
  group by 1, 2, 3, 4, 5, 6
), spent as (
  insert into budget_periods as p (tenant_id, budget_id, subject, starts_at, spent)
  select tenant_id, budget_id, subject, starts_at, cost from added order by 1, 2, 3, 4
  on conflict (tenant_id, budget_id, subject, starts_at) do update set spent = p.spent + excluded.spent
  returning tenant_id, budget_id, subject, starts_at, spent
), alerts as (
  insert into budget_alerts (tenant_id, budget_id, subject, starts_at, percent, spent)
  select s.tenant_id, s.budget_id, s.subject, s.starts_at, a.percent, s.spent
  from spent s
  join added using (tenant_id, budget_id, subject, starts_at)
  cross join lateral unnest(added.alert_at) a (percent)
  where s.spent >= added.amount::numeric * a.percent / 100
    and s.spent - added.cost < added.amount::numeric * a.percent / 100
  returning tenant_id, id
)
select (select count(*) from came), array(select tenant_id from alerts), array(select id from alerts)";

/// Gives back what was set apart for these events.
const GIVE_BACK: &str = "
update budget_slices s set amount = greatest(0, s.amount - d.amount)
from (select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])
      as d (tenant_id, budget_id, subject, starts_at, amount) order by 1, 2, 3, 4) d
where s.tenant_id = d.tenant_id and s.budget_id = d.budget_id and s.subject = d.subject and s.starts_at = d.starts_at
  and s.server_id = $6";

/// See [`RECORD`] and [`GIVE_BACK`].
pub(crate) async fn record(
    db: &Db,
    server_id: Uuid,
    events: &[&UsageEvent],
    draws: &[Draw],
) -> Result<Recorded> {
    let mut tx = db.system().await?;
    let (recorded, tenants, alerts): (i64, Vec<TenantId>, Vec<Uuid>) = sqlx::query_as(RECORD)
        .bind(column(events, |event| event.tenant_id))
        .bind(column(events, |event| event.id))
        .bind(column(events, |event| event.started_at))
        .bind(column(events, |event| event.key_id))
        .bind(column(events, |event| event.end_user.as_deref().map(shortened)))
        .bind(column(events, |event| event.endpoint.as_str()))
        .bind(column(events, |event| event.model.as_str()))
        .bind(column(events, |event| event.details.provider.as_deref()))
        .bind(column(events, |event| event.details.upstream_model.as_deref()))
        .bind(column(events, |event| event.details.outcome.as_str()))
        .bind(column(events, |event| event.details.error.as_deref()))
        .bind(column(events, |event| big(event.details.tokens.input)))
        .bind(column(events, |event| big(event.details.tokens.cached)))
        .bind(column(events, |event| big(event.details.tokens.output)))
        .bind(column(events, |event| big(event.details.tokens.reasoning)))
        .bind(column(events, |event| event.details.cost.nanos().max(0)))
        .bind(column(events, |event| big(event.latency_us)))
        .bind(column(events, |event| event.details.first_token_us.map(big)))
        .bind(column(events, |event| small(event.details.attempts)))
        .bind(column(events, |event| event.details.streamed))
        .bind(column(events, |event| event.details.cache_hit))
        .bind(column(events, |event| event.details.estimated))
        .bind(column(events, |event| event.details.decisions.as_ref().map(Json)))
        .bind(column(events, |event| {
            let trace = &event.details.trace;
            (!trace.is_empty()).then_some(Json(trace))
        }))
        .fetch_one(&mut *tx)
        .await?;
    if !draws.is_empty() {
        sqlx::query(GIVE_BACK)
            .bind(draws.iter().map(|draw| draw.tenant_id).collect::<Vec<TenantId>>())
            .bind(draws.iter().map(|draw| draw.budget_id).collect::<Vec<Uuid>>())
            .bind(draws.iter().map(|draw| &*draw.subject).collect::<Vec<&str>>())
            .bind(
                draws
                    .iter()
                    .map(|draw| draw.starts_at)
                    .collect::<Vec<DateTime<Utc>>>(),
            )
            .bind(draws.iter().map(|draw| draw.amount).collect::<Vec<Money>>())
            .bind(server_id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    let alerts = tenants
        .into_iter()
        .zip(alerts)
        .map(|(tenant_id, id)| Crossed { tenant_id, id })
        .collect();
    Ok(Recorded {
        events: recorded,
        alerts,
    })
}

fn column<'a, T>(events: &[&'a UsageEvent], value: impl Fn(&'a UsageEvent) -> T) -> Vec<T> {
    events.iter().map(|&event| value(event)).collect()
}

/// The name of an end user as an index can hold it: what is sent can be longer, and one event that the database refuses would
/// keep out all others.
fn shortened(end_user: &str) -> &str {
    match end_user.char_indices().nth(MAX_END_USER) {
        Some((end, _)) => &end_user[..end],
        None => end_user,
    }
}

fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn small(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        let long = "é".repeat(MAX_END_USER + 1);
        assert_eq!(shortened(&long), "é".repeat(MAX_END_USER));
        assert_eq!(shortened("ada"), "ada");
    }
}
