-- Why: a tenant can take all its data with it. Reading it out is a lot of work for the database, so it happens once at a time.
create table tenant_exports (
  tenant_id    uuid not null default current_tenant_id() references tenants (id),
  token        uuid not null,
  -- Whoever reads renews it; a server that is gone does not.
  lease_until  timestamptz not null,
  primary key (tenant_id)
);
select protect_tenant_table('tenant_exports');
grant select, insert, update, delete on tenant_exports to insula_tenant;
