-- Why: many files are attached in one call and followed as one thing; a new version of a file takes the place of the old
-- one at the moment when it can be searched, and not before.

create table file_batches (
  tenant_id        uuid not null default current_tenant_id() references tenants (id),
  id               uuid not null,
  vector_store_id  uuid not null,
  created_at       timestamptz not null default now(),
  cancelled_at     timestamptz,
  -- Set once, when none of its files is in progress any more: what follows is then done exactly once. How it ended is
  -- read from its files.
  finished_at      timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, vector_store_id, id),
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade
);
select protect_tenant_table('file_batches');
grant select, insert, update (cancelled_at, finished_at) on file_batches to insula_tenant;

-- `replaces`: the file of the same store that leaves it when this one is completed. The old one may be gone by then.
-- `by_hand`: its passages are not what reading the file gives; the client brought or changed them.
-- `previous_*`: how a file that is being read again was cut; it goes back to that if reading it again fails.
alter table vector_store_files
  add column replaces uuid,
  add column by_hand boolean not null default false,
  add column previous_max_chunk_tokens int,
  add column previous_chunk_overlap_tokens int,
  add foreign key (tenant_id, vector_store_id, batch_id)
    references file_batches (tenant_id, vector_store_id, id) on delete set null (batch_id),
  add foreign key (tenant_id, vector_store_id, replaces)
    references vector_store_files (tenant_id, vector_store_id, file_id) on delete set null (replaces),
  add check (replaces <> file_id),
  -- A file that could not be read again stays completed, by what was read before, and says why.
  drop constraint vector_store_files_check1,
  add constraint vector_store_files_error
    check (case status when 'failed' then error_code is not null when 'completed' then true else error_code is null end);

-- Each file is replaced by one other at most, so that versions form a chain with one end, and that one wins.
create unique index vector_store_files_replaces on vector_store_files (tenant_id, vector_store_id, replaces)
  where replaces is not null;
-- The counts of a batch, and whether any of its files is in progress.
create index vector_store_files_batch on vector_store_files (tenant_id, vector_store_id, batch_id, status)
  where batch_id is not null;
