-- Why: who changed what, when, and from where, in a form that shows if somebody changed it afterwards. Each entry is written
-- by the transaction of the act, and its hash is over its own words and the hash of the entry before it; `insula audit
-- verify` walks the chains. Nobody who serves can change or remove an entry.
create table audit_logs (
  -- Whose chain; all zeros: the install's own.
  tenant_id   uuid not null default current_tenant_id(),
  -- 1, 2, 3, … without a gap.
  seq         bigint not null check (seq > 0),
  id          uuid not null,
  created_at  timestamptz not null,
  -- As in api_key.created.
  event       text not null,
  -- key_…, opk_…, job_…, console (the command line), or system.
  actor       text not null,
  -- From which address, where it came over the network.
  address     text,
  -- The id of what was acted upon.
  resource    text not null,
  -- A JSON object, as text: the hash is over exactly these bytes.
  details     text not null,
  hash        bytea not null check (length(hash) = 32),
  primary key (tenant_id, seq),
  unique (tenant_id, id)
);
create index audit_logs_created on audit_logs (tenant_id, created_at, id);
create index audit_logs_of_all on audit_logs (created_at, id);
select protect_tenant_table('audit_logs');
create policy operator_read on audit_logs for select to insula_operator using (true);
create policy operator_record on audit_logs for insert to insula_operator with check (true);
grant select, insert on audit_logs to insula_tenant, insula_operator;

-- The install's own chain has an id that no tenant can have.
alter table tenants add check (id <> '00000000-0000-0000-0000-000000000000');
