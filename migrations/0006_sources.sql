-- Why: knowledge that lives on the web changes there. A source names a page or a sitemap; what it leads to becomes files
-- of a vector store, is asked for again on a schedule, replaced when it changed and taken out when it is gone.
create table sources (
  tenant_id            uuid not null default current_tenant_id() references tenants (id),
  id                   uuid not null,
  vector_store_id      uuid not null,
  url                  text not null check (length(url) <= 2000),
  type                 text not null default 'page' check (type in ('page', 'sitemap')),
  max_depth            int not null default 0 check (max_depth between 0 and 3),
  max_pages            int not null default 100 check (max_pages between 1 and 1000),
  refresh_every_hours  int check (refresh_every_hours between 1 and 8760),
  attributes           jsonb not null default '{}',
  -- null: auto
  max_chunk_tokens      int check (max_chunk_tokens between 100 and 4096),
  chunk_overlap_tokens  int check (chunk_overlap_tokens between 0 and max_chunk_tokens / 2),
  status               text not null default 'waiting' check (status in ('waiting', 'crawling', 'idle', 'failed')),
  last_error           text,
  -- Which crawl is under way, or was the last; jobs of an earlier one have nothing to do any more.
  crawl                int not null default 1,
  last_crawled_at      timestamptz,
  next_crawl_at        timestamptz,
  created_at           timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade,
  check ((max_chunk_tokens is null) = (chunk_overlap_tokens is null))
);
create index sources_created on sources (tenant_id, created_at, id);
create index sources_vector_store on sources (tenant_id, vector_store_id);

-- The addresses of a source: the frontier of the crawl that is under way, and what is known from earlier ones. So a
-- crawl goes on where it was after any crash.
create table source_pages (
  tenant_id         uuid not null default current_tenant_id(),
  source_id         uuid not null,
  -- Canonical, so ASCII: it fits into an index.
  url               text not null check (length(url) <= 2000),
  kind              text not null default 'page' check (kind in ('page', 'sitemap')),
  crawl             int not null default 1,
  state             text not null default 'queued'
                    check (state in ('queued', 'stored', 'redirected', 'skipped', 'gone', 'failed')),
  depth             int not null default 0,
  -- Redirects that led here from an address that was linked.
  hops              int not null default 0,
  -- The source's own address, or where that one leads.
  is_seed           boolean not null default false,
  tries             int not null default 0,
  error             text,
  file_id           uuid,
  -- The version before, which stays searchable until its successor is.
  previous_file_id  uuid,
  sha256            bytea check (length(sha256) = 32),
  etag              text,
  last_modified     text,
  fetched_at        timestamptz,
  primary key (tenant_id, source_id, url),
  foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade,
  foreign key (tenant_id, file_id) references files (tenant_id, id) on delete set null (file_id),
  foreign key (tenant_id, previous_file_id) references files (tenant_id, id) on delete set null (previous_file_id)
);
create index source_pages_queue on source_pages (tenant_id, source_id, tries, depth, url) where state = 'queued';
create index source_pages_file on source_pages (tenant_id, file_id);
create index source_pages_previous_file on source_pages (tenant_id, previous_file_id);

select protect_tenant_table('sources'), protect_tenant_table('source_pages');
grant select, insert, update, delete on sources, source_pages to insula_tenant;
