-- Why: every call is metered, to the token and the nano-dollar, in one ledger. The same figures enforce budgets, feed the
-- dashboard and are what a tenant is charged for; so they are written together, in one transaction, or not at all.

-- One metered act. `id` is the request's own id, so that a line in the log leads to its event. No foreign keys: the
-- ledger outlives what it tells of, and a check per row is dear at tens of thousands of rows a second.
create table usage_events (
  tenant_id         uuid not null default current_tenant_id(),
  id                uuid not null,
  started_at        timestamptz not null,
  -- Null: not by an API key.
  key_id            uuid,
  end_user          text,
  -- As in chat.completions, embeddings, vector_stores.search.
  endpoint          text not null,
  -- What was asked for, and what answered.
  model             text not null,
  provider          text,
  upstream_model    text,
  outcome           text not null check (outcome in ('completed', 'cancelled', 'failed')),
  -- The code of what went wrong.
  error             text,
  input_tokens      bigint not null check (input_tokens >= 0),
  cached_tokens     bigint not null check (cached_tokens >= 0),
  output_tokens     bigint not null check (output_tokens >= 0),
  reasoning_tokens  bigint not null check (reasoning_tokens >= 0),
  -- Nano-dollars.
  cost              bigint not null check (cost >= 0),
  latency_us        bigint not null,
  first_token_us    bigint,
  -- Calls to providers that this one took.
  attempts          smallint not null,
  streamed          boolean not null,
  cache_hit         boolean not null,
  -- Tokens were counted or estimated here, because the provider or the end of the call did not say.
  estimated         boolean not null,
  -- What guardrails decided.
  decisions         jsonb,
  recorded_at       timestamptz not null default now(),
  -- In this order the key also serves "what happened when".
  primary key (tenant_id, started_at, id)
) partition by range (started_at);
create table usage_events_default partition of usage_events default;

-- One partition per month. Called by the owner only, at every `insula migrate`; what lies beyond the last one goes to the
-- default partition and is not lost.
create function create_usage_partitions(months int) returns void language plpgsql as $$
declare
  first date := date_trunc('month', now() at time zone 'utc');
  month date;
  name  text;
begin
  for step in 0 .. months loop
    month := first + make_interval(months => step);
    name := 'usage_events_' || to_char(month, 'YYYY_MM');
    if to_regclass(name) is null and not exists (
      select from usage_events_default
      where started_at >= month::timestamp at time zone 'utc'
        and started_at < (month + interval '1 month')::timestamp at time zone 'utc'
    ) then
      execute format('create table %I partition of usage_events for values from (%L) to (%L)', name,
                     month::timestamp at time zone 'utc',
                     (month + interval '1 month')::timestamp at time zone 'utc');
      perform protect_tenant_table(name::regclass);
    end if;
  end loop;
end $$;
revoke all on function create_usage_partitions(int) from public;

-- The same by the hour, kept in step by the transaction that records the events.
create table usage_hours (
  tenant_id         uuid not null default current_tenant_id(),
  hour              timestamptz not null,
  endpoint          text not null,
  model             text not null,
  -- All zeros: not by an API key.
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
  primary key (tenant_id, hour, endpoint, model, key_id)
);

-- An amount of money that may be spent in a period. With subject null a budget is for each key, model or end user by
-- itself; else for that one. A hard budget refuses, a soft one only tells.
create table budgets (
  tenant_id      uuid not null default current_tenant_id() references tenants (id),
  id             uuid not null,
  name           text not null default '' check (length(name) <= 256),
  subject_kind   text not null check (subject_kind in ('tenant', 'key', 'model', 'end_user')),
  subject        text check (length(subject) between 1 and 256),
  period         text not null check (period in ('day', 'month', 'total')),
  amount         bigint not null check (amount >= 0),
  hard           boolean not null,
  -- Percentages of the amount at which the tenant is told.
  alert_at       int[] not null default '{}' check (cardinality(alert_at) <= 10),
  -- Whose it is: the operator's cannot be changed by the tenant.
  set_by         text not null check (set_by in ('tenant', 'operator')),
  created_at     timestamptz not null default now(),
  primary key (tenant_id, id),
  check (subject_kind <> 'tenant' or subject is null)
);

-- What was spent of a budget in one period, by the ledger.
create table budget_periods (
  tenant_id  uuid not null default current_tenant_id(),
  budget_id  uuid not null,
  -- Empty for the tenant as a whole.
  subject    text not null,
  starts_at  timestamptz not null,
  spent      bigint not null default 0,
  primary key (tenant_id, budget_id, subject, starts_at),
  foreign key (tenant_id, budget_id) references budgets (tenant_id, id) on delete cascade
);

-- What a server has set apart of a budget for calls that it admits and has not recorded yet. What is spent and what is
-- set apart never exceed the budget together.
create table budget_slices (
  tenant_id   uuid not null default current_tenant_id(),
  budget_id   uuid not null,
  subject     text not null,
  starts_at   timestamptz not null,
  server_id   uuid not null,
  amount      bigint not null check (amount >= 0),
  expires_at  timestamptz not null,
  primary key (tenant_id, budget_id, subject, starts_at, server_id),
  foreign key (tenant_id, budget_id) references budgets (tenant_id, id) on delete cascade
);
create index budget_slices_server on budget_slices (server_id);

-- A budget went past one of its percentages. Written with the event that did it; a job tells the tenant.
create table budget_alerts (
  tenant_id   uuid not null default current_tenant_id(),
  id          uuid not null default gen_random_uuid(),
  budget_id   uuid not null,
  subject     text not null,
  starts_at   timestamptz not null,
  percent     int not null,
  spent       bigint not null,
  created_at  timestamptz not null default now(),
  told_at     timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, budget_id) references budgets (tenant_id, id) on delete cascade
);
create index budget_alerts_untold on budget_alerts (created_at) where told_at is null;

-- How long a tenant's events are kept; no row: for ever. Rollups stay.
create table usage_retention (
  tenant_id  uuid not null default current_tenant_id() references tenants (id),
  days       int not null check (days between 1 and 3650),
  primary key (tenant_id)
);

select protect_tenant_table('usage_events'), protect_tenant_table('usage_events_default'),
       protect_tenant_table('usage_hours'), protect_tenant_table('budgets'), protect_tenant_table('budget_periods'),
       protect_tenant_table('budget_slices'), protect_tenant_table('budget_alerts'),
       protect_tenant_table('usage_retention');
select create_usage_partitions(24);

grant select, delete on usage_events to insula_tenant;
grant select on usage_hours, budget_periods to insula_tenant;
grant select, insert, update, delete on budgets, usage_retention to insula_tenant;
grant insert, update on budget_periods to insula_tenant;
grant select, insert, update, delete on budget_slices to insula_tenant;
grant select, update (told_at) on budget_alerts to insula_tenant;

-- The ledger writes for all tenants at once: there is one transaction for a batch of events, whoever made them. It can
-- add, and read back what decides about budgets; it holds no text of anybody.
create policy system_record on usage_events for insert to insula_system with check (true);
create policy system_read on usage_events for select to insula_system using (true);
create policy system on usage_hours to insula_system using (true) with check (true);
create policy system_read on budgets for select to insula_system using (true);
create policy system on budget_periods to insula_system using (true) with check (true);
create policy system on budget_slices to insula_system using (true) with check (true);
create policy system on budget_alerts to insula_system using (true) with check (true);
grant insert on usage_events to insula_system;
grant select (tenant_id, started_at, key_id, end_user, endpoint, model, outcome, input_tokens, cached_tokens,
              output_tokens, reasoning_tokens, cost, latency_us, cache_hit) on usage_events to insula_system;
grant select, insert, update on usage_hours, budget_periods to insula_system;
grant select (tenant_id, id, subject_kind, subject, period, amount, alert_at) on budgets to insula_system;
grant select, update, delete on budget_slices to insula_system;
grant select (tenant_id, id, budget_id, told_at, created_at), insert on budget_alerts to insula_system;

-- The operator sees figures and sets budgets, and sees no end user's name.
create policy operator on usage_hours for select to insula_operator using (true);
create policy operator on budgets to insula_operator using (true) with check (true);
create policy operator on budget_periods for select to insula_operator using (true);
grant select on usage_hours, budget_periods to insula_operator;
grant select, insert, update, delete on budgets to insula_operator;
