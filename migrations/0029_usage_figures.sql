-- Why: a tenant looks at a year of usage by day, by model, by key or by end user, and sees how long calls took: most of them,
-- and the slow ones. A mean tells neither, and percentiles of many calls cannot be added up from percentiles of few. So the
-- sums keep a histogram of latencies besides; sums by the day and by end user are kept beside those by the hour; and all are
-- written by the transaction that records the events.

-- A histogram of one latency: forty buckets, of which the first is below a millisecond and each further one reaches to √2 times
-- the one before, the last one for ever. It is a vector because pgvector adds those up in C, a hundred thousand in milliseconds,
-- where arrays would have to be taken apart.
create function latency_bounds() returns bigint[] language sql immutable parallel safe
  return array[
    1000, 1414, 2000, 2828, 4000, 5657, 8000, 11314, 16000, 22627, 32000, 45255, 64000, 90510, 128000, 181019,
    256000, 362039, 512000, 724077, 1024000, 1448155, 2048000, 2896309, 4096000, 5792619, 8192000, 11585238,
    16384000, 23170475, 32768000, 46340950, 65536000, 92681900, 131072000, 185363800, 262144000, 370727600, 524288000
  ]::bigint[];
create function latency_histogram(us bigint) returns vector language sql immutable strict parallel safe
  return (array_fill(0, array[width_bucket(us, latency_bounds())]) || 1
          || array_fill(0, array[39 - width_bucket(us, latency_bounds())]))::vector(40);

-- Rows that are here already have none until the backfill below; a server of the version before goes on adding none.
alter table usage_hours add column latency vector(40) not null default array_fill(0, array[40])::vector;

-- As usage_hours, by the day in UTC, three times: with everything told apart, without keys, and by key alone. Most questions are
-- about one of the latter two, which have a fraction of the rows.
create table usage_days (
  tenant_id         uuid not null default current_tenant_id(),
  grain             text not null check (grain in ('all', 'model', 'key')),
  day               timestamptz not null,
  -- Empty with the grain 'key'.
  endpoint          text not null,
  model             text not null,
  -- All zeros: not by an API key; and with the grain 'model'.
  key_id            uuid not null,
  requests          bigint not null,
  failed            bigint not null,
  cache_hits        bigint not null,
  input_tokens      bigint not null,
  cached_tokens     bigint not null,
  output_tokens     bigint not null,
  reasoning_tokens  bigint not null,
  cost              bigint not null,
  latency_us        bigint not null,
  latency           vector(40) not null,
  primary key (tenant_id, grain, day, endpoint, model, key_id)
);

-- Of calls that name an end user. There can be many of those, so by the day and by nothing else.
create table usage_end_users (
  tenant_id         uuid not null default current_tenant_id(),
  day               timestamptz not null,
  end_user          text not null,
  requests          bigint not null,
  failed            bigint not null,
  cache_hits        bigint not null,
  input_tokens      bigint not null,
  cached_tokens     bigint not null,
  output_tokens     bigint not null,
  reasoning_tokens  bigint not null,
  cost              bigint not null,
  latency_us        bigint not null,
  latency           vector(40) not null,
  primary key (tenant_id, day, end_user)
);

-- What is there already. Row-level security is forced upon the owner too, and there is no tenant here.
alter table usage_events no force row level security;
alter table usage_hours no force row level security;
update usage_hours h set latency = e.latency
from (
  select tenant_id, date_trunc('hour', started_at, 'UTC') as hour, endpoint, model,
         coalesce(key_id, '00000000-0000-0000-0000-000000000000') as key_id,
         sum(latency_histogram(latency_us)) as latency
  from usage_events group by 1, 2, 3, 4, 5
) e
where h.tenant_id = e.tenant_id and h.hour = e.hour and h.endpoint = e.endpoint and h.model = e.model
  and h.key_id = e.key_id;
insert into usage_days
select tenant_id, case grouping(endpoint, key_id) when 0 then 'all' when 1 then 'model' else 'key' end, day,
       coalesce(endpoint, ''), coalesce(model, ''), coalesce(key_id, '00000000-0000-0000-0000-000000000000'), sum(requests), sum(failed),
       sum(cache_hits), sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost),
       sum(latency_us), sum(latency)
from (select *, date_trunc('day', hour, 'UTC') as day from usage_hours) h
group by grouping sets ((tenant_id, day, endpoint, model, key_id), (tenant_id, day, endpoint, model),
                        (tenant_id, day, key_id));
insert into usage_end_users
select tenant_id, date_trunc('day', started_at, 'UTC'), left(end_user, 256), count(*), count(*) filter (where outcome = 'failed'),
       count(*) filter (where cache_hit), sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(reasoning_tokens),
       sum(cost), sum(latency_us), sum(latency_histogram(latency_us))
from usage_events where end_user is not null group by 1, 2, 3;
alter table usage_hours force row level security;
alter table usage_events force row level security;

select protect_tenant_table('usage_days'), protect_tenant_table('usage_end_users');
grant select on usage_days, usage_end_users to insula_tenant;
create policy system on usage_days to insula_system using (true) with check (true);
create policy system on usage_end_users to insula_system using (true) with check (true);
grant select, insert, update on usage_days, usage_end_users to insula_system;

-- Calls are looked for by what they were of. Each costs the ledger some microseconds per event.
create index usage_events_end_user on usage_events (tenant_id, end_user, started_at, id) where end_user is not null;
create index usage_events_key on usage_events (tenant_id, key_id, started_at, id);
create index usage_events_model on usage_events (tenant_id, model, started_at, id);
create index usage_events_outcome on usage_events (tenant_id, outcome, started_at, id) where outcome <> 'completed';

-- The way of a call: its stages, the targets that were called, the passages by their ids. Null: nothing is known. And the way from
-- a call to what was logged of it.
alter table usage_events add column trace jsonb;
create index usage_events_id on usage_events (tenant_id, id);
create index request_logs_usage_event on request_logs (tenant_id, usage_event_id) where usage_event_id is not null;

-- What is searched for is kept only for a tenant that says so. How many searches there were and how well they went is counted for
-- all, by the day in UTC; no text is in that.
create table search_analytics (
  tenant_id       uuid not null default current_tenant_id() references tenants (id),
  enabled         boolean not null,
  retention_days  int not null check (retention_days between 1 and 365),
  updated_at      timestamptz not null default now(),
  primary key (tenant_id)
);

create table searches (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  id               uuid not null default gen_random_uuid(),
  -- Not a foreign key: what was searched for outlives the store.
  vector_store_id  uuid not null,
  query            text not null check (length(query) <= 500),
  hits             int not null check (hits >= 0),
  top_score        double precision,
  -- Of many that are written at once, each has a moment of its own.
  created_at       timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id)
);
create index searches_created on searches (tenant_id, created_at);

create table search_days (
  tenant_id    uuid not null default current_tenant_id() references tenants (id),
  day          timestamptz not null,
  searches     bigint not null,
  zero_result  bigint not null,
  -- Those with a best passage, and the sum of its scores.
  scored       bigint not null,
  score        double precision not null,
  primary key (tenant_id, day)
);

select protect_tenant_table('search_analytics'), protect_tenant_table('searches'), protect_tenant_table('search_days');
grant select, insert, update on search_analytics, search_days to insula_tenant;
grant select, insert, delete on searches to insula_tenant;
