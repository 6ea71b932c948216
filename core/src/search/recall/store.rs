//! SQL of recall. As in the rest of search, `tenant_id` is written by hand besides row-level security.

use insula_tenancy::{TenantTx, VectorStoreId};

use super::Sampled;
use super::measured::Measured;
use crate::{Result, sql};

/// How many neighbours are compared.
const AT: i64 = 10;

// Distances are compared and not chunks: of two chunks with the same text either will do.
const COMPARE: &str = "
with exact as materialized (
  select embedding <#> $4 as d from embeddings_{dim}
  where tenant_id = $1 and vector_store_id = $2 and embedding_model_id = $3
  order by d limit $6
),
found as materialized (
  select e.embedding <#> $4 as d from embeddings_{dim} e
  where e.tenant_id = $1 and e.embedding_model_id = $3 and e.vector_store_id = $2 and e.chunk_id = any (
    case when $7::uuid[] is not null then $7::uuid[] else array(
      select b.chunk_id from embeddings_{dim} b
      where b.tenant_id = $1 and b.vector_store_id = $2 and b.embedding_model_id = $3
      order by b.bq <~> (binary_quantize($4::halfvec({dim}))::bit({dim})) limit $5) end)
  order by d limit $6
)
select (select count(*) from found where d <= (select max(d) from exact)), (select count(*) from exact)";

/// How many of the nearest chunks a search finds, and how many there are to find.
pub(super) async fn compare(tx: &mut TenantTx, about: &Sampled) -> Result<(i64, i64)> {
    let tenant_id = tx.tenant_id();
    Ok(sqlx::query_as(sql::for_dimensions(COMPARE, about.dimensions))
        .bind(tenant_id)
        .bind(about.store_id)
        .bind(about.model_id)
        .bind(&about.vector)
        .bind(about.candidates)
        .bind(AT)
        .bind(about.proposed.as_deref())
        .fetch_one(&mut **tx)
        .await?)
}

/// What was measured of a store with a model.
pub(in crate::search) async fn find(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    model_id: i32,
) -> Result<Option<Measured>> {
    Ok(sqlx::query_as(
        "select candidates, found, wanted, samples, measured_at from vector_store_recall
         where vector_store_id = $1 and embedding_model_id = $2",
    )
    .bind(store_id)
    .bind(model_id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// What was measured so far, which nobody else changes meanwhile; `None` if the store is gone, has another model, or was given
/// other candidates since the search.
pub(super) async fn lock(tx: &mut TenantTx, about: &Sampled) -> Result<Option<Measured>> {
    let made = sqlx::query(
        "insert into vector_store_recall (vector_store_id, embedding_model_id)
         select id, embedding_model_id from vector_stores where id = $1 and embedding_model_id = $2
         on conflict (tenant_id, vector_store_id) do update set
           embedding_model_id = excluded.embedding_model_id, candidates = null, found = 0, wanted = 0, samples = 0
         where vector_store_recall.embedding_model_id <> excluded.embedding_model_id",
    )
    .bind(about.store_id)
    .bind(about.model_id)
    .execute(&mut **tx)
    .await?;
    let known: Option<Measured> = sqlx::query_as(
        "select candidates, found, wanted, samples, measured_at from vector_store_recall
         where vector_store_id = $1 and embedding_model_id = $2 for update",
    )
    .bind(about.store_id)
    .bind(about.model_id)
    .fetch_optional(&mut **tx)
    .await?;
    if made.rows_affected() > 0 {
        return Ok(known);
    }
    let as_searched = |known: &Measured| {
        known
            .candidates
            .is_none_or(|now| i64::from(now) <= about.candidates)
    };
    Ok(known.filter(as_searched))
}

/// Writes it down.
pub(super) async fn write(tx: &mut TenantTx, about: &Sampled, measured: &Measured) -> Result<()> {
    sqlx::query(
        "update vector_store_recall
         set candidates = $2, found = $3, wanted = $4, samples = $5, measured_at = now() where vector_store_id = $1",
    )
    .bind(about.store_id)
    .bind(measured.candidates)
    .bind(measured.found)
    .bind(measured.wanted)
    .bind(measured.samples)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
