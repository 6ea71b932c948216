-- Why: one tenant must not take the capacity of all. A plan limits requests and tokens per minute and calls at once, for
-- the tenant, for each of its keys and for each model; overrides change that for one tenant. Servers share a limit by
-- taking slices of it, so that the sum is exact with any number of them and a request seldom asks the database.

create table plans (
  name        text primary key check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  created_at  timestamptz not null default now()
);

create table plan_limits (
  plan                 text not null references plans (name) on delete cascade,
  subject_kind         text not null check (subject_kind in ('tenant', 'key', 'model')),
  -- Empty: each key or model by itself. Else a model's name.
  subject              text not null default '' check (length(subject) <= 256),
  requests_per_minute  bigint check (requests_per_minute >= 0),
  tokens_per_minute    bigint check (tokens_per_minute >= 0),
  concurrency          bigint check (concurrency >= 0),
  primary key (plan, subject_kind, subject)
);

create table tenant_plans (
  tenant_id  uuid not null default current_tenant_id() references tenants (id),
  plan       text not null references plans (name),
  primary key (tenant_id)
);

-- What differs from the plan. Null: as in the plan.
create table tenant_limits (
  tenant_id            uuid not null default current_tenant_id() references tenants (id),
  subject_kind         text not null check (subject_kind in ('tenant', 'key', 'model')),
  subject              text not null default '' check (length(subject) <= 256),
  requests_per_minute  bigint check (requests_per_minute >= 0),
  tokens_per_minute    bigint check (tokens_per_minute >= 0),
  concurrency          bigint check (concurrency >= 0),
  primary key (tenant_id, subject_kind, subject)
);

-- A minute that began with the first call in it, and how much of the limit servers have taken in it.
create table limit_windows (
  tenant_id     uuid not null default current_tenant_id(),
  subject_kind  text not null,
  subject       text not null,
  metric        text not null check (metric in ('requests', 'tokens')),
  ends_at       timestamptz not null,
  taken         bigint not null check (taken >= 0),
  primary key (tenant_id, subject_kind, subject, metric)
);

-- Calls at once that a server may admit by itself. A server that is gone loses its slices when they expire.
create table limit_slices (
  tenant_id     uuid not null default current_tenant_id(),
  subject_kind  text not null,
  subject       text not null,
  server_id     uuid not null,
  held          bigint not null check (held >= 0),
  expires_at    timestamptz not null,
  primary key (tenant_id, subject_kind, subject, server_id)
);
create index limit_slices_server on limit_slices (server_id);

-- The servers that share. Each renews its row while it lives.
create table servers (
  id          uuid primary key,
  started_at  timestamptz not null default now(),
  seen_at     timestamptz not null default now()
);

select protect_tenant_table('tenant_plans'), protect_tenant_table('tenant_limits'),
       protect_tenant_table('limit_windows'), protect_tenant_table('limit_slices');
grant select on tenant_plans, tenant_limits to insula_tenant;
grant select, insert, update on limit_windows to insula_tenant;
grant select, insert, update, delete on limit_slices to insula_tenant;

alter table plans enable row level security;
alter table plans force row level security;
alter table plan_limits enable row level security;
alter table plan_limits force row level security;
alter table servers enable row level security;
alter table servers force row level security;
create policy everyone on plan_limits for select using (true);
grant select on plan_limits to insula_tenant;
create policy operator on plans to insula_operator using (true) with check (true);
create policy operator on plan_limits to insula_operator using (true) with check (true);
create policy operator on tenant_plans to insula_operator using (true) with check (true);
create policy operator on tenant_limits to insula_operator using (true) with check (true);
grant select, insert, update, delete on plans, plan_limits, tenant_plans, tenant_limits to insula_operator;
create policy system on servers to insula_system using (true) with check (true);
create policy system on limit_slices to insula_system using (true) with check (true);
grant select, insert, update, delete on servers to insula_system;
grant select (server_id, expires_at), update (expires_at), delete on limit_slices to insula_system;
