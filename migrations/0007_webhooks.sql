-- Why: whoever uploads files wants to be told when they are searchable, instead of asking again and again. A tenant
-- names addresses and the events that they are told about; each delivery is a job, signed after Standard Webhooks.
create table webhooks (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  id               uuid not null,
  url              text not null check (length(url) <= 2000),
  description      text not null default '' check (length(description) <= 512),
  events           text[] not null check (cardinality(events) between 1 and 64),
  enabled          boolean not null default true,
  -- Why it was switched off, if not by the tenant.
  disabled_reason  text,
  -- As it is: it has to sign. Shown to the tenant once, when it is made.
  secret           text not null,
  -- Signs beside its successor for a day.
  previous_secret        text,
  previous_secret_until  timestamptz,
  -- First failure since the last success.
  failing_since    timestamptz,
  created_at       timestamptz not null default now(),
  primary key (tenant_id, id),
  check ((previous_secret is null) = (previous_secret_until is null))
);
create index webhooks_created on webhooks (tenant_id, created_at, id);

-- What happened, as it is told: the bytes that are signed are the same at every attempt and for every receiver.
create table webhook_events (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  id          uuid not null,
  type        text not null,
  payload     text not null,
  created_at  timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index webhook_events_created on webhook_events (tenant_id, created_at);

create table webhook_deliveries (
  tenant_id        uuid not null default current_tenant_id(),
  webhook_id       uuid not null,
  event_id         uuid not null,
  state            text not null default 'pending'
                   check (state in ('pending', 'delivered', 'failed', 'cancelled')),
  -- [{attempt, at, status_code, error, duration_ms}, …], oldest first; there are never more than a handful.
  attempts         jsonb not null default '[]',
  next_attempt_at  timestamptz default now(),
  created_at       timestamptz not null default now(),
  primary key (tenant_id, webhook_id, event_id),
  foreign key (tenant_id, webhook_id) references webhooks (tenant_id, id) on delete cascade,
  foreign key (tenant_id, event_id) references webhook_events (tenant_id, id) on delete cascade
);
create index webhook_deliveries_created on webhook_deliveries (tenant_id, webhook_id, created_at, event_id);
create index webhook_deliveries_event on webhook_deliveries (tenant_id, event_id);

select protect_tenant_table('webhooks'), protect_tenant_table('webhook_events'),
       protect_tenant_table('webhook_deliveries');
grant select, insert, update, delete on webhooks, webhook_deliveries to insula_tenant;
grant select, insert, delete on webhook_events to insula_tenant;
