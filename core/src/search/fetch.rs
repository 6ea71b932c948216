//! SQL of search, once it is known which chunks are wanted: texts, neighbours, vectors. As in `store.rs`, `tenant_id` is written
//! by hand besides row-level security.

use std::collections::{HashMap, HashSet};

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::answer::{Hit, Neighbour, ScoreParts};
use super::filter::CompiledFilter;
use super::store::Candidate;
use crate::pg::Halfvec;
use crate::vector_store::{AttributeValue, Attributes};
use crate::{Result, sql};

#[derive(sqlx::FromRow)]
struct ContentRow {
    id: ChunkId,
    vector_store_id: VectorStoreId,
    file_id: FileId,
    filename: String,
    attributes: Json<Attributes>,
    ordinal: i32,
    content: String,
    heading_path: Vec<String>,
    page: Option<i32>,
    start_char: i64,
    end_char: i64,
    language: String,
    uploaded_at: f64,
    now: f64,
}

/// The texts of ranked chunks, in their order. A file is as old as the `dated` attribute says, if it has that.
pub(super) async fn fetch(
    tx: &mut TenantTx,
    ranked: &[(Candidate, f64)],
    dated: Option<&str>,
) -> Result<Vec<Hit>> {
    let ids: Vec<ChunkId> = ranked.iter().map(|(candidate, _)| candidate.chunk_id).collect();
    let tenant_id = tx.tenant_id();
    let rows: Vec<ContentRow> = sqlx::query_as(
        "select c.id, c.vector_store_id, c.file_id, f.filename, s.attributes, c.ordinal, c.content, c.heading_path, c.page, c.start_char,
                c.end_char, c.language, extract(epoch from f.created_at)::float8 as uploaded_at,
                extract(epoch from now())::float8 as now
         from chunks c
         join vector_store_files s using (tenant_id, vector_store_id, file_id)
         join files f on f.tenant_id = c.tenant_id and f.id = c.file_id
         where c.tenant_id = $1 and c.id = any ($2)",
    )
    .bind(tenant_id)
    .bind(&ids)
    .fetch_all(&mut **tx)
    .await?;
    let mut by_id: HashMap<ChunkId, ContentRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let hit = |(candidate, score): &(Candidate, f64)| {
        let row = by_id.remove(&candidate.chunk_id)?;
        let date = dated.and_then(|key| match row.attributes.get(key) {
            Some(AttributeValue::Number(seconds)) => seconds.as_f64(),
            _ => None,
        });
        let date = date.unwrap_or(row.uploaded_at);
        Some(Hit {
            chunk_id: row.id,
            vector_store_id: row.vector_store_id,
            file_id: row.file_id,
            filename: row.filename,
            attributes: row.attributes.0,
            ordinal: row.ordinal,
            content: row.content,
            language: row.language,
            age_days: (row.now - date) / 86_400.0,
            heading_path: row.heading_path,
            page: row.page,
            start_char: row.start_char,
            end_char: row.end_char,
            score: *score,
            before: Vec::new(),
            after: Vec::new(),
            highlights: Vec::new(),
            parts: ScoreParts {
                vector_rank: candidate.vector_rank,
                vector_similarity: candidate.vector_similarity,
                text_rank: candidate.text_rank,
                text_score: candidate.text_score,
                ..ScoreParts::default()
            },
        })
    };
    Ok(ranked.iter().filter_map(hit).collect())
}

/// The chunks beside each of the hits in its file, `reach` on either side.
pub(super) async fn fetch_neighbours(tx: &mut TenantTx, hits: &mut [Hit], reach: i64) -> Result<()> {
    let tenant_id = tx.tenant_id();
    let stores: Vec<VectorStoreId> = hits.iter().map(|hit| hit.vector_store_id).collect();
    let files: Vec<FileId> = hits.iter().map(|hit| hit.file_id).collect();
    let ordinals: Vec<i32> = hits.iter().map(|hit| hit.ordinal).collect();
    let rows: Vec<(i64, ChunkId, i32, String)> = sqlx::query_as(
        "select h.place, c.id, c.ordinal, c.content
         from unnest($2::uuid[], $3::uuid[], $4::int[]) with ordinality as h (store_id, file_id, ordinal, place)
         join chunks c on c.tenant_id = $1 and c.vector_store_id = h.store_id and c.file_id = h.file_id
           and c.ordinal between h.ordinal - $5::int8 and h.ordinal + $5::int8 and c.ordinal <> h.ordinal
         order by h.place, c.ordinal",
    )
    .bind(tenant_id)
    .bind(stores)
    .bind(files)
    .bind(ordinals)
    .bind(reach)
    .fetch_all(&mut **tx)
    .await?;
    for (place, chunk_id, ordinal, content) in rows {
        // Places count from 1.
        let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
        let Some(hit) = hits.get_mut(place) else { continue };
        let side = if ordinal < hit.ordinal {
            &mut hit.before
        } else {
            &mut hit.after
        };
        side.push(Neighbour {
            chunk_id,
            ordinal,
            content,
        });
    }
    Ok(())
}

/// The vectors of chunks by a model.
pub(super) async fn fetch_vectors(
    tx: &mut TenantTx,
    model_id: i32,
    dimensions: usize,
    chunk_ids: &[ChunkId],
) -> Result<Vec<(ChunkId, Halfvec)>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as(sql::for_dimensions(
        "select chunk_id, embedding from embeddings_{dim}
         where tenant_id = $1 and embedding_model_id = $2 and chunk_id = any ($3)",
        dimensions,
    ))
    .bind(tenant_id)
    .bind(model_id)
    .bind(chunk_ids)
    .fetch_all(&mut **tx)
    .await?)
}

/// Which of these chunks are in the stores, in files that pass the filter.
pub(super) async fn find_chunks(
    tx: &mut TenantTx,
    store_ids: &[VectorStoreId],
    chunk_ids: &[ChunkId],
    filter: Option<&CompiledFilter>,
) -> Result<HashSet<ChunkId>> {
    let tenant_id = tx.tenant_id();
    let rows: Vec<ChunkId> = sqlx::query_scalar(
        "select c.id from chunks c join vector_store_files s using (tenant_id, vector_store_id, file_id)
         where c.tenant_id = $1 and c.vector_store_id = any ($2) and c.id = any ($3)
           and ($4::text is null or coalesce(jsonb_path_match(s.attributes, $4::text::jsonpath, $5, true), false))",
    )
    .bind(tenant_id)
    .bind(store_ids)
    .bind(chunk_ids)
    .bind(filter.map(|filter| &filter.path))
    .bind(filter.map(|filter| Json(&filter.values)))
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().collect())
}
