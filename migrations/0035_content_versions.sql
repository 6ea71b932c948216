-- Why: servers keep the vectors of stores that are searched often in memory. What they keep is right as long as the store's
-- content has the version that they read before it; a search compares the two in the statement that ranks.
--
-- A trigger and not the statements, so that a server of the version before counts too. Every change of a store's chunks names
-- chunk_count in an update of the store, under its lock, in the transaction of the change.
alter table vector_stores
  add column content_version bigint not null default 0,
  -- The last version at which a chunk that had been there may have got another vector. What came since is added and removed.
  add column rewritten_version bigint not null default 0;

create function count_content_version() returns trigger language plpgsql as $$
begin
  new.content_version := old.content_version + 1;
  if new.embedding_model_id <> old.embedding_model_id then
    new.rewritten_version := new.content_version;
  end if;
  return new;
end $$;
create trigger content_changed before update of chunk_count, embedding_model_id on vector_stores
  for each row execute function count_content_version();
