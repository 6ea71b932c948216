-- Why: prompts and answers are stored nowhere, unless a tenant wants to look at them afterwards. It then says for how
-- long, and whether personal data is taken out before. Housekeeping removes what is older.
create table request_logging (
  tenant_id       uuid not null default current_tenant_id() references tenants (id),
  enabled         boolean not null,
  retention_days  int not null check (retention_days between 1 and 365),
  redact          boolean not null,
  updated_at      timestamptz not null default now(),
  primary key (tenant_id)
);

create table request_logs (
  tenant_id       uuid not null default current_tenant_id() references tenants (id),
  id              uuid not null,
  -- Not a foreign key: the event may still be on its way, and is kept for another time.
  usage_event_id  uuid,
  endpoint        text not null,
  model           text not null,
  request         jsonb not null,
  response        jsonb not null,
  created_at      timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index request_logs_created on request_logs (tenant_id, created_at, id);

select protect_tenant_table('request_logging'), protect_tenant_table('request_logs');
grant select, insert, update on request_logging to insula_tenant;
grant select, insert, delete on request_logs to insula_tenant;
