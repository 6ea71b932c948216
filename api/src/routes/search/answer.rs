//! What clients read when they have searched.

use insula_core::search::{Hit, Neighbour, RecallMode, SearchResponse, SearchedStore};
use insula_core::vector_store::Attributes;
use serde::Serialize;
use utoipa::ToSchema;

use super::page;
use crate::routes::vector_store_files::TextContent;

/// What was found, best first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreSearchResultsPage)]
pub struct SearchPage {
    /// `vector_store.search_results.page`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The queries that were searched for: those of the request, then those that they were rewritten to.
    pub search_query: Vec<String>,
    /// The passages.
    pub data: Vec<SearchResult>,
    /// Whether there are more results.
    pub has_more: bool,
    /// What `page` takes to go on; null at the end. At most 250 results can be paged through.
    #[schema(required)]
    pub next_page: Option<String>,
    /// How candidates were found.
    pub recall: Recall,
    /// How the search was made, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explanation>,
}

/// A passage that answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreSearchResultItem)]
pub struct SearchResult {
    /// Its file.
    pub file_id: String,
    /// The file's name.
    pub filename: String,
    /// The chance that the passage answers, 0 to 1, as it was measured on public sets.
    pub score: f64,
    /// The file's attributes.
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// The text.
    pub content: Vec<TextContent>,
    /// The passage's own id.
    pub chunk_id: String,
    /// The store that it was found in.
    pub vector_store_id: String,
    /// Titles above the passage, outermost first.
    pub heading_path: Vec<String>,
    /// Page from 1, where the format has pages.
    #[schema(required)]
    pub page: Option<i32>,
    /// Where the passage starts in the parsed text, in characters.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// What the score is made of.
    pub score_parts: ScoreParts,
    /// The passages beside it in its file; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbors: Option<Neighbors>,
    /// Where the words of the queries are in the text; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlights: Option<Vec<Highlight>>,
}

/// The passages beside a result, in reading order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Neighbors {
    /// Those before it.
    pub before: Vec<NeighborPassage>,
    /// Those after it.
    pub after: Vec<NeighborPassage>,
}

/// A passage beside a result.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeighborPassage {
    /// Its id.
    pub chunk_id: String,
    /// The text.
    pub text: String,
}

/// A part of a result's text that has a word of a query, in whatever form.
#[derive(Debug, Serialize, ToSchema)]
pub struct Highlight {
    /// Where it starts in the text of the result, in characters.
    pub start: usize,
    /// Where it ends: the character behind it.
    pub end: usize,
    /// What stands there.
    pub text: String,
}

/// What a score is made of. Null where that half was not asked, a rank also where the passage is not among the best of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreParts {
    /// Rank by meaning in its store, from 1.
    #[schema(required)]
    pub vector_rank: Option<i64>,
    /// Cosine similarity, -1 to 1.
    #[schema(required)]
    pub vector_similarity: Option<f64>,
    /// Rank by words in its store, from 1.
    #[schema(required)]
    pub text_rank: Option<i64>,
    /// BM25 score.
    #[schema(required)]
    pub text_score: Option<f64>,
    /// What the model of `ranking_options.ranker` gave; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_score: Option<f64>,
    /// What `recency` multiplied the score with; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recency: Option<f64>,
}

/// How candidates were found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchRecall)]
pub struct Recall {
    /// `exact`: every passage of the stores was looked at.
    #[schema(value_type = String)]
    pub mode: &'static str,
    /// How many passages were looked at.
    pub scanned: i64,
    /// How far the first store's embedding model can be trusted with the first query, 0 to 1: 0 when it cannot read its language.
    pub vector_weight: f64,
}

/// How a search was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchExplanation)]
pub struct Explanation {
    /// The stores.
    pub stores: Vec<StoreExplanation>,
    /// How many passages were in question after the halves were joined.
    pub candidates: usize,
    /// Milliseconds per stage.
    pub timings_ms: StageTimes,
}

/// How a store was searched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchStoreExplanation)]
pub struct StoreExplanation {
    /// The store.
    pub vector_store_id: String,
    /// `exact`: every passage was looked at.
    #[schema(value_type = String)]
    pub mode: &'static str,
    /// Whether its vectors were at hand in the server's memory.
    pub accelerated: bool,
    /// How many passages were looked at.
    pub scanned: i64,
    /// Its embedding model.
    pub embedding_model: String,
    /// Of each query of `search_query`, then of `recommend`: how much was looked for by meaning, 0 to 1; the rest by words.
    pub vector_shares: Vec<f64>,
}

/// Milliseconds per stage of a search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchStageTimes)]
pub struct StageTimes {
    /// Embedding the queries.
    pub embed: f64,
    /// Looking through vectors in memory.
    pub scan: f64,
    /// In Postgres.
    pub database: f64,
    /// In the model of `ranking_options.ranker`.
    pub rerank: f64,
}

impl SearchPage {
    pub(super) fn new(search_query: Vec<String>, next: i64, asked: Asked, response: SearchResponse) -> Self {
        let explain = asked.explain.then(|| Explanation::new(&response));
        let recall = Recall {
            mode: mode(
                response
                    .stores
                    .first()
                    .map_or(RecallMode::Exact, |store| store.mode),
            ),
            scanned: response.scanned(),
            vector_weight: response.vector_weight(),
        };
        let result = |hit| SearchResult::new(hit, asked);
        Self {
            object: "vector_store.search_results.page",
            search_query,
            data: response.hits.into_iter().map(result).collect(),
            has_more: response.has_more,
            next_page: response.has_more.then(|| page::write(next)),
            recall,
            explain,
        }
    }
}

/// Which of the optional parts were asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) neighbors: bool,
    pub(super) highlights: bool,
    pub(super) explain: bool,
}

impl SearchResult {
    fn new(hit: Hit, asked: Asked) -> Self {
        let neighbors = asked.neighbors.then(|| Neighbors {
            before: hit.before.into_iter().map(NeighborPassage::from).collect(),
            after: hit.after.into_iter().map(NeighborPassage::from).collect(),
        });
        let highlight = |span: &insula_core::text::highlight::Span| Highlight {
            start: span.start,
            end: span.end,
            text: hit
                .content
                .chars()
                .skip(span.start)
                .take(span.end - span.start)
                .collect(),
        };
        let highlights = asked
            .highlights
            .then(|| hit.highlights.iter().map(highlight).collect());
        Self {
            file_id: hit.file_id.to_string(),
            filename: hit.filename,
            score: hit.score,
            attributes: hit.attributes,
            content: vec![hit.content.into()],
            chunk_id: hit.chunk_id.to_string(),
            vector_store_id: hit.vector_store_id.to_string(),
            heading_path: hit.heading_path,
            page: hit.page,
            start: hit.start_char,
            end: hit.end_char,
            score_parts: ScoreParts {
                vector_rank: hit.parts.vector_rank,
                vector_similarity: hit.parts.vector_similarity,
                text_rank: hit.parts.text_rank,
                text_score: hit.parts.text_score,
                rerank_score: hit.parts.rerank_score,
                recency: hit.parts.recency,
            },
            neighbors,
            highlights,
        }
    }
}

impl From<Neighbour> for NeighborPassage {
    fn from(neighbour: Neighbour) -> Self {
        Self {
            chunk_id: neighbour.chunk_id.to_string(),
            text: neighbour.content,
        }
    }
}

impl Explanation {
    fn new(response: &SearchResponse) -> Self {
        let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
        Self {
            stores: response.stores.iter().map(StoreExplanation::from).collect(),
            candidates: response.candidates,
            timings_ms: StageTimes {
                embed: ms(response.timings.embed),
                scan: ms(response.timings.scan),
                database: ms(response.timings.database),
                rerank: ms(response.timings.rerank),
            },
        }
    }
}

impl From<&SearchedStore> for StoreExplanation {
    fn from(store: &SearchedStore) -> Self {
        Self {
            vector_store_id: store.id.to_string(),
            mode: mode(store.mode),
            accelerated: store.accelerated,
            scanned: store.scanned,
            embedding_model: store.embedding_model.clone(),
            vector_shares: store.vector_shares.clone(),
        }
    }
}

fn mode(mode: RecallMode) -> &'static str {
    match mode {
        RecallMode::Exact => "exact",
    }
}
