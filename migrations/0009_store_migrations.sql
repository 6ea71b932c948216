-- Why: a vector store changes its embedding model without going away. The new model's vectors are made beside the old
-- ones, which searches go on using; then the store's model is changed in one statement; the old vectors stay for a
-- while, so that the change can be taken back.
create table store_migrations (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  id               uuid not null,
  vector_store_id  uuid not null,
  from_model_id    int not null references embedding_models (id),
  to_model_id      int not null references embedding_models (id),
  status           text not null default 'queued'
                   check (status in ('queued', 'embedding', 'comparing', 'ready', 'completed', 'rolling_back',
                                     'rolled_back', 'cancelled', 'failed')),
  -- Whether the store changes its model as soon as it can, or waits to be told.
  auto_switch      boolean not null default true,
  estimate         jsonb not null,
  done             bigint not null default 0 check (done >= 0),
  total            bigint not null default 0 check (total >= 0),
  overlap_at_10    double precision check (overlap_at_10 between 0 and 1),
  last_error       text,
  created_at       timestamptz not null default now(),
  -- When the store's model was last changed, in either direction. Searches that began before may still be under way.
  switched_at      timestamptz,
  finished_at      timestamptz,
  -- Set while the old vectors are kept.
  rollback_until   timestamptz,
  -- When the last vector of the model that lost was removed.
  cleaned_at       timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade,
  check (rollback_until is null or status in ('completed', 'rolling_back'))
);
-- One at a time: what a second one starts from must not be taken back under it.
create unique index store_migrations_open on store_migrations (tenant_id, vector_store_id)
  where status in ('queued', 'embedding', 'comparing', 'ready', 'rolling_back') or rollback_until is not null;
create index store_migrations_created on store_migrations (tenant_id, vector_store_id, created_at, id);
select protect_tenant_table('store_migrations');
grant select, insert, update on store_migrations to insula_tenant;
