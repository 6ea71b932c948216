//! SQL of search. The one place where `tenant_id` is written by hand besides row-level security: the planner then knows
//! the tenant as a constant, prunes partitions, and checks the policy once per scan.

use std::collections::HashMap;

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::filter::CompiledFilter;
use super::{Hit, ScoreParts};
use crate::pg::{Halfvec, Sparsevec};
use crate::vector_store::Attributes;
use crate::{Result, sql};

/// A query in both halves.
pub(super) struct Halves {
    /// `None` when the model cannot read the query.
    pub(super) vector: Option<Halfvec>,
    /// 0..=1, beside the text half's 1.
    pub(super) vector_weight: f64,
    /// Empty when the store knows none of the query's words.
    pub(super) terms: Sparsevec,
    /// Candidates of the 1-bit scan.
    pub(super) oversample: i64,
    /// Candidates of each half for the fusion.
    pub(super) depth: i64,
    /// Constant of the fusion.
    pub(super) rrf_k: f64,
}

/// A chunk that was ranked.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Candidate {
    pub(super) chunk_id: ChunkId,
    pub(super) score: f64,
    vector_rank: Option<i64>,
    vector_similarity: Option<f64>,
    text_rank: Option<i64>,
    text_score: Option<f64>,
}

/// How many chunks of the store have each of the terms.
pub(super) async fn document_frequencies(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    terms: &[i32],
) -> Result<Vec<(i32, i32)>> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as(
        "select term, df from term_stats
         where tenant_id = $1 and vector_store_id = $2 and term = any ($3) and df > 0",
    )
    .bind(tenant_id)
    .bind(store_id)
    .bind(terms)
    .fetch_all(&mut **tx)
    .await?)
}

// A half that is not asked for has limit 0, which Postgres answers without scanning. The score is the fused one over
// the best that was possible, so that it is 1 for a chunk that leads both halves (or the only one).
const FUSE: &str = "
f as materialized (
  select chunk_id, v.r as vector_rank, v.similarity as vector_similarity, t.r as text_rank, t.score as text_score,
         (coalesce($8 / ($10 + v.r), 0) + coalesce($9 / ($10 + t.r), 0)) * ($10 + 1) / nullif($8 + $9, 0) as score
  from v full join t using (chunk_id)
)
select chunk_id, score, vector_rank, vector_similarity, text_rank, text_score
from f order by score desc, chunk_id limit $11";

const WHOLE_STORE: &str = "
with v as materialized (
  select chunk_id, -d as similarity, row_number() over (order by d, chunk_id) as r from (
    select e.chunk_id, e.embedding <#> $4 as d from embeddings_{dim} e
    where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = any (array(
      select b.chunk_id from embeddings_{dim} b
      where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
      order by b.bq <~> (binary_quantize($4::halfvec({dim}))::bit({dim})) limit $6))
    order by d limit case when $6 = 0 then 0 else $7 end) x),
t as materialized (
  select chunk_id, -d as score, row_number() over (order by d, chunk_id) as r from (
    select id as chunk_id, terms <#> $5 as d from chunks
    where tenant_id = $1 and vector_store_id = $2 and terms is not null
    order by d limit case when $9 = 0 then 0 else $7 end) x where d < 0),";

const SOME_FILES: &str = "
with allowed as materialized (
  select c.id from chunks c
  where c.tenant_id = $1 and c.vector_store_id = $2 and c.file_id = any (array(
    select file_id from vector_store_files
    where tenant_id = $1 and vector_store_id = $2
      and coalesce(jsonb_path_match(attributes, $12::text::jsonpath, $13, true), false)))),
v as materialized (
  select chunk_id, -d as similarity, row_number() over (order by d, chunk_id) as r from (
    select e.chunk_id, e.embedding <#> $4 as d from embeddings_{dim} e
    where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = any (array(
      select b.chunk_id from embeddings_{dim} b
      where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
        and b.chunk_id in (select id from allowed)
      order by b.bq <~> (binary_quantize($4::halfvec({dim}))::bit({dim})) limit $6))
    order by d limit case when $6 = 0 then 0 else $7 end) x),
t as materialized (
  select chunk_id, -d as score, row_number() over (order by d, chunk_id) as r from (
    select id as chunk_id, terms <#> $5 as d from chunks
    where tenant_id = $1 and vector_store_id = $2 and terms is not null and id in (select id from allowed)
    order by d limit case when $9 = 0 then 0 else $7 end) x where d < 0),";

/// Ranks the chunks of a store by both halves at once.
pub(super) async fn rank(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    model_id: i32,
    dimensions: usize,
    halves: &Halves,
    filter: Option<&CompiledFilter>,
    limit: i64,
) -> Result<Vec<Candidate>> {
    let text_weight = if halves.terms.is_empty() { 0.0 } else { 1.0 };
    let (vector_weight, oversample) = if halves.vector.is_some() {
        (halves.vector_weight, halves.oversample)
    } else {
        (0.0, 0)
    };
    let statement = match filter {
        None => statements::whole_store(dimensions),
        Some(_) => statements::some_files(dimensions),
    };
    let tenant_id = tx.tenant_id();
    let mut query = sqlx::query_as(statement)
        .bind(tenant_id)
        .bind(store_id)
        .bind(model_id)
        .bind(halves.vector.as_ref())
        .bind(&halves.terms)
        .bind(oversample)
        .bind(halves.depth)
        .bind(vector_weight)
        .bind(text_weight)
        .bind(halves.rrf_k)
        .bind(limit);
    if let Some(filter) = filter {
        query = query.bind(&filter.path).bind(Json(&filter.values));
    }
    Ok(query.fetch_all(&mut **tx).await?)
}

/// A file of a store that passes the filter, with its name and attributes.
pub(super) async fn find_file(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    filter: Option<&CompiledFilter>,
) -> Result<Option<(String, Attributes)>> {
    let row: Option<(String, Json<Attributes>)> = sqlx::query_as(
        "select f.filename, s.attributes from vector_store_files s join files f on f.id = s.file_id
         where s.vector_store_id = $1 and s.file_id = $2
           and ($3::text is null or coalesce(jsonb_path_match(s.attributes, $3::text::jsonpath, $4, true), false))",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(filter.map(|filter| &filter.path))
    .bind(filter.map(|filter| Json(&filter.values)))
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(filename, Json(attributes))| (filename, attributes)))
}

mod statements {
    use std::sync::LazyLock;

    use sqlx::SqlStr;

    use super::{FUSE, SOME_FILES, WHOLE_STORE, sql};

    static WHOLE: LazyLock<&'static str> = LazyLock::new(|| Box::leak(format!("{WHOLE_STORE}{FUSE}").into()));
    static SOME: LazyLock<&'static str> = LazyLock::new(|| Box::leak(format!("{SOME_FILES}{FUSE}").into()));

    pub(super) fn whole_store(dimensions: usize) -> SqlStr {
        sql::for_dimensions(*WHOLE, dimensions)
    }

    pub(super) fn some_files(dimensions: usize) -> SqlStr {
        sql::for_dimensions(*SOME, dimensions)
    }
}

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
}

/// The texts of ranked chunks, in their order.
pub(super) async fn fetch(tx: &mut TenantTx, ranked: &[Candidate]) -> Result<Vec<Hit>> {
    let ids: Vec<ChunkId> = ranked.iter().map(|candidate| candidate.chunk_id).collect();
    let tenant_id = tx.tenant_id();
    let rows: Vec<ContentRow> = sqlx::query_as(
        "select c.id, c.vector_store_id, c.file_id, f.filename, s.attributes, c.ordinal, c.content, c.heading_path, c.page, c.start_char,
                c.end_char
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
    let hit = |candidate: &Candidate| {
        let row = by_id.remove(&candidate.chunk_id)?;
        Some(Hit {
            chunk_id: row.id,
            vector_store_id: row.vector_store_id,
            file_id: row.file_id,
            filename: row.filename,
            attributes: row.attributes.0,
            ordinal: row.ordinal,
            content: row.content,
            heading_path: row.heading_path,
            page: row.page,
            start_char: row.start_char,
            end_char: row.end_char,
            score: candidate.score,
            parts: ScoreParts {
                vector_rank: candidate.vector_rank,
                vector_similarity: candidate.vector_similarity,
                text_rank: candidate.text_rank,
                text_score: candidate.text_score,
                rerank_score: None,
            },
        })
    };
    Ok(ranked.iter().filter_map(hit).collect())
}

/// Keeps a store that expires when unused alive, at most once a minute. Skips a store that is being written to.
pub(super) async fn note_use(tx: &mut TenantTx, store_id: VectorStoreId) -> Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query(
        "update vector_stores set last_active_at = now()
         where tenant_id = $1 and id = (
           select id from vector_stores
           where tenant_id = $1 and id = $2 and last_active_at < now() - interval '1 minute'
           for no key update skip locked)",
    )
    .bind(tenant_id)
    .bind(store_id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
