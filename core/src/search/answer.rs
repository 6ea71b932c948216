//! What a search comes to.

use std::time::Duration;

use insula_tenancy::usage::{Trace, UsedChunk};
use insula_tenancy::{ChunkId, FileId, VectorStoreId};

use crate::metering::Reading;
use crate::text::highlight::Span;
use crate::vector_store::Attributes;

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
    /// How old the file is.
    pub age_days: f64,
    /// Place in the file, from 0.
    pub ordinal: i32,
    /// The text.
    pub content: String,
    /// Its language, ISO 639-3, or `und`.
    pub language: String,
    /// Titles above it, outermost first.
    pub heading_path: Vec<String>,
    /// Page from 1, where the format has pages.
    pub page: Option<i32>,
    /// Where the text starts in the parsed document, in characters.
    pub start_char: i64,
    /// Where it ends.
    pub end_char: i64,
    /// How likely it answers, 0..=1: of passages with this score, about this share or more were judged right on public sets.
    pub score: f64,
    /// The parts that the score is made of.
    pub parts: ScoreParts,
    /// Passages before it in its file, in reading order, if they were asked for.
    pub before: Vec<Neighbour>,
    /// Passages after it.
    pub after: Vec<Neighbour>,
    /// Where the words of the queries are in the text, if that was asked for.
    pub highlights: Vec<Span>,
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

/// A passage beside a hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The chunk.
    pub chunk_id: ChunkId,
    /// Place in the file, from 0.
    pub ordinal: i32,
    /// The text.
    pub content: String,
}

/// Why a hit is where it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ScoreParts {
    /// Rank by vector in its store, from 1, if it is among the best of that half.
    pub vector_rank: Option<i64>,
    /// Cosine similarity, -1..=1; absent when nothing was compared.
    pub vector_similarity: Option<f64>,
    /// Rank by words in its store, from 1.
    pub text_rank: Option<i64>,
    /// BM25 score; absent when no word was looked for.
    pub text_score: Option<f64>,
    /// What the reranking model gave, if one was asked.
    pub rerank_score: Option<f64>,
    /// What age left of the score, if age counted.
    pub recency: Option<f64>,
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
    /// Finding the stores.
    pub locate: Duration,
    /// Embedding the queries.
    pub embed: Duration,
    /// Looking through vectors in memory.
    pub scan: Duration,
    /// Everything in Postgres, finding the stores included.
    pub database: Duration,
    /// Reranking.
    pub rerank: Duration,
}

impl Timings {
    /// The stages of a search that began at a moment of its call.
    pub fn trace(&self, trace: &mut Trace, from: Duration) {
        let embed = from + self.locate;
        let scan = embed + self.embed;
        let rank = scan + self.scan;
        let rerank = rank + self.database.saturating_sub(self.locate);
        for (name, from, to) in [
            ("search.locate", from, embed),
            ("search.embed", embed, scan),
            ("search.scan", scan, rank),
            ("search.rank", rank, rerank),
            ("search.rerank", rerank, rerank + self.rerank),
        ] {
            if to > from {
                trace.stage(name, from, to);
            }
        }
    }
}

/// A store that was searched.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchedStore {
    /// The store.
    pub id: VectorStoreId,
    /// How its candidates were found.
    pub mode: RecallMode,
    /// Whether the server had its vectors in memory and proposed candidates.
    pub accelerated: bool,
    /// How many chunks it has, all of which were looked at.
    pub scanned: i64,
    /// Its embedding model.
    pub embedding_model: String,
    /// What it embedded for this search; nothing for a store after another one of the same model.
    pub reading: Reading,
    /// How much each query was looked for by meaning, 0..=1; the rest is by words.
    pub vector_shares: Vec<f64>,
    /// How much the vector half could be trusted for the first query, 0..=1: 0 when the model cannot read its language.
    pub vector_weight: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResponse {
    /// Best first, unless the arrangement says otherwise.
    pub hits: Vec<Hit>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// The stores, in the order of the request.
    pub stores: Vec<SearchedStore>,
    /// How many passages were in question in the end.
    pub candidates: usize,
    /// What reranking took.
    pub reranking: Reading,
    /// Where the time went.
    pub timings: Timings,
}

impl SearchResponse {
    /// How many chunks were looked at.
    pub fn scanned(&self) -> i64 {
        self.stores.iter().map(|store| store.scanned).sum()
    }

    /// How much the vector half could be trusted for the first query, in the first store.
    pub fn vector_weight(&self) -> f64 {
        self.stores.first().map_or(1.0, |store| store.vector_weight)
    }
}
