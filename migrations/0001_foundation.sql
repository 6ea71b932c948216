-- Why: the ground that everything stands on. Tenants and their keys, files, vector stores with their chunks and
-- embeddings, assistants, and the job queue; each tenant table under forced row-level security.
--
-- The rules that every table here follows (the walking tests check them):
--   * tenant_id first in the primary key, in every foreign key and in every unique constraint;
--   * row-level security enabled and forced, one policy with `using` and `with check`;
--   * the policy has no sub-select (Citus refuses it) and fails closed: without a tenant it compares with null.

create function current_tenant_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('insula.tenant_id', true), '')::uuid;
comment on function current_tenant_id() is
  'The tenant of this transaction, or null. nullif: after a commit the setting reads '''' and not null.';

create table tenants (
  id          uuid primary key,
  name        text not null unique check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  status      text not null default 'active' check (status in ('active', 'suspended')),
  created_at  timestamptz not null default now()
);

create table api_keys (
  tenant_id     uuid not null default current_tenant_id() references tenants (id),
  id            uuid not null,
  name          text not null default '' check (length(name) <= 256),
  public_id     text not null,
  secret_sha256 bytea not null check (length(secret_sha256) = 32),
  scopes        text[] not null,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz,
  revoked_at    timestamptz,
  last_used_at  timestamptz,
  rotated_to    uuid,
  primary key (tenant_id, id),
  unique (tenant_id, public_id),
  foreign key (tenant_id, rotated_to) references api_keys (tenant_id, id)
);
-- The lookup before there is a tenant.
create index api_keys_public_id on api_keys (public_id);

create table files (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  id          uuid not null,
  filename    text not null check (length(filename) between 1 and 1024),
  purpose     text not null,
  bytes       bigint not null check (bytes >= 0),
  sha256      bytea not null check (length(sha256) = 32),
  blob        text not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz,
  primary key (tenant_id, id)
);
create index files_created on files (tenant_id, created_at, id);

-- Names of embedding models and the length of their vectors; no tenant's data.
create table embedding_models (
  id          int generated always as identity primary key,
  name        text not null unique,
  dimensions  int not null check (dimensions between 1 and 4000)
);

create table vector_stores (
  tenant_id           uuid not null default current_tenant_id() references tenants (id),
  id                  uuid not null,
  name                text not null default '' check (length(name) <= 1024),
  description         text check (length(description) <= 4096),
  metadata            jsonb not null default '{}',
  embedding_model_id  int not null references embedding_models (id),
  expires_after_days  int check (expires_after_days between 1 and 365),
  created_at          timestamptz not null default now(),
  last_active_at      timestamptz not null default now(),
  -- BM25's corpus statistics: chunks and their summed lengths in terms.
  chunk_count         bigint not null default 0 check (chunk_count >= 0),
  term_count          bigint not null default 0 check (term_count >= 0),
  primary key (tenant_id, id)
);
create index vector_stores_created on vector_stores (tenant_id, created_at, id);

create table vector_store_files (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  vector_store_id  uuid not null,
  file_id          uuid not null,
  batch_id         uuid,
  status           text not null default 'in_progress'
                   check (status in ('in_progress', 'completed', 'cancelled', 'failed')),
  error_code       text check (error_code in ('server_error', 'unsupported_file', 'invalid_file')),
  error_message    text,
  attributes       jsonb not null default '{}',
  -- null: auto
  max_chunk_tokens      int check (max_chunk_tokens between 100 and 4096),
  chunk_overlap_tokens  int check (chunk_overlap_tokens between 0 and max_chunk_tokens / 2),
  usage_bytes      bigint not null default 0,
  chunk_count      int not null default 0,
  created_at       timestamptz not null default now(),
  primary key (tenant_id, vector_store_id, file_id),
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade,
  foreign key (tenant_id, file_id) references files (tenant_id, id) on delete cascade,
  check ((status = 'failed') = (error_code is not null)),
  check ((max_chunk_tokens is null) = (chunk_overlap_tokens is null))
);
create index vector_store_files_created on vector_store_files (tenant_id, vector_store_id, created_at, file_id);
create index vector_store_files_file on vector_store_files (tenant_id, file_id);

-- A passage of a file in a store. Positions are characters of the parsed text. `terms` is the document side of
-- BM25: term id -> tf (k1+1) / (tf + k1 (1 - b + b dl / avgdl)), computed by the writer, at most 256 terms
-- (a B-tree row holds 2,704 bytes). Partitioned so that one large tenant can be given a partition of its own.
create table chunks (
  tenant_id        uuid not null default current_tenant_id(),
  id               uuid not null,
  vector_store_id  uuid not null,
  file_id          uuid not null,
  ordinal          int not null check (ordinal >= 0),
  content          text not null,
  heading_path     text[] not null default '{}',
  page             int,
  start_char       bigint not null,
  end_char         bigint not null check (end_char >= start_char),
  tokens           int not null,
  language         text not null default 'und',
  term_count       int not null,
  terms            sparsevec(1000000000),
  primary key (tenant_id, id),
  unique (tenant_id, vector_store_id, file_id, ordinal),
  foreign key (tenant_id, vector_store_id, file_id)
    references vector_store_files (tenant_id, vector_store_id, file_id) on delete cascade
) partition by list (tenant_id);
create table chunks_default partition of chunks default;
create index chunks_terms on chunks (tenant_id, vector_store_id) include (id, terms);
alter table chunks_default set (autovacuum_vacuum_insert_scale_factor = 0.01,
                                autovacuum_vacuum_insert_threshold = 5000, autovacuum_vacuum_scale_factor = 0.02);

create table term_stats (
  tenant_id        uuid not null default current_tenant_id(),
  vector_store_id  uuid not null,
  term             int not null,
  df               int not null,
  primary key (tenant_id, vector_store_id, term),
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade
);

create table assistants (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  id               uuid not null,
  name             text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
  model            text not null,
  instructions     text not null default '' check (length(instructions) <= 65536),
  max_num_results  int not null default 8 check (max_num_results between 1 and 50),
  score_threshold  double precision not null default 0 check (score_threshold between 0 and 1),
  created_at       timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
create table assistant_vector_stores (
  tenant_id        uuid not null default current_tenant_id(),
  assistant_id     uuid not null,
  vector_store_id  uuid not null,
  primary key (tenant_id, assistant_id, vector_store_id),
  foreign key (tenant_id, assistant_id) references assistants (tenant_id, id) on delete cascade,
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade
);

create table jobs (
  tenant_id     uuid not null default current_tenant_id() references tenants (id),
  id            uuid not null,
  kind          text not null,
  payload       jsonb not null,
  state         text not null default 'ready' check (state in ('ready', 'running', 'done', 'dead', 'cancelled')),
  priority      int not null default 0,
  run_at        timestamptz not null default now(),
  attempt       int not null default 0,
  max_attempts  int not null default 5,
  lease_token   uuid,
  lease_until   timestamptz,
  worker        text,
  unique_key    text,
  last_error    text,
  created_at    timestamptz not null default now(),
  finished_at   timestamptz,
  primary key (tenant_id, id),
  check ((state = 'running') = (lease_token is not null and lease_until is not null))
);
create index jobs_ready on jobs (tenant_id, priority desc, run_at) where state = 'ready';
create index jobs_running on jobs (lease_until) where state = 'running';
create unique index jobs_unique on jobs (tenant_id, kind, unique_key) where state in ('ready', 'running');

-- One function applies the tenant rules, so that no table can have half of them. Also used for partitions and for
-- tables that are made later (an embeddings table per vector length).
create function protect_tenant_table(name regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', name);
  execute format('alter table %s force row level security', name);
  execute format($p$create policy tenant on %s to insula_tenant
    using      (tenant_id = nullif(current_setting('insula.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('insula.tenant_id', true), '')::uuid)$p$, name);
end $$;
revoke all on function protect_tenant_table(regclass) from public;

-- Vectors live apart from chunks, one table per length, so that stores may differ in model and a model migration is
-- a second set of rows. `bq` is one bit per dimension for the first stage of search; generated, so it cannot get
-- out of step. The covering index makes that stage an index-only scan over one tenant's contiguous rows.
create function create_embeddings_table(dimensions int) returns void language plpgsql as $$
declare
  name text := format('embeddings_%s', dimensions);
begin
  if to_regclass(name) is not null then
    return;
  end if;
  execute format($t$
    create table %1$I (
      tenant_id           uuid not null default current_tenant_id(),
      vector_store_id     uuid not null,
      embedding_model_id  int not null references embedding_models (id),
      chunk_id            uuid not null,
      embedding           halfvec(%2$s) not null,
      bq                  bit(%2$s) generated always as (binary_quantize(embedding)::bit(%2$s)) stored,
      primary key (tenant_id, chunk_id, embedding_model_id),
      foreign key (tenant_id, chunk_id) references chunks (tenant_id, id) on delete cascade
    ) partition by list (tenant_id)$t$, name, dimensions);
  -- Never out of line: a scan would fetch every vector from the TOAST table.
  execute format('alter table %I alter embedding set storage plain', name);
  execute format('create table %1$s_default partition of %1$s default', name);
  execute format('create index %1$s_bq on %1$s (tenant_id, vector_store_id, embedding_model_id)
                  include (chunk_id, bq)', name);
  execute format('alter table %s_default set (autovacuum_vacuum_insert_scale_factor = 0.01,
                  autovacuum_vacuum_insert_threshold = 5000, autovacuum_vacuum_scale_factor = 0.02)', name);
  perform protect_tenant_table(name::regclass), protect_tenant_table((name || '_default')::regclass);
  execute format('grant select, insert, delete on %I to insula_tenant', name);
end $$;
revoke all on function create_embeddings_table(int) from public;

do $$
declare
  name text;
begin
  foreach name in array array['api_keys', 'files', 'vector_stores', 'vector_store_files', 'chunks', 'chunks_default',
                              'term_stats', 'assistants', 'assistant_vector_stores', 'jobs'] loop
    perform protect_tenant_table(name::regclass);
  end loop;
end $$;
select create_embeddings_table(384);

grant usage on schema public to insula_tenant, insula_system, insula_operator;
grant select, insert, update, delete
  on files, vector_stores, vector_store_files, chunks, term_stats, assistants, assistant_vector_stores
  to insula_tenant;
grant select, insert, update on jobs to insula_tenant;
grant select (tenant_id, id, name, public_id, scopes, created_at, expires_at, revoked_at, last_used_at) on api_keys
  to insula_tenant;
grant select on embedding_models to insula_tenant;

-- tenants: a tenant sees its own row; the key lookup sees the status; the operator manages them.
alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenant on tenants for select to insula_tenant
  using (id = nullif(current_setting('insula.tenant_id', true), '')::uuid);
create policy system on tenants for select to insula_system using (true);
create policy operator on tenants to insula_operator using (true) with check (true);
grant select on tenants to insula_tenant;
grant select (id, status) on tenants to insula_system;
grant select, insert, update on tenants to insula_operator;

-- api_keys: looked up before there is a tenant; made and revoked by the operator, who cannot read the hash.
create policy system_read on api_keys for select to insula_system using (true);
create policy system_use on api_keys for update to insula_system using (true) with check (true);
create policy operator on api_keys to insula_operator using (true) with check (true);
grant select (tenant_id, id, public_id, secret_sha256, scopes, expires_at, revoked_at, last_used_at) on api_keys
  to insula_system;
grant update (last_used_at) on api_keys to insula_system;
grant select (tenant_id, id, name, public_id, scopes, created_at, expires_at, revoked_at, last_used_at, rotated_to),
      insert, update (expires_at, revoked_at, rotated_to)
  on api_keys to insula_operator;

-- jobs: leased across tenants, without their payload.
create policy system_read on jobs for select to insula_system using (true);
create policy system_lease on jobs for update to insula_system using (true) with check (true);
grant select (tenant_id, id, kind, state, priority, run_at, attempt, max_attempts, lease_token, lease_until, worker)
  on jobs to insula_system;
grant update (state, attempt, lease_token, lease_until, worker, run_at, last_error) on jobs to insula_system;

-- embedding_models: written by the server when it loads a model; read by all.
alter table embedding_models enable row level security;
alter table embedding_models force row level security;
create policy everyone on embedding_models for select using (true);
create policy system on embedding_models to insula_system using (true) with check (true);
grant select, insert on embedding_models to insula_system;

-- A revoked key, or a suspended tenant, is told to every node at once. The payload is the key's public id, or
-- nothing for "all of them"; notifications are visible database-wide.
create function notify_key_change() returns trigger language plpgsql as $$
begin
  perform pg_notify('insula_keys', case tg_table_name when 'api_keys' then to_jsonb(new) ->> 'public_id' else '' end);
  return null;
end $$;
create trigger key_changed after update of revoked_at, expires_at, scopes on api_keys
  for each row execute function notify_key_change();
create trigger tenant_changed after update of status on tenants
  for each row execute function notify_key_change();

create function notify_job() returns trigger language plpgsql as $$
begin
  perform pg_notify('insula_jobs', '');
  return null;
end $$;
create trigger job_ready after insert on jobs for each statement execute function notify_job();
