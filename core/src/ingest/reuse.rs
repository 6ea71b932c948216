//! SQL of what need not be done again: files that are read already, texts that are embedded already.

use insula_tenancy::{ChunkId, FileId, JobId, TenantTx, VectorStoreId};
use uuid::Uuid;

use crate::pg::Halfvec;
use crate::{Result, sql};

/// A completed file of the same store that was read from the same bytes, with the same kind of name (it tells Markdown from plain text) and
/// the same chunking.
pub(super) async fn twin(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<Option<FileId>> {
    Ok(sqlx::query_scalar(
        "select o.id
         from files f
         join vector_store_files v on v.vector_store_id = $1 and v.file_id = f.id
         join files o on o.sha256 = f.sha256 and o.bytes = f.bytes and o.id <> f.id
           and lower(substring(o.filename from '\\.[^.]*$')) is not distinct from
               lower(substring(f.filename from '\\.[^.]*$'))
         join vector_store_files t on t.vector_store_id = $1 and t.file_id = o.id and t.status = 'completed'
           and not t.by_hand
           and t.max_chunk_tokens is not distinct from v.max_chunk_tokens
           and t.chunk_overlap_tokens is not distinct from v.chunk_overlap_tokens
         where f.id = $2
         order by o.id limit 1",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Vectors that the tenant has for these texts, by the same model.
pub(super) async fn vectors(
    tx: &mut TenantTx,
    model_id: i32,
    dimensions: usize,
    keys: &[Uuid],
) -> Result<Vec<(Uuid, Halfvec)>> {
    Ok(sqlx::query_as(sql::for_dimensions(
        "select k.key, coalesce(s.embedding, live.embedding) from (select distinct unnest($2::uuid[]) as key) k
         left join staged_embeddings s on s.embedding_model_id = $1 and s.embed_key = k.key
         left join lateral (
           select e.embedding from chunks c
           join embeddings_{dim} e on e.tenant_id = c.tenant_id and e.chunk_id = c.id and e.embedding_model_id = $1
           where c.embed_key = k.key limit 1
         ) live on s.embedding is null
         where s.embedding is not null or live.embedding is not null",
        dimensions,
    ))
    .bind(model_id)
    .bind(keys)
    .fetch_all(&mut **tx)
    .await?)
}

/// Keeps vectors for the next attempt of a job.
pub(super) async fn stage(
    tx: &mut TenantTx,
    job_id: JobId,
    model_id: i32,
    vectors: &[(Uuid, Halfvec)],
) -> Result<()> {
    let (keys, vectors): (Vec<Uuid>, Vec<&Halfvec>) =
        vectors.iter().map(|(key, vector)| (*key, vector)).unzip();
    sqlx::query(
        "insert into staged_embeddings (embedding_model_id, embed_key, job_id, embedding)
         select $1, u.key, $2, u.embedding from unnest($3::uuid[], $4::halfvec[]) as u (key, embedding)
         on conflict (tenant_id, embedding_model_id, embed_key) do nothing",
    )
    .bind(model_id)
    .bind(job_id)
    .bind(keys)
    .bind(vectors)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets what a job had staged: it is written for good, or never will be.
pub(super) async fn unstage(tx: &mut TenantTx, job_id: JobId) -> Result<()> {
    sqlx::query("delete from staged_embeddings where job_id = $1")
        .bind(job_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives `file_id` copies of the chunks of `twin`; how many. The caller holds the store's lock.
pub(super) async fn copy_chunks(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    twin: FileId,
    model_id: i32,
    dimensions: usize,
) -> Result<usize> {
    let old: Vec<ChunkId> = sqlx::query_scalar(
        "select id from chunks where vector_store_id = $1 and file_id = $2 order by ordinal",
    )
    .bind(store_id)
    .bind(twin)
    .fetch_all(&mut **tx)
    .await?;
    let new: Vec<ChunkId> = old.iter().map(|_| ChunkId::generate()).collect();
    sqlx::query(
        "insert into chunks (id, vector_store_id, file_id, ordinal, content, heading_path, page, start_char, end_char,
                             tokens, language, term_count, terms, embed_key)
         select u.new, c.vector_store_id, $1, c.ordinal, c.content, c.heading_path, c.page, c.start_char, c.end_char,
                c.tokens, c.language, c.term_count, c.terms, c.embed_key
         from unnest($2::uuid[], $3::uuid[]) as u (old, new) join chunks c on c.id = u.old",
    )
    .bind(file_id)
    .bind(&old)
    .bind(&new)
    .execute(&mut **tx)
    .await?;
    sqlx::query(sql::for_dimensions(
        "insert into embeddings_{dim} (vector_store_id, embedding_model_id, chunk_id, embedding)
         select e.vector_store_id, e.embedding_model_id, u.new, e.embedding
         from unnest($2::uuid[], $3::uuid[]) as u (old, new)
         join embeddings_{dim} e on e.chunk_id = u.old and e.embedding_model_id = $1",
        dimensions,
    ))
    .bind(model_id)
    .bind(&old)
    .bind(&new)
    .execute(&mut **tx)
    .await?;
    // A sparsevec prints as {position:value,…}/dimensions, and positions are term ids.
    sqlx::query(
        "insert into term_stats (vector_store_id, term, df)
         select $1, split_part(pair, ':', 1)::int, count(*)::int
         from chunks c, string_to_table(trim(both '{}' from split_part(c.terms::text, '/', 1)), ',') as pair
         where c.vector_store_id = $1 and c.file_id = $2 and pair <> '' group by 2
         on conflict (tenant_id, vector_store_id, term) do update set df = term_stats.df + excluded.df",
    )
    .bind(store_id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "update vector_stores s set chunk_count = s.chunk_count + n.chunks, term_count = s.term_count + n.terms,
                last_active_at = now()
         from (select count(*) as chunks, coalesce(sum(term_count), 0) as terms from chunks
               where vector_store_id = $1 and file_id = $2) n
         where s.id = $1",
    )
    .bind(store_id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    Ok(new.len())
}
