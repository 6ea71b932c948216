-- Why: the first stage of a search compares one bit per dimension. How good that is depends on the vectors, so it is measured on
-- the searches that a store really gets, and a store that needs more candidates gets them.
create table vector_store_recall (
  tenant_id           uuid not null default current_tenant_id(),
  vector_store_id     uuid not null,
  -- What was measured of another model says nothing.
  embedding_model_id  int not null references embedding_models (id),
  -- Of the first stage; null: as many as the model wants.
  candidates          int check (candidates between 1 and 4000),
  -- Since candidates were last changed: neighbours that searches found, and that there were to find.
  found               double precision not null default 0 check (found between 0 and wanted),
  wanted              double precision not null default 0 check (wanted >= 0),
  samples             bigint not null default 0 check (samples >= 0),
  measured_at         timestamptz not null default now(),
  primary key (tenant_id, vector_store_id),
  foreign key (tenant_id, vector_store_id) references vector_stores (tenant_id, id) on delete cascade
);
select protect_tenant_table('vector_store_recall');
grant select, insert, update on vector_store_recall to insula_tenant;
