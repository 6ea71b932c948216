//! SQL of search. The one place where `tenant_id` is written by hand besides row-level security: the planner then knows
//! the tenant as a constant, prunes partitions, and checks the policy once per scan.

use std::collections::HashMap;

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::blend::Blend;
use super::filter::CompiledFilter;
use crate::pg::{Halfvec, Sparsevec};
use crate::vector_store::Attributes;
use crate::{Result, sql};

/// A query in one store.
pub(super) struct Look {
    /// `None` when it is not compared by meaning.
    pub(super) vector: Option<Halfvec>,
    /// Empty when the store knows none of its words, or they are not looked for.
    pub(super) terms: Sparsevec,
    /// The BM25 score that no chunk can exceed.
    pub(super) most: f64,
    /// How the halves are added up.
    pub(super) blend: Blend,
    /// Candidates of the 1-bit scan.
    pub(super) oversample: i64,
    /// Candidates of each half.
    pub(super) depth: i64,
    /// Candidates of both together.
    pub(super) limit: i64,
}

/// Chunks that are worth an exact comparison, if the store's content still has the version that they were found in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proposed<'a> {
    pub(super) chunks: &'a [ChunkId],
    pub(super) version: i64,
}

/// A chunk that was ranked.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Candidate {
    pub(super) chunk_id: ChunkId,
    /// What [`super::blend::chance`] takes, but for the bias.
    pub(super) sum: f64,
    pub(super) vector_rank: Option<i64>,
    pub(super) vector_similarity: Option<f64>,
    pub(super) text_rank: Option<i64>,
    pub(super) text_score: Option<f64>,
    /// Whether the candidates of the vector half were those that had been proposed.
    #[sqlx(default)]
    pub(super) accelerated: bool,
}

/// How many chunks of the stores have each of the terms.
pub(super) async fn document_frequencies(
    tx: &mut TenantTx,
    store_ids: &[VectorStoreId],
    terms: &[i32],
) -> Result<HashMap<i32, i64>> {
    let tenant_id = tx.tenant_id();
    let rows: Vec<(i32, i64)> = sqlx::query_as(
        "select term, sum(df) from term_stats
         where tenant_id = $1 and vector_store_id = any ($2) and term = any ($3) and df > 0
         group by term",
    )
    .bind(tenant_id)
    .bind(store_ids)
    .bind(terms)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().collect())
}

// A half that is not asked for has limit 0, which Postgres answers without scanning. What only one half has found is
// looked up in the other: a chunk's score does not depend on what else was found. (Under row-level security the lookups
// use an index only because `m` is computed before: the join's `chunk_id` is a `coalesce`, which is not leakproof.)
const BOTH: &str = "
m as materialized (
  select chunk_id, v.r as vector_rank, v.similarity, t.r as text_rank, t.score from v full join t using (chunk_id)
),
f as materialized (
  select m.chunk_id, m.vector_rank, m.text_rank,
         case when $6 > 0 then coalesce(m.similarity, (
           select 0 - (e.embedding <#> $4) from embeddings_{dim} e
           where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = m.chunk_id)) end as vector_similarity,
         case when $9 > 0 then coalesce(m.score, (
           select 0 - (c.terms <#> $5) from chunks c where c.tenant_id = $1 and c.id = m.chunk_id), 0) end as text_score
  from m
)";

const FUSE: &str = "
select chunk_id, $8 * coalesce(vector_similarity, 0) + $9 * coalesce(text_score, 0) as sum,
       vector_rank, vector_similarity, text_rank, text_score
from f order by sum desc, chunk_id limit $10";

// The same, and says whether the proposal was taken.
const FUSE_PROPOSED: &str = "
select chunk_id, $8 * coalesce(vector_similarity, 0) + $9 * coalesce(text_score, 0) as sum,
       vector_rank, vector_similarity, text_rank, text_score, (select fresh from now) as accelerated
from f order by sum desc, chunk_id limit $10";

const WHOLE_STORE: &str = "
with v as materialized (
  select chunk_id, 0 - d as similarity, row_number() over (order by d, chunk_id) as r from (
    select e.chunk_id, e.embedding <#> $4 as d from embeddings_{dim} e
    where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = any (array(
      select b.chunk_id from embeddings_{dim} b
      where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
      order by b.bq <~> (binary_quantize($4::halfvec({dim}))::bit({dim})) limit $6))
    order by d limit case when $6 = 0 then 0 else $7 end) x),";

// Candidates are those that were proposed, if the content is what it was then; this statement's snapshot decides. Else the
// branch of the 1-bit scan is evaluated, and only then. The store is asked for besides: what is proposed is not believed.
const PROPOSED: &str = "
with now as materialized (
  select content_version = $12 as fresh from vector_stores where tenant_id = $1 and id = $2
),
v as materialized (
  select chunk_id, 0 - d as similarity, row_number() over (order by d, chunk_id) as r from (
    select e.chunk_id, e.embedding <#> $4 as d from embeddings_{dim} e
    where e.tenant_id = $1 and e.embedding_model_id = $3 and e.vector_store_id = $2 and e.chunk_id = any (
      case when (select fresh from now) then $11::uuid[] else array(
        select b.chunk_id from embeddings_{dim} b
        where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
        order by b.bq <~> (binary_quantize($4::halfvec({dim}))::bit({dim})) limit $6) end)
    order by d limit $7) x),";

const WHOLE_TEXT: &str = "
t as materialized (
  select chunk_id, 0 - d as score, row_number() over (order by d, chunk_id) as r from (
    select id as chunk_id, terms <#> $5 as d from chunks
    where tenant_id = $1 and vector_store_id = $2 and terms is not null
    order by d limit case when $9 = 0 then 0 else $7 end) x where d < 0),";

const SOME_FILES: &str = "
with allowed as materialized (
  select c.id from chunks c
  where c.tenant_id = $1 and c.vector_store_id = $2 and c.file_id = any (array(
    select file_id from vector_store_files
    where tenant_id = $1 and vector_store_id = $2
      and coalesce(jsonb_path_match(attributes, $11::text::jsonpath, $12, true), false)))),
v as materialized (
  select chunk_id, 0 - d as similarity, row_number() over (order by d, chunk_id) as r from (
    select e.chunk_id, e.embedding <#> $4 as d from embeddings_{dim} e
    where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = any (array(
      select b.chunk_id from embeddings_{dim} b
      where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
        and b.chunk_id in (select id from allowed)
      order by b.bq <~> (binary_quantize($4::halfvec({dim}))::bit({dim})) limit $6))
    order by d limit case when $6 = 0 then 0 else $7 end) x),
t as materialized (
  select chunk_id, 0 - d as score, row_number() over (order by d, chunk_id) as r from (
    select id as chunk_id, terms <#> $5 as d from chunks
    where tenant_id = $1 and vector_store_id = $2 and terms is not null and id in (select id from allowed)
    order by d limit case when $9 = 0 then 0 else $7 end) x where d < 0),";

/// Ranks the chunks of a store by both halves at once.
pub(super) async fn rank(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    model_id: i32,
    dimensions: usize,
    look: &Look,
    filter: Option<&CompiledFilter>,
    proposed: Option<Proposed<'_>>,
) -> Result<Vec<Candidate>> {
    let oversample = if look.vector.is_some() { look.oversample } else { 0 };
    let text = if look.terms.is_empty() || look.most <= 0.0 {
        0.0
    } else {
        look.blend.text / look.most
    };
    let statement = match (filter, proposed) {
        (None, None) => statements::whole_store(dimensions),
        (None, Some(_)) => statements::proposed(dimensions),
        (Some(_), _) => statements::some_files(dimensions),
    };
    let tenant_id = tx.tenant_id();
    let mut query = sqlx::query_as(statement)
        .bind(tenant_id)
        .bind(store_id)
        .bind(model_id)
        .bind(look.vector.as_ref())
        .bind(&look.terms)
        .bind(oversample)
        .bind(look.depth)
        .bind(look.blend.vector)
        .bind(text)
        .bind(look.limit);
    if let Some(filter) = filter {
        query = query.bind(&filter.path).bind(Json(&filter.values));
    } else if let Some(proposed) = proposed {
        query = query.bind(proposed.chunks).bind(proposed.version);
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

    use super::{BOTH, FUSE, FUSE_PROPOSED, PROPOSED, SOME_FILES, WHOLE_STORE, WHOLE_TEXT, sql};

    type Statement = LazyLock<&'static str>;

    static WHOLE: Statement = LazyLock::new(|| join([WHOLE_STORE, WHOLE_TEXT, BOTH, FUSE]));
    static WITH_PROPOSAL: Statement = LazyLock::new(|| join([PROPOSED, WHOLE_TEXT, BOTH, FUSE_PROPOSED]));
    static SOME: Statement = LazyLock::new(|| join([SOME_FILES, BOTH, FUSE]));

    fn join<const N: usize>(parts: [&str; N]) -> &'static str {
        Box::leak(parts.concat().into())
    }

    pub(super) fn whole_store(dimensions: usize) -> SqlStr {
        sql::for_dimensions(*WHOLE, dimensions)
    }

    pub(super) fn proposed(dimensions: usize) -> SqlStr {
        sql::for_dimensions(*WITH_PROPOSAL, dimensions)
    }

    pub(super) fn some_files(dimensions: usize) -> SqlStr {
        sql::for_dimensions(*SOME, dimensions)
    }
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
