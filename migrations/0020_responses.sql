-- Why: a client goes on from an answer by naming it (`previous_response_id`), or keeps a conversation that answers are
-- added to. Both are kept here, item by item, and removed when the tenant says so.
create table conversations (
  tenant_id     uuid not null default current_tenant_id() references tenants (id),
  id            uuid not null,
  metadata      jsonb not null,
  -- For whom it is. Scoped tokens see those of their own end user.
  end_user      text,
  created_at    timestamptz not null default now(),
  last_used_at  timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index conversations_created on conversations (tenant_id, created_at, id);
create index conversations_used on conversations (tenant_id, last_used_at);

create table conversation_items (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  conversation_id  uuid not null,
  id               uuid not null,
  item             jsonb not null,
  -- Of the statement, not of the transaction: what is added later comes later, whoever began first.
  created_at       timestamptz not null default clock_timestamp(),
  primary key (tenant_id, conversation_id, id),
  foreign key (tenant_id, conversation_id) references conversations (tenant_id, id) on delete cascade
);
create index conversation_items_created on conversation_items (tenant_id, conversation_id, created_at, id);
create index conversation_items_id on conversation_items (tenant_id, id);

create table responses (
  tenant_id             uuid not null default current_tenant_id() references tenants (id),
  id                    uuid not null,
  -- Not foreign keys: what a response went on from may be deleted before it.
  previous_response_id  uuid,
  conversation_id       uuid,
  end_user              text,
  -- All of it but its items.
  body                  jsonb not null,
  created_at            timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index responses_created on responses (tenant_id, created_at, id);

create table response_items (
  tenant_id    uuid not null default current_tenant_id() references tenants (id),
  response_id  uuid not null,
  id           uuid not null,
  -- What the response answers with, rather than what it was given.
  output       boolean not null,
  item         jsonb not null,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, response_id, id),
  foreign key (tenant_id, response_id) references responses (tenant_id, id) on delete cascade
);
create index response_items_id on response_items (tenant_id, id);

create table conversation_retention (
  tenant_id          uuid not null default current_tenant_id() references tenants (id),
  -- Null: for ever. Responses with 0 days are not even stored.
  response_days      int check (response_days between 0 and 3650),
  conversation_days  int check (conversation_days between 1 and 3650),
  primary key (tenant_id)
);

select protect_tenant_table('conversations'), protect_tenant_table('conversation_items'),
       protect_tenant_table('responses'), protect_tenant_table('response_items'),
       protect_tenant_table('conversation_retention');
grant select, insert, delete on conversations, conversation_items, responses, response_items to insula_tenant;
grant update (metadata, last_used_at) on conversations to insula_tenant;
grant select, insert, update on conversation_retention to insula_tenant;
