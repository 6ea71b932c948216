-- Why: people work in tenants, with roles. A person has one email address on this install and may be a member of several
-- tenants; whoever runs the install invites them. How they sign in comes later and needs nothing here to change.
create table people (
  id          uuid primary key,
  -- In lower case: one mailbox is one person.
  email       text not null unique check (email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'
                                          and length(email) <= 320),
  name        text check (length(name) between 1 and 256),
  -- Of the install: an owner runs it, a reader is in it.
  role        text not null check (role in ('owner', 'reader')),
  created_at  timestamptz not null default now()
);
create index people_created on people (created_at, id);

create table members (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  person_id   uuid not null references people (id),
  role        text not null check (role in ('owner', 'admin', 'developer', 'viewer')),
  created_at  timestamptz not null default now(),
  primary key (tenant_id, person_id)
);
create index members_created on members (tenant_id, created_at, person_id);
create index members_person on members (person_id);

-- An invitation, which whoever holds its token may accept until it expires. The token is stored hashed.
create table invites (
  id            uuid primary key,
  email         text not null check (email = lower(email) and length(email) <= 320),
  role          text not null check (role in ('owner', 'reader')),
  token_sha256  bytea not null unique check (length(token_sha256) = 32),
  created_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  accepted_at   timestamptz
);
create index invites_created on invites (created_at, id);

-- What the invited person becomes a member of.
create table invite_projects (
  tenant_id  uuid not null default current_tenant_id() references tenants (id),
  invite_id  uuid not null references invites (id) on delete cascade,
  role       text not null check (role in ('owner', 'admin', 'developer', 'viewer')),
  primary key (tenant_id, invite_id)
);
create index invite_projects_invite on invite_projects (invite_id);

-- Which models a tenant may name. No row: all.
create table model_permissions (
  tenant_id   uuid not null default current_tenant_id() references tenants (id),
  mode        text not null check (mode in ('allow_list', 'deny_list')),
  models      text[] not null,
  updated_at  timestamptz not null default now(),
  primary key (tenant_id)
);

-- A spend limit is the operator's hard monthly budget, and a spend alert a soft one; each is found again by what it is for.
alter table budgets
  add column purpose text check (purpose in ('spend_limit', 'spend_alert')),
  -- Who is to be told of an alert, as OpenAI's clients say it.
  add column notification jsonb,
  add check (purpose is null or set_by = 'operator' and subject_kind = 'tenant' and period = 'month');
create unique index budgets_spend_limit on budgets (tenant_id) where purpose = 'spend_limit';

select protect_tenant_table('members'), protect_tenant_table('invite_projects'),
       protect_tenant_table('model_permissions');
alter table people enable row level security;
alter table people force row level security;
alter table invites enable row level security;
alter table invites force row level security;
create policy operator on people to insula_operator using (true) with check (true);
create policy operator on members to insula_operator using (true) with check (true);
create policy operator on invites to insula_operator using (true) with check (true);
create policy operator on invite_projects to insula_operator using (true) with check (true);
create policy operator on model_permissions to insula_operator using (true) with check (true);
grant select on members, invite_projects, model_permissions to insula_tenant;
grant select, insert, update, delete on people, members, invite_projects, model_permissions to insula_operator;
grant select (id, email, role, created_at, expires_at, accepted_at, token_sha256), insert, update (accepted_at), delete
  on invites to insula_operator;

-- A spend limit that is set in the middle of a month counts what was spent of it before.
create policy operator_begin on budget_periods for insert to insula_operator with check (true);
grant insert on budget_periods to insula_operator;
