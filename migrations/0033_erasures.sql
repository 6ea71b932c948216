-- Why: a tenant that leaves can have all its data removed, for good, and the operator keeps a receipt that says what was. The
-- role that removes sees nothing but tenants whose removal was asked for, so that no mistake reaches another one.

alter table tenants
  -- When its removal was asked for. It is archived by then, so that a server of the version before lets nobody in either.
  add column erasing_at timestamptz,
  -- When all was gone. The row stays, for the receipt; its name is free again.
  add column erased_at timestamptz,
  add check (erasing_at is null or archived_at is not null),
  add check (erased_at is null or erasing_at is not null);
-- What is still recorded of a tenant's calls after that is dropped.
grant select (erased_at) on tenants to insula_system;

-- The operator's receipts. Nobody can remove one, and once it is complete nobody can change it.
create table erasures (
  id            uuid primary key,
  -- Not called tenant_id: a row here is not the tenant's.
  of_tenant     uuid not null unique references tenants (id),
  -- What the tenant was called.
  name          text not null,
  -- As the audit log prints who acts.
  requested_by  text not null,
  created_at    timestamptz not null default now(),
  completed_at  timestamptz,
  -- How many of what are gone so far, and what was charged, by month.
  deleted       jsonb not null default '{}',
  billed        jsonb not null default '{}',
  -- The last hash of the tenant's audit log.
  audit_head    bytea check (length(audit_head) = 32),
  -- SHA-256 over all of this.
  digest        bytea check (length(digest) = 32),
  check ((completed_at is null) = (digest is null))
);
create index erasures_created on erasures (created_at, id);
alter table erasures enable row level security;
alter table erasures force row level security;

create function keep_receipt() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.completed_at is not null then
    raise exception 'a receipt stays as it is' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger receipt_kept before update or delete on erasures for each row execute function keep_receipt();

create policy operator on erasures to insula_operator using (true) with check (true);
grant select, insert, update (deleted, completed_at, digest) on erasures to insula_operator;

-- The tenant of this transaction if its removal was asked for, else null, which no row equals. A function, because a policy with
-- a sub-select is refused by Citus; a stable one, so that it is asked once per scan.
create function erasing_tenant_id() returns uuid
  language sql stable parallel safe
  return (select e.of_tenant from erasures e where e.of_tenant = current_tenant_id());

create policy erase on erasures to insula_eraser
  using (of_tenant = current_tenant_id()) with check (of_tenant = current_tenant_id());
grant usage on schema public to insula_eraser;
grant select, update (deleted, billed, audit_head) on erasures to insula_eraser;

-- As before, and the role that removes may remove. Partitions are reached by their parents only, and have no grants.
create or replace function protect_tenant_table(name regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', name);
  execute format('alter table %s force row level security', name);
  execute format($p$create policy tenant on %s to insula_tenant
    using      (tenant_id = nullif(current_setting('insula.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('insula.tenant_id', true), '')::uuid)$p$, name);
  execute format($p$create policy erase on %s to insula_eraser
    using (tenant_id = erasing_tenant_id()) with check (tenant_id = erasing_tenant_id())$p$, name);
  if not (select relispartition from pg_class where oid = name) then
    execute format('grant select, delete on %s to insula_eraser', name);
  end if;
end $$;
revoke all on function protect_tenant_table(regclass) from public;

do $$
declare
  it record;
begin
  for it in
    select c.oid::regclass as name, c.relispartition as is_partition from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  loop
    execute format($p$create policy erase on %s to insula_eraser
      using (tenant_id = erasing_tenant_id()) with check (tenant_id = erasing_tenant_id())$p$, it.name);
    if not it.is_partition then
      execute format('grant select, delete on %s to insula_eraser', it.name);
    end if;
  end loop;
end $$;
-- A trigger counts what a tenant stores, also while it is removed.
grant insert, update on tenant_usage to insula_eraser;

-- What is sealed can be opened by nobody any more, from the moment of the request on: the key goes in its transaction.
create function is_to_be_erased(tenant uuid) returns boolean
  language sql stable parallel safe
  return exists (select from erasures e where e.of_tenant = tenant);
create policy operator_erase on tenant_data_keys for delete to insula_operator using (is_to_be_erased(tenant_id));
grant delete on tenant_data_keys to insula_operator;

-- What the operator leaves with a tenant is not left with one that is going, or gone.
create function refuse_erased_tenant() returns trigger language plpgsql as $$
begin
  if exists (select from tenants where id = new.tenant_id and erasing_at is not null) then
    raise exception 'this tenant is erased' using errcode = 'IE001';
  end if;
  return new;
end $$;
do $$
declare
  name text;
begin
  foreach name in array array['api_keys', 'service_accounts', 'members', 'invite_projects', 'model_permissions', 'budgets',
                              'tenant_limits', 'tenant_plans', 'tenant_quotas', 'tenant_accesses'] loop
    execute format('create trigger erased_refused before insert on %I
                    for each row execute function refuse_erased_tenant()', name);
  end loop;
end $$;
