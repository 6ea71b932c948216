-- Why: one tenant must not fill the disk of all. The operator gives a tenant quotas; what it uses is counted as it
-- changes, so that the check is exact with any number of requests at once and never scans.

-- Null, or no row: unlimited.
create table tenant_quotas (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  max_files   bigint check (max_files >= 0),
  max_bytes   bigint check (max_bytes >= 0),
  max_chunks  bigint check (max_chunks >= 0),
  primary key (tenant_id)
);

-- Parts of uploads count by their bytes until they are a file. (Chunks are counted by their vector stores.)
create table tenant_usage (
  tenant_id  uuid not null default current_tenant_id() references tenants (id),
  files      bigint not null default 0,
  bytes      bigint not null default 0,
  primary key (tenant_id)
);

-- What is there already. Row-level security is forced upon the owner too, and there is no tenant here.
alter table files no force row level security;
insert into tenant_usage (tenant_id, files, bytes) select tenant_id, count(*), sum(bytes) from files group by tenant_id;
alter table files force row level security;

-- Changes of one tenant's usage wait for each other from here until they commit: that makes the check exact.
create function count_usage() returns trigger language plpgsql as $$
declare
  file bigint := (tg_table_name = 'files')::int;
begin
  if tg_op <> 'DELETE' then
    insert into tenant_usage as u (tenant_id, files, bytes)
      select tenant_id, file * count(*), sum(bytes) from came group by tenant_id
      on conflict (tenant_id) do update set files = u.files + excluded.files, bytes = u.bytes + excluded.bytes;
  end if;
  if tg_op <> 'INSERT' then
    update tenant_usage u set files = u.files - g.files, bytes = u.bytes - g.bytes
      from (select tenant_id, file * count(*) as files, sum(bytes) as bytes from gone group by tenant_id) g
      where u.tenant_id = g.tenant_id;
  end if;
  return null;
end $$;
create trigger usage_came after insert on files
  referencing new table as came for each statement execute function count_usage();
create trigger usage_changed after update on files
  referencing old table as gone new table as came for each statement execute function count_usage();
create trigger usage_gone after delete on files
  referencing old table as gone for each statement execute function count_usage();
create trigger usage_came after insert on upload_parts
  referencing new table as came for each statement execute function count_usage();
create trigger usage_gone after delete on upload_parts
  referencing old table as gone for each statement execute function count_usage();

select protect_tenant_table('tenant_quotas'), protect_tenant_table('tenant_usage');
grant select on tenant_quotas to insula_tenant;
grant select, insert, update on tenant_usage to insula_tenant;
create policy operator on tenant_quotas to insula_operator using (true) with check (true);
create policy operator on tenant_usage for select to insula_operator using (true);
grant select, insert, update on tenant_quotas to insula_operator;
grant select on tenant_usage to insula_operator;
