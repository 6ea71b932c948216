-- Why: a text is embedded once per tenant and model. A chunk knows the digest of the text that its vector was computed
-- from, so that the same text in another file or store takes the vector over; and what a long ingestion has embedded
-- so far is staged, so that a worker that dies loses one batch and not an hour.
alter table chunks add column embed_key uuid;
comment on column chunks.embed_key is
  'First half of the SHA-256 of the embedded text; null when the vector came from the client.';
create index chunks_embed_key on chunks (tenant_id, embed_key) where embed_key is not null;

create table staged_embeddings (
  tenant_id           uuid not null default current_tenant_id(),
  embedding_model_id  int not null references embedding_models (id),
  embed_key           uuid not null,
  job_id              uuid not null,
  embedding           halfvec not null,
  created_at          timestamptz not null default now(),
  primary key (tenant_id, embedding_model_id, embed_key),
  foreign key (tenant_id, job_id) references jobs (tenant_id, id) on delete cascade
);
create index staged_embeddings_job on staged_embeddings (tenant_id, job_id);
select protect_tenant_table('staged_embeddings');
grant select, insert, delete on staged_embeddings to insula_tenant;
