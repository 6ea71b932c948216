//! Fills a store with chunks, in the statements of ingestion, without reading or embedding anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insula_tenancy::{ChunkId, VectorStoreId, new_uuid};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::corpus::{Chunk, Corpus, Question};
use super::exact::Exact;
use super::pg::{Halfvec, Sparsevec, begin, commit};
use super::{MODEL, Tenant};

/// Chunks of a transaction.
const PART: usize = 1_000;
/// Rows of a statement, as in ingestion.
const ROWS: usize = 500;

/// A store that can be searched.
pub(super) struct Store {
    pub(super) id: VectorStoreId,
    pub(super) model_id: i32,
    pub(super) chunks: usize,
    pub(super) frequencies: BTreeMap<i32, i64>,
    pub(super) exact: Exact,
    pub(super) questions: Vec<Question>,
    /// How long Postgres took to take it.
    pub(super) took: Duration,
}

/// Makes a store of that many chunks, and questions about it.
pub(super) async fn fill(
    tenant: &Tenant,
    pool: &PgPool,
    seed: u64,
    chunks: usize,
    questions: usize,
) -> Result<Store> {
    let made = json!({"name": format!("{chunks} chunks"), "embedding_model": MODEL});
    let made = tenant.post("/vector_stores", &made).await?;
    let id: VectorStoreId = made["id"].as_str().context("no store")?.parse()?;
    let model_id: i32 = {
        let mut connection = pool.acquire().await?;
        begin(&mut connection, tenant.id).await?;
        let model_id = sqlx::query_scalar("select id from embedding_models where name = $1")
            .bind(MODEL)
            .fetch_one(&mut *connection)
            .await?;
        commit(&mut connection).await?;
        model_id
    };
    let mut store = Store {
        id,
        model_id,
        chunks,
        frequencies: BTreeMap::new(),
        exact: Exact::default(),
        questions: Vec::new(),
        took: Duration::ZERO,
    };
    let mut corpus = Corpus::new(seed, chunks);
    let every = (chunks / questions).max(1);
    let mut part = Vec::with_capacity(PART);
    let mut place = 0;
    while let Some(chunk) = corpus.next() {
        if place % every == 0 && store.questions.len() < questions {
            let question = corpus.question(store.questions.len(), &chunk);
            store.questions.push(question);
        }
        place += 1;
        part.push(chunk);
        if part.len() == PART || place == chunks {
            store.add(tenant.id, pool, &part).await?;
            part.clear();
        }
    }
    Ok(store)
}

impl Store {
    /// Adds a file of these chunks, in one transaction.
    async fn add(&mut self, tenant: Uuid, pool: &PgPool, part: &[Chunk]) -> Result<()> {
        let ids: Vec<ChunkId> = part.iter().map(|_| ChunkId::generate()).collect();
        let mut frequencies: BTreeMap<i32, i64> = BTreeMap::new();
        for (id, chunk) in ids.iter().zip(part) {
            self.exact.push(*id, &chunk.vector);
            for (term, _) in &chunk.terms.weights {
                *frequencies.entry(*term).or_default() += 1;
            }
        }
        let file = new_uuid();
        let started = Instant::now();
        let mut connection = pool.acquire().await?;
        let connection = &mut *connection;
        begin(connection, tenant).await?;
        sqlx::query(
            "insert into files (id, filename, purpose, bytes, sha256, blob)
             values ($1, 'bench.txt', 'assistants', 1, sha256('bench'), $1::text)",
        )
        .bind(file)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "insert into vector_store_files (vector_store_id, file_id, status, chunk_count, usage_bytes)
             values ($1, $2, 'completed', $3, $3)",
        )
        .bind(self.id)
        .bind(file)
        .bind(i32::try_from(part.len())?)
        .execute(&mut *connection)
        .await?;
        for (number, (ids, rows)) in ids.chunks(ROWS).zip(part.chunks(ROWS)).enumerate() {
            let texts: Vec<&str> = rows.iter().map(|chunk| chunk.text.as_str()).collect();
            let terms: Vec<Sparsevec> = rows
                .iter()
                .map(|chunk| Sparsevec(chunk.terms.weights.clone()))
                .collect();
            sqlx::query(
                "insert into chunks (id, vector_store_id, file_id, ordinal, content, start_char, end_char, tokens,
                                     term_count, terms)
                 select u.id, $1, $2, $3 + u.n - 1, u.content, 0, length(u.content), 100, 100, u.terms
                 from unnest($4::uuid[], $5::text[], $6::sparsevec[]) with ordinality as u (id, content, terms, n)",
            )
            .bind(self.id)
            .bind(file)
            .bind(i64::try_from(number * ROWS)?)
            .bind(ids)
            .bind(texts)
            .bind(terms)
            .execute(&mut *connection)
            .await?;
            let vectors: Vec<Halfvec> = rows.iter().map(|chunk| Halfvec::new(&chunk.vector)).collect();
            sqlx::query(
                "insert into embeddings_384 (vector_store_id, embedding_model_id, chunk_id, embedding)
                 select $1, $2, u.id, u.embedding from unnest($3::uuid[], $4::halfvec[]) as u (id, embedding)",
            )
            .bind(self.id)
            .bind(self.model_id)
            .bind(ids)
            .bind(vectors)
            .execute(&mut *connection)
            .await?;
        }
        let (terms, counts): (Vec<i32>, Vec<i32>) = frequencies
            .iter()
            .map(|(term, df)| (*term, i32::try_from(*df).unwrap_or(i32::MAX)))
            .unzip();
        sqlx::query(
            "insert into term_stats (vector_store_id, term, df)
             select $1, u.term, u.df from unnest($2::int[], $3::int[]) as u (term, df)
             on conflict (tenant_id, vector_store_id, term) do update set df = term_stats.df + excluded.df",
        )
        .bind(self.id)
        .bind(terms)
        .bind(counts)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "update vector_stores set chunk_count = chunk_count + $2, term_count = term_count + $2 * 100 where id = $1",
        )
        .bind(self.id)
        .bind(i64::try_from(part.len())?)
        .execute(&mut *connection)
        .await?;
        commit(connection).await?;
        self.took += started.elapsed();
        for (term, df) in frequencies {
            *self.frequencies.entry(term).or_default() += df;
        }
        Ok(())
    }
}
