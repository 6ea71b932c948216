-- Why: people sign in, with a password or through the operator's identity provider, and get a session that can be listed and
-- ended at once. Nothing here belongs to a tenant: a person may be a member of several, and works in one of them at a time.
alter table people add column language text check (language in ('en', 'ar'));

create table passwords (
  person_id   uuid primary key references people (id) on delete cascade,
  -- argon2id in the PHC format, which says what it was made with.
  hash        text not null,
  changed_at  timestamptz not null default now()
);

-- Who a person is at an identity provider. The provider's own id counts: addresses move on to other people.
create table identities (
  issuer      text not null,
  subject     text not null,
  person_id   uuid not null references people (id) on delete cascade,
  created_at  timestamptz not null default now(),
  primary key (issuer, subject)
);
create index identities_person on identities (person_id);

create table sessions (
  id              uuid primary key,
  person_id       uuid not null references people (id) on delete cascade,
  token_sha256    bytea not null unique check (length(token_sha256) = 32),
  -- The tenant that the person works in.
  current_tenant  uuid references tenants (id),
  address         text,
  user_agent      text check (length(user_agent) <= 256),
  created_at      timestamptz not null default now(),
  last_seen_at    timestamptz not null default now(),
  expires_at      timestamptz not null
);
create index sessions_person on sessions (person_id, created_at);
create index sessions_tenant on sessions (current_tenant);
create index sessions_expiry on sessions (expires_at);

-- Attempts to sign in, counted before the password is looked at, so that a thousand at once count as a thousand. The subject
-- is a hash of the address that was tried, alone or with where it was tried from.
create table sign_in_attempts (
  subject   bytea primary key check (length(subject) = 32),
  attempts  int not null,
  last_at   timestamptz not null
);
create index sign_in_attempts_last on sign_in_attempts (last_at);

-- Sign-ins that are under way at the identity provider, each bound to the browser that began it.
create table oidc_sign_ins (
  state_sha256  bytea primary key check (length(state_sha256) = 32),
  nonce         text not null,
  verifier      text not null,
  created_at    timestamptz not null default now()
);
create index oidc_sign_ins_created on oidc_sign_ins (created_at);

do $$
declare
  name text;
begin
  foreach name in array array['passwords', 'identities', 'sessions', 'sign_in_attempts', 'oidc_sign_ins'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy system on %I to insula_system using (true) with check (true)', name);
  end loop;
end $$;

-- Before there is a tenant: who is it, and where may it go.
create policy system on people to insula_system using (true) with check (true);
create policy system_read on members for select to insula_system using (true);
grant select (id, email, name, role, language), update (name, language) on people to insula_system;
grant select (tenant_id, person_id, role) on members to insula_system;
grant select (name, title) on tenants to insula_system;
grant select, insert, update, delete on passwords, sign_in_attempts to insula_system;
grant select, insert on identities to insula_system;
grant select, insert, update, delete on sessions to insula_system;
grant select, insert, delete on oidc_sign_ins to insula_system;

-- Whoever accepts an invitation leaves a password in the transaction that makes it a member. No hash is read here.
create policy operator on passwords to insula_operator using (true) with check (true);
grant select (person_id), insert, update (hash, changed_at), delete on passwords to insula_operator;

-- A tenant knows who is working in it, and whether a session goes on.
create policy tenant_read on sessions for select to insula_tenant
  using (current_tenant = nullif(current_setting('insula.tenant_id', true), '')::uuid);
grant select (id, person_id, current_tenant, last_seen_at, expires_at) on sessions to insula_tenant;
create policy operator_read on sessions for select to insula_operator using (true);
grant select (id, person_id, current_tenant, last_seen_at) on sessions to insula_operator;
