-- Why: routes are the operator's, but a tenant has reasons of its own: a name that its code already sends, a provider that its
-- contracts forbid, data that must not leave the machine. One row per model name; `*` is for all.
create table route_overrides (
  tenant_id     uuid not null default current_tenant_id() references tenants (id),
  model         text not null check (length(model) between 1 and 128),
  -- Null: the route of that name.
  target_model  text check (length(target_model) between 1 and 256),
  -- {disabled, local_only, providers, cache_ttl}; what is absent is not changed.
  settings      jsonb not null default '{}',
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (tenant_id, model)
);
select protect_tenant_table('route_overrides');
grant select, insert, update, delete on route_overrides to insula_tenant;
