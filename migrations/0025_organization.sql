-- Why: existing scripts manage an organization of projects in OpenAI's shapes. A project is a tenant, an organization the
-- install. Projects have a name for people, can be archived for good, and have service accounts that own keys.

alter table tenants
  -- What people call it, in any script and not unique; null: its name.
  add column title text check (length(title) between 1 and 256),
  -- Suspended for good. A server of the version before knows "suspended" and refuses the keys too.
  add column archived_at timestamptz,
  add check (archived_at is null or status = 'suspended');
create index tenants_created on tenants (created_at, id);

-- Whose a key is, if it is a program's. Deleting one revokes its keys, which stay for the ledger and the audit log.
create table service_accounts (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  id          uuid not null,
  name        text not null check (length(name) between 1 and 256),
  -- As OpenAI calls it; `none` has no key until it is given one.
  role        text not null check (role in ('member', 'owner', 'none')),
  created_at  timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index service_accounts_created on service_accounts (tenant_id, created_at, id);
select protect_tenant_table('service_accounts');
create policy operator on service_accounts to insula_operator using (true) with check (true);
grant select on service_accounts to insula_tenant;
grant select, insert, update, delete on service_accounts to insula_operator;

alter table api_keys
  add column service_account_id uuid,
  add foreign key (tenant_id, service_account_id) references service_accounts (tenant_id, id)
    on delete set null (service_account_id);
create index api_keys_service_account on api_keys (tenant_id, service_account_id) where service_account_id is not null;
create index api_keys_created on api_keys (tenant_id, created_at, id);
grant select (service_account_id), update (scopes) on api_keys to insula_operator;

-- The operator's reports by the minute are of the events themselves. It sees figures, and no end user's name.
create policy operator_read on usage_events for select to insula_operator using (true);
grant select (tenant_id, started_at, key_id, endpoint, model, input_tokens, cached_tokens, output_tokens, cost)
  on usage_events to insula_operator;
create policy operator_read on vector_store_files for select to insula_operator using (true);
grant select (tenant_id, usage_bytes) on vector_store_files to insula_operator;
