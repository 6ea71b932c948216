-- Why: a tenant may call a provider with a key of its own. It is kept sealed: by a data key of the tenant's, which is kept
-- wrapped by a master key that is not in the database. Whoever reads these tables learns nothing, and a value that is
-- moved to another tenant or row does not open there.
create table tenant_data_keys (
  tenant_id      uuid not null default current_tenant_id() references tenants (id),
  -- Which master key wraps it.
  master_key_id  text not null check (length(master_key_id) between 1 and 64),
  wrapped        bytea not null,
  created_at     timestamptz not null default now(),
  primary key (tenant_id)
);
create index tenant_data_keys_master_key on tenant_data_keys (master_key_id);

create table provider_keys (
  tenant_id     uuid not null default current_tenant_id() references tenants (id),
  id            uuid not null,
  provider      text not null check (provider ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
  sealed        bytea not null,
  -- What people recognise it by.
  last_four     text not null,
  created_at    timestamptz not null default now(),
  last_used_at  timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, provider)
);

select protect_tenant_table('tenant_data_keys'), protect_tenant_table('provider_keys');
grant select, insert on tenant_data_keys to insula_tenant;
grant select, insert, update, delete on provider_keys to insula_tenant;

-- The operator wraps data keys anew when the master key changes; wrapped is all that it sees of them.
create policy operator_read on tenant_data_keys for select to insula_operator using (true);
create policy operator_rewrap on tenant_data_keys for update to insula_operator using (true) with check (true);
grant select (tenant_id, master_key_id, wrapped), update (master_key_id, wrapped) on tenant_data_keys
  to insula_operator;
