-- Why: SDKs repeat a POST whose answer was lost. With an Idempotency-Key the repetition gets the first answer and
-- nothing is made twice. The row is written in the transaction of the creation itself, so there is no moment at which
-- one exists without the other.
create table idempotency_keys (
  tenant_id    uuid not null default current_tenant_id() references tenants (id),
  key          text not null check (length(key) between 1 and 255),
  -- SHA-256 of method, path and body: the same key with another request is an error of the client's.
  fingerprint  bytea not null check (length(fingerprint) = 32),
  -- Null only inside the transaction that makes the object.
  answer       text,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, key)
);
select protect_tenant_table('idempotency_keys');
grant select, insert, update (answer), delete on idempotency_keys to insula_tenant;
