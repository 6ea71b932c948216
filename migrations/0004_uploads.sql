-- Why: files too large for one request arrive in parts, and whatever has a lifetime is removed when it ends.
--
-- A part is a blob with a row, as a file is. Completing an upload copies its parts into one blob; `assembler` marks the
-- one copy that runs, until `assembler_until`, so that a repeated request does not start another.
create table uploads (
  tenant_id         uuid not null default current_tenant_id() references tenants (id),
  id                uuid not null,
  filename          text not null check (length(filename) between 1 and 1024),
  purpose           text not null,
  -- What the client announced; the parts must add up to it.
  bytes             bigint not null check (bytes > 0),
  status            text not null default 'pending' check (status in ('pending', 'completed', 'cancelled', 'expired')),
  -- Of the file that it will become. Null: for ever
  lifetime_seconds  bigint check (lifetime_seconds > 0),
  file_id           uuid,
  -- SHA-256 of the ids of the parts in the order in which they became the file.
  completed_with    bytea check (length(completed_with) = 32),
  assembler         uuid,
  assembler_until   timestamptz,
  created_at        timestamptz not null default now(),
  expires_at        timestamptz not null default now() + interval '1 hour',
  primary key (tenant_id, id),
  foreign key (tenant_id, file_id) references files (tenant_id, id) on delete set null (file_id),
  check ((assembler is null) = (assembler_until is null)),
  check ((status = 'completed') = (completed_with is not null))
);
create index uploads_file on uploads (tenant_id, file_id);

create table upload_parts (
  tenant_id   uuid not null default current_tenant_id(),
  id          uuid not null,
  upload_id   uuid not null,
  bytes       bigint not null check (bytes >= 0),
  blob        text not null,
  created_at  timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, upload_id) references uploads (tenant_id, id) on delete cascade
);
create index upload_parts_upload on upload_parts (tenant_id, upload_id);

select protect_tenant_table('uploads'), protect_tenant_table('upload_parts');
grant select, insert, update, delete on uploads to insula_tenant;
grant select, insert, delete on upload_parts to insula_tenant;

-- By these the sweep of the blobs asks whether anybody knows one.
create index files_blob on files (tenant_id, blob);
create index upload_parts_blob on upload_parts (tenant_id, blob);

-- Once a store has expired it stays so, whatever is changed of it later: its passages are gone.
alter table vector_stores add column expired_at timestamptz;
