//! What the server asks Postgres, asked without the server: prepared, on a pool, in the same transaction. The statements are
//! those of `core/src/search`, written out for 384 dimensions.

use anyhow::Result;
use sqlx::PgPool;
use uuid::Uuid;

use super::Way;
use super::corpus::weigh;
use super::fill::Store;
use super::pg::{Halfvec, Sparsevec, begin, commit};

/// Candidates of the first stage, as the bench has the server take.
const OVERSAMPLE: i64 = 200;
/// Candidates of each half.
const DEPTH: i64 = 50;

const RANK: &str = "
with v as materialized (
  select chunk_id, 0 - d as similarity, row_number() over (order by d, chunk_id) as r from (
    select e.chunk_id, e.embedding <#> $4 as d from embeddings_384 e
    where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = any (array(
      select b.chunk_id from embeddings_384 b
      where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
      order by b.bq <~> (binary_quantize($4::halfvec(384))::bit(384)) limit $6))
    order by d limit case when $6 = 0 then 0 else $7 end) x),
t as materialized (
  select chunk_id, 0 - d as score, row_number() over (order by d, chunk_id) as r from (
    select id as chunk_id, terms <#> $5 as d from chunks
    where tenant_id = $1 and vector_store_id = $2 and terms is not null
    order by d limit case when $9 = 0 then 0 else $7 end) x where d < 0),
m as materialized (
  select chunk_id, v.r as vector_rank, v.similarity, t.r as text_rank, t.score from v full join t using (chunk_id)
),
f as materialized (
  select m.chunk_id, m.vector_rank, m.text_rank,
         case when $6 > 0 then coalesce(m.similarity, (
           select 0 - (e.embedding <#> $4) from embeddings_384 e
           where e.tenant_id = $1 and e.embedding_model_id = $3 and e.chunk_id = m.chunk_id)) end as vector_similarity,
         case when $9 > 0 then coalesce(m.score, (
           select 0 - (c.terms <#> $5) from chunks c where c.tenant_id = $1 and c.id = m.chunk_id), 0) end as text_score
  from m
)
select chunk_id, $8::float8 * coalesce(vector_similarity, 0) + $9::float8 * coalesce(text_score, 0) as sum,
       vector_rank, vector_similarity, text_rank, text_score
from f order by sum desc, chunk_id limit $10";

const FETCH: &str = "
select c.id, f.filename, s.attributes, c.ordinal, c.content, c.heading_path, c.page, c.start_char, c.end_char, c.language
from chunks c
join vector_store_files s using (tenant_id, vector_store_id, file_id)
join files f on f.tenant_id = c.tenant_id and f.id = c.file_id
where c.tenant_id = $1 and c.id = any ($2)";

/// A search without the server.
pub(super) async fn search(pool: &PgPool, tenant: Uuid, store: &Store, asked: usize, way: Way) -> Result<()> {
    let question = &store.questions[asked];
    let terms = match way {
        Way::Vector => Vec::new(),
        Way::Hybrid => weigh(question, store.chunks, |term| {
            store.frequencies.get(&term).copied().unwrap_or_default()
        }),
    };
    let mut connection = pool.acquire().await?;
    let connection = &mut *connection;
    begin(connection, tenant).await?;
    type Ranked = (Uuid, f64, Option<i64>, Option<f64>, Option<i64>, Option<f64>);
    let ranked: Vec<Ranked> = sqlx::query_as(RANK)
        .bind(tenant)
        .bind(store.id)
        .bind(store.model_id)
        .bind(Halfvec::new(&question.vector))
        .bind(Sparsevec(terms))
        .bind(OVERSAMPLE)
        .bind(DEPTH)
        .bind(9.9f64)
        .bind(if way == Way::Hybrid { 0.5f64 } else { 0.0 })
        .bind(11i64)
        .fetch_all(&mut *connection)
        .await?;
    let ids: Vec<Uuid> = ranked.iter().map(|row| row.0).collect();
    let texts = sqlx::query(FETCH)
        .bind(tenant)
        .bind(&ids)
        .fetch_all(&mut *connection)
        .await?;
    commit(connection).await?;
    anyhow::ensure!(texts.len() == ids.len() && !ids.is_empty(), "nothing was found");
    Ok(())
}
