-- Why: what may be sent to a model, and what it may answer, is each tenant's own decision. One document of rules per
-- tenant, checked and compiled by the server; without a row nothing is looked at.
create table guardrails (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  rules       jsonb not null check (jsonb_typeof(rules) = 'object' and octet_length(rules::text) <= 4194304),
  updated_at  timestamptz not null default now(),
  primary key (tenant_id)
);

select protect_tenant_table('guardrails');
grant select, insert, update, delete on guardrails to insula_tenant;
