-- Why: the operator manages the install over HTTP too (routes, tenants, plans), with keys of its own that are no
-- tenant's. Like API keys they are stored hashed; unlike them they open no tenant's data.
create table operator_keys (
  id             uuid primary key,
  name           text not null default '' check (length(name) <= 256),
  public_id      text not null unique,
  secret_sha256  bytea not null check (length(secret_sha256) = 32),
  created_at     timestamptz not null default now(),
  expires_at     timestamptz,
  revoked_at     timestamptz,
  last_used_at   timestamptz
);
alter table operator_keys enable row level security;
alter table operator_keys force row level security;
create policy system_read on operator_keys for select to insula_system using (true);
create policy system_use on operator_keys for update to insula_system using (true) with check (true);
create policy operator on operator_keys to insula_operator using (true) with check (true);
grant select (id, public_id, secret_sha256, expires_at, revoked_at, last_used_at), update (last_used_at)
  on operator_keys to insula_system;
grant select (id, name, public_id, created_at, expires_at, revoked_at, last_used_at), insert, update (revoked_at)
  on operator_keys to insula_operator;
