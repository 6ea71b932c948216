-- Why: a tenant makes, rotates and revokes keys of its own, without asking the operator. Such a key can be bound to vector
-- stores, and can have limits that are tighter than the tenant's. A tenant can write its own keys and still not read what
-- is stored of their secrets.
alter table api_keys
  -- The only stores that it reaches; null: all.
  add column vector_store_ids uuid[] check (cardinality(vector_store_ids) between 1 and 100),
  -- Beside whatever limits the operator has set: the tightest holds. Null: not limited by the key itself.
  add column requests_per_minute bigint check (requests_per_minute >= 0),
  add column tokens_per_minute bigint check (tokens_per_minute >= 0),
  add column concurrency bigint check (concurrency >= 0),
  -- Who made it, as the audit log names whoever acts. Null: nobody wrote that down then.
  add column created_by text;

grant select (vector_store_ids, requests_per_minute, tokens_per_minute, concurrency, created_by, rotated_to,
              service_account_id),
      insert (tenant_id, id, name, public_id, secret_sha256, scopes, expires_at, token_key, service_account_id,
              vector_store_ids, requests_per_minute, tokens_per_minute, concurrency, created_by),
      update (name, expires_at, revoked_at, rotated_to, requests_per_minute, tokens_per_minute, concurrency)
  on api_keys to insula_tenant;
grant select (vector_store_ids) on api_keys to insula_system;
-- A rotation carries over what the key has.
grant select (vector_store_ids, requests_per_minute, tokens_per_minute, concurrency) on api_keys to insula_operator;
