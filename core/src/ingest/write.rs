//! SQL of ingestion: everything that makes a file searchable, in the caller's one transaction.

use std::collections::BTreeMap;

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};

use super::ready::ReadyChunk;
use super::reuse;
use crate::pg::{Halfvec, Sparsevec};
use crate::vector_store::{file, lock, remove_chunks};
use crate::{Error, Result, quota, sql};

/// Rows per insert: keeps a statement's parameters in the low megabytes.
const ROWS: usize = 512;
/// Separates the titles of a heading path in a parameter (an array of arrays cannot be unnested).
const UNIT_SEPARATOR: &str = "\u{1f}";

/// Puts `chunks` in the place of whatever the file had before, and marks the file completed.
///
/// # Errors
/// [`Error::Internal`], to be tried again, when the store has changed its model since the chunks were embedded;
/// [`Error::QuotaExceeded`] when the tenant may not have that many chunks.
pub(crate) async fn replace_chunks(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    model_id: i32,
    dimensions: usize,
    chunks: &[ReadyChunk],
) -> Result<()> {
    if !is_awaited(tx, store_id, file_id, model_id).await? {
        return Ok(());
    }
    remove_chunks(tx, store_id, file_id).await?;
    let ids: Vec<ChunkId> = chunks.iter().map(|_| ChunkId::generate()).collect();
    insert(tx, store_id, file_id, model_id, dimensions, &ids, chunks).await?;
    complete(tx, store_id, file_id, dimensions).await
}

/// Adds chunks under these ids, with their vectors and statistics. The caller holds the store's lock.
pub(crate) async fn insert(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    model_id: i32,
    dimensions: usize,
    ids: &[ChunkId],
    chunks: &[ReadyChunk],
) -> Result<()> {
    for (ids, part) in ids.chunks(ROWS).zip(chunks.chunks(ROWS)) {
        insert_chunks(tx, store_id, file_id, ids, part).await?;
        let vectors: Vec<&Halfvec> = part.iter().map(|chunk| &chunk.vector).collect();
        sqlx::query(sql::for_dimensions(
            "insert into embeddings_{dim} (vector_store_id, embedding_model_id, chunk_id, embedding)
             select $1, $2, u.id, u.embedding from unnest($3::uuid[], $4::halfvec[]) as u (id, embedding)",
            dimensions,
        ))
        .bind(store_id)
        .bind(model_id)
        .bind(ids)
        .bind(vectors)
        .execute(&mut **tx)
        .await?;
    }
    add_statistics(tx, store_id, chunks).await
}

/// Makes a file searchable with the chunks of `twin`, which has the same bytes. `false` if `twin` has changed since it
/// was found, and the file has to be read after all.
pub(super) async fn copy_file(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    twin: FileId,
    model_id: i32,
    dimensions: usize,
) -> Result<bool> {
    if !is_awaited(tx, store_id, file_id, model_id).await? {
        return Ok(true);
    }
    // Under the store's lock nobody changes its chunks.
    if reuse::twin(tx, store_id, file_id).await? != Some(twin) {
        return Ok(false);
    }
    remove_chunks(tx, store_id, file_id).await?;
    reuse::copy_chunks(tx, store_id, file_id, twin, model_id, dimensions).await?;
    complete(tx, store_id, file_id, dimensions).await?;
    Ok(true)
}

/// Locks the store, and tells whether the file still waits to be written: store and file may be gone, or the file may
/// have been cancelled; the job then completes with nothing to show.
async fn is_awaited(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    model_id: i32,
) -> Result<bool> {
    if !lock(tx, store_id).await? {
        return Ok(false);
    }
    let model_now: i32 = sqlx::query_scalar("select embedding_model_id from vector_stores where id = $1")
        .bind(store_id)
        .fetch_one(&mut **tx)
        .await?;
    if model_now != model_id {
        return Err(Error::internal(
            "the store changed its embedding model while the file was read",
        ));
    }
    let attached: Option<i32> = sqlx::query_scalar(
        "select 1 from vector_store_files where vector_store_id = $1 and file_id = $2 and status <> 'cancelled'
         for update",
    )
    .bind(store_id)
    .bind(file_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(attached.is_some())
}

/// Marks a file completed, with the size of the chunks that it has, and refuses them if they are too many for the tenant:
/// now, when what they replace is gone.
async fn complete(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    dimensions: usize,
) -> Result<()> {
    let vector_bytes = i64::try_from(dimensions * size_of::<u16>()).unwrap_or(i64::MAX);
    let chunks: i32 = sqlx::query_scalar(
        "update vector_store_files
         set status = 'completed', error_code = null, error_message = null, by_hand = false, chunk_count = n.chunks,
             usage_bytes = n.text_bytes + n.chunks * $3
         from (select count(*)::int as chunks, coalesce(sum(octet_length(content)), 0)::bigint as text_bytes
               from chunks where vector_store_id = $1 and file_id = $2) n
         where vector_store_id = $1 and file_id = $2
         returning vector_store_files.chunk_count",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(vector_bytes)
    .fetch_one(&mut **tx)
    .await?;
    file::completed(tx, store_id, file_id).await?;
    quota::check_chunks(tx, chunks.into()).await
}

async fn insert_chunks(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    ids: &[ChunkId],
    part: &[ReadyChunk],
) -> Result<()> {
    let column = |value: fn(&ReadyChunk) -> i64| part.iter().map(value).collect::<Vec<i64>>();
    let texts: Vec<&str> = part.iter().map(|chunk| chunk.draft.text.as_str()).collect();
    let headings: Vec<String> = part
        .iter()
        .map(|chunk| chunk.draft.heading_path.join(UNIT_SEPARATOR))
        .collect();
    let languages: Vec<&str> = part.iter().map(|chunk| chunk.language).collect();
    let terms: Vec<Option<&Sparsevec>> = part
        .iter()
        .map(|chunk| (!chunk.terms.is_empty()).then_some(&chunk.terms))
        .collect();
    let pages: Vec<Option<i32>> = part.iter().map(|chunk| chunk.draft.page).collect();
    sqlx::query(
        "insert into chunks (id, vector_store_id, file_id, ordinal, content, heading_path, page, start_char, end_char,
                             tokens, language, term_count, terms, embed_key)
         select u.id, $1, $2, u.ordinal, u.content,
                case when u.headings = '' then '{}' else string_to_array(u.headings, chr(31)) end,
                u.page, u.start_char, u.end_char, u.tokens, u.language, u.term_count, u.terms, u.embed_key
         from unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::int[], $8::bigint[], $9::bigint[],
                     $10::bigint[], $11::text[], $12::bigint[], $13::sparsevec[], $14::uuid[])
              as u (id, ordinal, content, headings, page, start_char, end_char, tokens, language, term_count, terms,
                    embed_key)",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(ids)
    .bind(column(|chunk| i64::from(chunk.draft.ordinal)))
    .bind(texts)
    .bind(headings)
    .bind(pages)
    .bind(column(|chunk| chunk.draft.start_char))
    .bind(column(|chunk| chunk.draft.end_char))
    .bind(column(|chunk| i64::try_from(chunk.draft.tokens).unwrap_or(i64::MAX)))
    .bind(languages)
    .bind(column(|chunk| i64::from(chunk.term_count)))
    .bind(terms)
    .bind(part.iter().map(|chunk| chunk.embed_key).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Adds the chunks to the store's corpus statistics, from which queries take their IDF.
async fn add_statistics(tx: &mut TenantTx, store_id: VectorStoreId, chunks: &[ReadyChunk]) -> Result<()> {
    let mut frequencies: BTreeMap<i32, i32> = BTreeMap::new();
    for term in chunks.iter().flat_map(|chunk| chunk.terms.positions()) {
        *frequencies.entry(term).or_default() += 1;
    }
    let (terms, counts): (Vec<i32>, Vec<i32>) = frequencies.into_iter().unzip();
    sqlx::query(
        "insert into term_stats (vector_store_id, term, df)
         select $1, u.term, u.df from unnest($2::int[], $3::int[]) as u (term, df)
         on conflict (tenant_id, vector_store_id, term) do update set df = term_stats.df + excluded.df",
    )
    .bind(store_id)
    .bind(terms)
    .bind(counts)
    .execute(&mut **tx)
    .await?;
    let lengths: i64 = chunks.iter().map(|chunk| i64::from(chunk.term_count)).sum();
    sqlx::query(
        "update vector_stores set chunk_count = chunk_count + $2, term_count = term_count + $3, last_active_at = now()
         where id = $1",
    )
    .bind(store_id)
    .bind(i64::try_from(chunks.len()).unwrap_or(i64::MAX))
    .bind(lengths)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
