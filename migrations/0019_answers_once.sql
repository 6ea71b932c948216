-- Why: an answer of a model costs money, so a repetition with the same Idempotency-Key must get it again and not cost it
-- again. Such an answer takes longer than a transaction may last: its key is claimed first, and answered later.
alter table idempotency_keys
  -- Until when somebody is at work on the answer. Null: the answer is there, or is made in this very transaction.
  add column claimed_until timestamptz,
  -- Whether the answer is server-sent events rather than JSON.
  add column streamed boolean not null default false;
grant update (claimed_until, streamed) on idempotency_keys to insula_tenant;
