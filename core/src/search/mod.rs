//! A query becomes ranked chunks.
//!
//! Every store is searched exactly: a scan over one bit per dimension picks candidates, their full vectors rank them;
//! BM25 ranks the same chunks by their words; reciprocal rank fusion joins the two. How much the vector half counts
//! depends on whether the embedding model can read the language of the query.

mod filter;
mod filter_json;
mod narrow;
mod store;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use insula_tenancy::usage::{Trace, UsedChunk};
use insula_tenancy::{ChunkId, FileId, TenantContext, VectorStoreId};

pub use filter::{Comparison, Filter};

use crate::judge::Ranker;
use crate::metering::Reading;
use crate::model::{EmbedPurpose, EmbedderCard};
use crate::page::Page;
use crate::pg::{Halfvec, Sparsevec};
use crate::route::tenant;
use crate::search_analytics::Searched;
use crate::text::language;
use crate::text::terms::{QueryTerms, idf};
use crate::vector_store::{self, Attributes};
use crate::{Error, Result, Services};

/// Candidates that each half contributes to the fusion.
const DEPTH: i64 = 50;
/// Reciprocal rank fusion's constant. 10 was better than the usual 60 on every set that was measured (SciFact, XQuAD).
const RRF_K: f64 = 10.0;
/// How often chunks are ranked when some of them are gone before their texts are fetched.
const LOOKS: usize = 3;

/// What to look for.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Where.
    pub vector_store_id: VectorStoreId,
    /// One or several phrasings; a chunk counts with its best score. At least one, none blank.
    pub queries: Vec<String>,
    /// 1..=50.
    pub max_results: i64,
    /// Which files may answer.
    pub filter: Option<Filter>,
    /// Hits below this score are left out, 0..=1.
    pub score_threshold: f64,
    /// The model that has the last word on the order, if one has.
    pub ranker: Option<String>,
}

impl From<&Hit> for UsedChunk {
    fn from(hit: &Hit) -> Self {
        Self {
            vector_store_id: hit.vector_store_id,
            file_id: hit.file_id,
            chunk_id: hit.chunk_id,
            score: hit.score,
        }
    }
}

impl SearchRequest {
    /// A search for one query with the defaults of the contract.
    pub fn new(vector_store_id: VectorStoreId, query: impl Into<String>) -> Self {
        Self {
            vector_store_id,
            queries: vec![query.into()],
            max_results: 10,
            filter: None,
            score_threshold: 0.0,
            ranker: None,
        }
    }

    fn check(&self) -> Result<()> {
        if self.queries.is_empty() || self.queries.iter().any(|query| query.trim().is_empty()) {
            return Err(Error::invalid("query", "The query must not be empty."));
        }
        if self.queries.len() > 16 {
            return Err(Error::invalid(
                "query",
                "At most 16 queries can be asked at once.",
            ));
        }
        if !(1..=50).contains(&self.max_results) {
            return Err(Error::invalid("max_num_results", "Must be between 1 and 50."));
        }
        if !(0.0..=1.0).contains(&self.score_threshold) {
            return Err(Error::invalid(
                "ranking_options.score_threshold",
                "Must be between 0 and 1.",
            ));
        }
        Ok(())
    }
}

/// A chunk that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The chunk.
    pub chunk_id: ChunkId,
    /// The store that it was found in.
    pub vector_store_id: VectorStoreId,
    /// Its file.
    pub file_id: FileId,
    /// The file's name.
    pub filename: String,
    /// The file's values in this store.
    pub attributes: Attributes,
    /// Place in the file, from 0.
    pub ordinal: i32,
    /// The text.
    pub content: String,
    /// Titles above it, outermost first.
    pub heading_path: Vec<String>,
    /// Page from 1, where the format has pages.
    pub page: Option<i32>,
    /// Where the text starts in the parsed document, in characters.
    pub start_char: i64,
    /// Where it ends.
    pub end_char: i64,
    /// Fused score, 0..=1; 1 is first in both halves.
    pub score: f64,
    /// The parts that the score is made of.
    pub parts: ScoreParts,
}

/// Why a hit is where it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ScoreParts {
    /// Rank by vector, from 1, if it is among the best of that half.
    pub vector_rank: Option<i64>,
    /// Cosine similarity, -1..=1.
    pub vector_similarity: Option<f64>,
    /// Rank by words, from 1.
    pub text_rank: Option<i64>,
    /// BM25 score.
    pub text_score: Option<f64>,
    /// What the reranking model gave, if one was asked.
    pub rerank_score: Option<f64>,
}

/// How the candidates were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallMode {
    /// Every chunk of the store was looked at.
    Exact,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Finding the store.
    pub locate: Duration,
    /// Embedding the queries.
    pub embed: Duration,
    /// Everything in Postgres, finding the store included.
    pub database: Duration,
    /// Reranking.
    pub rerank: Duration,
}

impl Timings {
    /// The stages of a search that began at a moment of its call.
    pub fn trace(&self, trace: &mut Trace, from: Duration) {
        let embed = from + self.locate;
        let rank = embed + self.embed;
        let rerank = rank + self.database.saturating_sub(self.locate);
        for (name, from, to) in [
            ("search.locate", from, embed),
            ("search.embed", embed, rank),
            ("search.rank", rank, rerank),
            ("search.rerank", rerank, rerank + self.rerank),
        ] {
            if to > from {
                trace.stage(name, from, to);
            }
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResponse {
    /// Best first.
    pub hits: Vec<Hit>,
    /// How the candidates were found.
    pub mode: RecallMode,
    /// How many chunks were looked at.
    pub scanned: i64,
    /// How much the vector half counted for the first query, 0..=1: 0 when the model cannot read its language.
    pub vector_weight: f64,
    /// The store's embedding model.
    pub embedding_model: String,
    /// The queries that were embedded for it.
    pub reading: Reading,
    /// What reranking took.
    pub reranking: Reading,
    /// Where the time went.
    pub timings: Timings,
}

/// The embedding model of a store, for what a search may cost. A store that cannot be searched has none: the search itself
/// will say why.
///
/// # Errors
/// When the database is away.
pub async fn embedding_model(
    services: &Services,
    cx: &TenantContext,
    id: VectorStoreId,
) -> Result<Option<String>> {
    let mut tx = services.db.tenant(cx).await?;
    let located = match vector_store::locate(&mut tx, id).await {
        Ok(located) => Some(located.embedding_model),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    tx.commit().await?;
    Ok(located)
}

/// A file of a store, as whoever may search it may read it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadableFile {
    /// Its name.
    pub filename: String,
    /// Its values in the store.
    pub attributes: Attributes,
    /// Its passages in reading order.
    pub passages: Vec<String>,
}

/// Reads a file of a vector store, within the bounds of the caller: what a search would not find cannot be read either.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or file, or one outside the bounds.
pub async fn read(
    services: &Services,
    cx: &TenantContext,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<ReadableFile> {
    narrow::check_store(cx, store_id)?;
    let filter = narrow::filters(cx, None)?;
    let mut tx = services.db.tenant(cx).await?;
    let found = store::find_file(&mut tx, store_id, file_id, filter.as_ref()).await?;
    let (filename, attributes) =
        found.ok_or_else(|| Error::not_found("file in this vector store", file_id))?;
    let passages = vector_store::file::content(&mut tx, store_id, file_id).await?;
    tx.commit().await?;
    Ok(ReadableFile {
        filename,
        attributes,
        passages,
    })
}

/// The stores that the caller may search, newest first, `most` at the most.
///
/// # Errors
/// When the database is away.
pub async fn stores(services: &Services, cx: &TenantContext, most: i64) -> Result<Vec<VectorStoreId>> {
    let mut tx = services.db.tenant(cx).await?;
    let mut page = Page::first(100);
    let mut stores = Vec::new();
    loop {
        let listing = vector_store::list(&mut tx, page).await?;
        page.after = listing.data.last().map(|store| store.id.uuid());
        let open = listing
            .data
            .iter()
            .filter(|store| !store.expired && narrow::check_store(cx, store.id).is_ok());
        stores.extend(open.map(|store| store.id));
        let enough = stores.len() as i64 >= most;
        if enough || !listing.has_more {
            break;
        }
    }
    tx.commit().await?;
    stores.truncate(usize::try_from(most).unwrap_or(0));
    Ok(stores)
}

/// Searches a vector store, within the bounds of the caller.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store, or one outside the bounds; [`Error::Invalid`] for values out of range, a query longer than the model's
/// window, or an expired store.
pub async fn search(
    services: &Services,
    cx: &TenantContext,
    request: SearchRequest,
) -> Result<SearchResponse> {
    request.check()?;
    narrow::check_store(cx, request.vector_store_id)?;
    let filter = narrow::filters(cx, request.filter.as_ref())?;
    let mut timings = Timings::default();

    let started = Instant::now();
    let mut tx = services.db.tenant(cx).await?;
    let located = vector_store::locate(&mut tx, request.vector_store_id).await?;
    tx.commit().await?;
    timings.locate = started.elapsed();
    timings.database += timings.locate;
    if located.expired {
        return Err(vector_store::expired());
    }
    let ranker = match &request.ranker {
        Some(name) => Some(find_ranker(services, cx, name).await?),
        None => None,
    };
    let embedder = tenant::embedder_of(services, cx, &located.embedding_model).await?;
    let card = embedder.card();

    let weights: Vec<f64> = request
        .queries
        .iter()
        .map(|query| language::vector_weight(query, &card.languages))
        .collect();
    let started = Instant::now();
    let (vectors, reading) =
        embed_queries(services, cx, embedder.as_ref(), &request.queries, &weights).await?;
    timings.embed = started.elapsed();

    // A model that has the last word is shown the best of all.
    let wanted = match &request.ranker {
        Some(_) => SearchRequest {
            max_results: DEPTH,
            score_threshold: 0.0,
            ..request.clone()
        },
        None => request.clone(),
    };
    let vectors: Vec<Option<Halfvec>> = vectors
        .iter()
        .map(|vector| vector.as_deref().map(Halfvec::new))
        .collect();
    let started = Instant::now();
    let mut tx = services.db.tenant(cx).await?;
    let mut hits = Vec::new();
    for _ in 0..LOOKS {
        let halves = weights.iter().copied().zip(&vectors);
        let ranked = rank(&mut tx, &wanted, &located, card, halves, filter.as_ref()).await?;
        hits = store::fetch(&mut tx, &ranked).await?;
        // A file whose passages were replaced between the two statements: the new ones are there by now.
        if hits.len() == ranked.len() {
            break;
        }
    }
    store::note_use(&mut tx, request.vector_store_id).await?;
    tx.commit().await?;
    timings.database += started.elapsed();

    let started = Instant::now();
    let mut reranking = Reading::default();
    if let Some(ranker) = &ranker {
        reranking = rerank(services, cx, ranker, &request, &mut hits).await?;
        timings.rerank = started.elapsed();
    }
    // What was found is not lost because it cannot be noted.
    if let Ok(settings) = services.policies.of(&services.db, cx).await {
        let searched = Searched {
            vector_store_id: request.vector_store_id,
            query: request.queries.into_iter().next(),
            hits: hits.len(),
            top_score: hits.first().map(|hit| hit.score),
        };
        services.searches.record(cx, &settings, searched);
    }
    Ok(SearchResponse {
        hits,
        reranking,
        mode: RecallMode::Exact,
        scanned: located.chunk_count,
        vector_weight: weights.first().copied().unwrap_or(1.0),
        embedding_model: located.embedding_model,
        reading,
        timings,
    })
}

async fn find_ranker(services: &Services, cx: &TenantContext, name: &str) -> Result<Ranker> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Ranker::find(services, cx, name).await.map_err(|error| match error {
        Error::NotFound { .. } => Error::invalid(
            "ranking_options.ranker",
            format!("Invalid value for 'ranking_options.ranker': there is no ranker or rerank model '{shown}'."),
        ),
        error => error,
    })
}

/// Orders hits anew, by what a model makes of them and the first query, and keeps the best. What that took.
async fn rerank(
    services: &Services,
    cx: &TenantContext,
    ranker: &Ranker,
    request: &SearchRequest,
    hits: &mut Vec<Hit>,
) -> Result<Reading> {
    let texts = hits.iter().map(|hit| hit.content.clone()).collect();
    let query = request.queries.first().map_or("", String::as_str);
    let (scores, reading) = ranker.score(services, cx, query, texts).await?;
    for (hit, score) in hits.iter_mut().zip(scores) {
        hit.score = score.clamp(0.0, 1.0);
        hit.parts.rerank_score = Some(score);
    }
    hits.retain(|hit| hit.score >= request.score_threshold);
    // Stable: those that the model cannot tell apart stay as they were found.
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    hits.truncate(usize::try_from(request.max_results).unwrap_or(0));
    Ok(reading)
}

/// The best chunks for all queries together, each with its best score.
async fn rank(
    tx: &mut insula_tenancy::TenantTx,
    request: &SearchRequest,
    located: &vector_store::Located,
    card: &EmbedderCard,
    halves: impl Iterator<Item = (f64, &Option<Halfvec>)>,
    filter: Option<&filter::CompiledFilter>,
) -> Result<Vec<store::Candidate>> {
    let mut best: BTreeMap<ChunkId, store::Candidate> = BTreeMap::new();
    for (query, (vector_weight, vector)) in request.queries.iter().zip(halves) {
        let half = store::Halves {
            vector: vector.clone(),
            vector_weight,
            terms: query_terms(tx, request, query, located.chunk_count).await?,
            oversample: card.oversample,
            depth: DEPTH.max(request.max_results),
            rrf_k: RRF_K,
        };
        let found = store::rank(
            tx,
            request.vector_store_id,
            located.embedding_model_id,
            card.dimensions,
            &half,
            filter,
            request.max_results,
        )
        .await?;
        for candidate in found {
            let entry = best
                .entry(candidate.chunk_id)
                .or_insert_with(|| candidate.clone());
            if candidate.score > entry.score {
                *entry = candidate;
            }
        }
    }
    let mut ranked: Vec<store::Candidate> = best.into_values().collect();
    ranked.retain(|candidate| candidate.score >= request.score_threshold);
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk_id.cmp(&b.chunk_id)));
    ranked.truncate(usize::try_from(request.max_results).unwrap_or(0));
    Ok(ranked)
}

/// Vectors of the queries whose language the model can read, and what this took; nothing is computed for the
/// others, nor for what was asked before.
async fn embed_queries(
    services: &Services,
    cx: &TenantContext,
    embedder: &dyn crate::model::Embedder,
    queries: &[String],
    weights: &[f64],
) -> Result<(Vec<Option<Vec<f32>>>, Reading)> {
    let (cache, model) = (&services.query_embeddings, &embedder.card().id);
    let readable = |weight: &f64| *weight > 0.0;
    let mut vectors: Vec<Option<Vec<f32>>> = queries
        .iter()
        .zip(weights)
        .map(|(query, weight)| {
            let known = readable(weight).then(|| cache.find(cx, model, query));
            known.flatten().map(|vector| vector.to_vec())
        })
        .collect();
    let lacking: Vec<usize> = (0..queries.len())
        .filter(|n| vectors[*n].is_none() && readable(&weights[*n]))
        .collect();
    if lacking.is_empty() {
        return Ok((vectors, Reading::default()));
    }
    let texts = lacking.iter().map(|n| queries[*n].clone()).collect();
    let embedded = embedder
        .embed(texts, EmbedPurpose::Interactive)
        .await
        .map_err(|error| match error {
            Error::Invalid { message, code, .. } => Error::Invalid {
                message,
                code,
                param: Some("query".into()),
            },
            other => other,
        })?;
    let reading = Reading::of(&embedded);
    for (n, vector) in lacking.into_iter().zip(embedded.vectors) {
        cache.keep(cx, model, &queries[n], &vector);
        vectors[n] = Some(vector);
    }
    Ok((vectors, reading))
}

/// The query side of BM25: each of its terms that the store has, with its IDF there.
async fn query_terms(
    tx: &mut insula_tenancy::TenantTx,
    request: &SearchRequest,
    query: &str,
    chunk_count: i64,
) -> Result<Sparsevec> {
    let terms = QueryTerms::new(query, &[]).terms;
    let frequencies = store::document_frequencies(tx, request.vector_store_id, &terms).await?;
    let weighed = frequencies
        .into_iter()
        .map(|(term, df)| (term, idf(chunk_count, i64::from(df))));
    Ok(Sparsevec::new(weighed.collect()))
}
