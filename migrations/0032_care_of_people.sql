-- Why: a person who has lost its password gets in again without a mail server: whoever runs the install makes a link. And
-- whoever runs the install reads a tenant's data only for a stated reason, for some minutes, and where the tenant sees it.

-- A link that chooses a new password. There is one per person: a newer one takes the place of it.
create table password_resets (
  person_id     uuid primary key references people (id) on delete cascade,
  token_sha256  bytea not null unique check (length(token_sha256) = 32),
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null
);
alter table password_resets enable row level security;
alter table password_resets force row level security;
create policy operator on password_resets to insula_operator using (true) with check (true);
create policy system on password_resets for all to insula_system using (true);
grant select, insert, update, delete on password_resets to insula_operator;
-- Who signs in by password needs no link.
grant select (person_id), delete on password_resets to insula_system;
-- A new password ends the sessions, in its own transaction.
create policy operator_end on sessions for delete to insula_operator using (true);
grant delete on sessions to insula_operator;

-- A look of the operator's at a tenant's data, while it is open.
create table tenant_accesses (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  id          uuid not null,
  -- Whose session it opens the tenant to; null: the person is gone.
  person_id   uuid references people (id) on delete set null,
  reason      text not null check (length(reason) between 10 and 500),
  -- As the audit log prints who acts.
  opened_by   text not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  ended_at    timestamptz,
  ended_by    text,
  primary key (tenant_id, id),
  check ((ended_at is null) = (ended_by is null))
);
create index tenant_accesses_created on tenant_accesses (tenant_id, created_at, id);
create index tenant_accesses_of_all on tenant_accesses (created_at, id);
create index tenant_accesses_open on tenant_accesses (person_id, tenant_id) where ended_at is null;
select protect_tenant_table('tenant_accesses');
-- The tenant may end one, and cannot make one.
grant select, update (ended_at, ended_by) on tenant_accesses to insula_tenant;
create policy operator on tenant_accesses to insula_operator using (true) with check (true);
grant select, insert, update (ended_at, ended_by) on tenant_accesses to insula_operator;
create policy system_read on tenant_accesses for select to insula_system using (true);
grant select (tenant_id, id, person_id, reason, expires_at, ended_at) on tenant_accesses to insula_system;
