-- Tenants' own models. A model has versions that never change; its aliases say which of them answers, and each change of an
-- alias is a row, so that the way back is known.

create table registered_models (
  tenant_id          uuid not null default current_tenant_id() references tenants (id),
  id                 uuid not null,
  name               text not null,
  description        text,
  metadata           jsonb not null default '{}',
  -- Metrics that a version needs before it may answer.
  gate               jsonb,
  -- Null: what was predicted is not kept.
  cache_ttl_seconds  int check (cache_ttl_seconds between 1 and 86400),
  -- The number that was given last. Numbers are given once.
  last_version       int not null default 0,
  production         int,
  -- What production was before, the latest last.
  before             int[] not null default '{}',
  canary             int,
  canary_percent     int check (canary_percent between 1 and 99),
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, name),
  check ((canary is null) = (canary_percent is null))
);
create index registered_models_created on registered_models (tenant_id, created_at, id);

create table model_versions (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  id               uuid not null,
  model_id         uuid not null,
  version          int not null,
  -- Who made it: a key or a person.
  created_by       text not null,
  -- What its maker said of it: metrics, labels, how inputs are prepared.
  spec             jsonb not null,
  -- What its graph takes and gives.
  signature        jsonb not null,
  -- Whether it gives for rows together what it gives for each alone.
  batches          boolean not null,
  -- The graph and the tokenizer together.
  bytes            bigint not null,
  sha256           bytea not null,
  blob             text not null,
  tokenizer_blob   text,
  created_at       timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, model_id, version),
  foreign key (tenant_id, model_id) references registered_models (tenant_id, id) on delete cascade
);
create index model_versions_created on model_versions (tenant_id, model_id, created_at, id);
create index model_versions_blob on model_versions (tenant_id, blob);

-- They count as stored bytes, and not as files.
create trigger usage_came after insert on model_versions
  referencing new table as came for each statement execute function count_usage();
create trigger usage_gone after delete on model_versions
  referencing old table as gone for each statement execute function count_usage();

create table model_activations (
  tenant_id       uuid not null default current_tenant_id() references tenants (id),
  id              uuid not null,
  model_id        uuid not null,
  alias           text not null check (alias = any (array['production'::text, 'canary'::text])),
  -- Null: the alias names none any more.
  version         int,
  canary_percent  int,
  -- What the alias named before.
  replaced        int,
  created_by      text not null,
  created_at      timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  foreign key (tenant_id, model_id) references registered_models (tenant_id, id) on delete cascade
);
create index model_activations_created on model_activations (tenant_id, model_id, created_at, id);

select protect_tenant_table('registered_models'), protect_tenant_table('model_versions'),
       protect_tenant_table('model_activations');
grant select, insert, delete on registered_models, model_versions, model_activations to insula_tenant;
grant update (description, metadata, gate, cache_ttl_seconds, last_version, production, before, canary, canary_percent,
              updated_at) on registered_models to insula_tenant;
