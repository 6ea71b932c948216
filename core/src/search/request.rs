//! What can be asked of a search.

use insula_tenancy::{ChunkId, VectorStoreId};

use super::Filter;
use super::blend::Weights;
use crate::{Error, Result};

/// Most queries of one search.
pub(super) const MOST_QUERIES: usize = 16;
/// Most stores of one search.
const MOST_STORES: usize = 16;
/// Most examples, liked or disliked.
const MOST_EXAMPLES: usize = 32;
/// Most results of one page.
pub(super) const MOST_RESULTS: i64 = 50;
/// How far results can be paged through.
pub(super) const REACH: i64 = 250;

/// What to look for.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Where: at least one store, none twice.
    pub vector_store_ids: Vec<VectorStoreId>,
    /// Whether a request's field lists them, which errors then name.
    pub is_list: bool,
    /// One or several phrasings; a chunk counts with its best score. None is blank; there is at least one, or an example.
    pub queries: Vec<String>,
    /// Passages that the results are to be like, or unlike.
    pub recommend: Option<Examples>,
    /// 1..=50.
    pub max_results: i64,
    /// How many results were given out before: those of earlier pages.
    pub offset: i64,
    /// Which files may answer.
    pub filter: Option<Filter>,
    /// Hits below this score are left out, 0..=1.
    pub score_threshold: f64,
    /// How much either half counts; by the language of the query if it is not said.
    pub weights: Option<Weights>,
    /// The model that has the last word on the order, if one has.
    pub ranker: Option<String>,
    /// What else decides the order.
    pub arrangement: Arrangement,
    /// What is told of each hit besides.
    pub detail: Detail,
}

/// Passages to recommend by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// Results are to be like these. At least one.
    pub positive: Vec<ChunkId>,
    /// And unlike these.
    pub negative: Vec<ChunkId>,
}

/// What decides the order besides how well passages answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrangement {
    /// 0: the best first, whatever they have in common; up to 1: what is unlike all before it (maximal marginal relevance).
    pub diversity: f64,
    /// Newer files count more.
    pub recency: Option<Recency>,
    /// Passages of one file stand together, so many of them at most.
    pub per_file: Option<i64>,
}

impl Arrangement {
    /// Whether what is first may change by it.
    pub(super) fn is_any(&self) -> bool {
        self.diversity > 0.0 || self.recency.is_some() || self.per_file.is_some()
    }
}

/// How age counts: the part of the score that is for being new halves with every half-life.
#[derive(Debug, Clone, PartialEq)]
pub struct Recency {
    /// Days in which the value of being new halves, more than 0.
    pub half_life_days: f64,
    /// The part of the score that is for being new, 0..=1.
    pub weight: f64,
    /// The attribute that has the file's date, in seconds since 1970. A file without it is as old as its upload, as all are
    /// without an attribute.
    pub attribute: Option<String>,
}

impl Recency {
    /// What remains of a score at that age.
    pub(super) fn factor(&self, age_days: f64) -> f64 {
        1.0 - self.weight + self.weight * (-age_days.max(0.0) / self.half_life_days).exp2()
    }
}

/// What is told of each hit besides what it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// Passages before and after it in its file, on each side, 0..=5.
    pub neighbours: i64,
    /// Where the words of the query are in it.
    pub highlights: bool,
}

impl SearchRequest {
    /// A search for one query with the defaults of the contract.
    pub fn new(vector_store_id: VectorStoreId, query: impl Into<String>) -> Self {
        Self {
            vector_store_ids: vec![vector_store_id],
            is_list: false,
            queries: vec![query.into()],
            recommend: None,
            max_results: 10,
            offset: 0,
            filter: None,
            score_threshold: 0.0,
            weights: None,
            ranker: None,
            arrangement: Arrangement::default(),
            detail: Detail::default(),
        }
    }

    /// How many examples it names.
    pub(super) fn examples(&self) -> i64 {
        let count = |examples: &Examples| examples.positive.len() + examples.negative.len();
        i64::try_from(self.recommend.as_ref().map_or(0, count)).unwrap_or(0)
    }

    /// An error about the store at this place of the list.
    pub(super) fn about_store(&self, place: usize, error: Error) -> Error {
        match error {
            error @ (Error::NotFound { .. } | Error::Invalid { .. }) if self.is_list => {
                error.about(format!("vector_store_ids[{place}]"))
            }
            error => error,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.vector_store_ids.is_empty() || self.vector_store_ids.len() > MOST_STORES {
            let message = format!("Name 1 to {MOST_STORES} vector stores.");
            return Err(Error::invalid("vector_store_ids", message));
        }
        for (place, id) in self.vector_store_ids.iter().enumerate() {
            if self.vector_store_ids[..place].contains(id) {
                let message = "Each vector store can be named once.";
                return Err(Error::invalid(format!("vector_store_ids[{place}]"), message));
            }
        }
        self.check_queries()?;
        if !(1..=MOST_RESULTS).contains(&self.max_results) {
            let message = format!("Must be between 1 and {MOST_RESULTS}.");
            return Err(Error::invalid("max_num_results", message));
        }
        if !(0..REACH).contains(&self.offset) {
            return Err(Error::invalid("page", "This is not the 'next_page' of a search."));
        }
        fraction("ranking_options.score_threshold", self.score_threshold)?;
        if let Some(weights) = &self.weights {
            weights.check()?;
        }
        self.arrangement.check()?;
        if !(0..=5).contains(&self.detail.neighbours) {
            return Err(Error::invalid("neighbors", "Must be between 0 and 5."));
        }
        Ok(())
    }

    fn check_queries(&self) -> Result<()> {
        let blank = self.queries.iter().any(|query| query.trim().is_empty());
        if blank || (self.queries.is_empty() && self.recommend.is_none()) {
            return Err(Error::invalid("query", "The query must not be empty."));
        }
        if self.queries.len() > MOST_QUERIES {
            let message = format!("At most {MOST_QUERIES} queries can be asked at once.");
            return Err(Error::invalid("query", message));
        }
        if let Some(examples) = &self.recommend {
            let (positive, negative) = (examples.positive.len(), examples.negative.len());
            if positive == 0 {
                return Err(Error::invalid(
                    "recommend.positive",
                    "Name at least one passage that the results are to be like.",
                ));
            }
            for (name, count) in [("positive", positive), ("negative", negative)] {
                if count > MOST_EXAMPLES {
                    let message = format!("At most {MOST_EXAMPLES} passages can be named.");
                    return Err(Error::invalid(format!("recommend.{name}"), message));
                }
            }
        }
        if self.queries.is_empty() && self.ranker.is_some() {
            let message = "A ranker judges by the query, and there is none.";
            return Err(Error::invalid("ranking_options.ranker", message));
        }
        Ok(())
    }
}

impl Arrangement {
    fn check(&self) -> Result<()> {
        fraction("diversity", self.diversity)?;
        if let Some(recency) = &self.recency {
            if !(recency.half_life_days > 0.0 && recency.half_life_days <= 36_500.0) {
                let message = "Must be more than 0 and at most 36500 days.";
                return Err(Error::invalid("recency.half_life_days", message));
            }
            fraction("recency.weight", recency.weight)?;
            if let Some(key) = &recency.attribute
                && (key.is_empty() || key.chars().count() > 64)
            {
                return Err(Error::invalid(
                    "recency.attribute",
                    "Keys have 1 to 64 characters.",
                ));
            }
        }
        match self.per_file {
            Some(count) if !(1..=MOST_RESULTS).contains(&count) => {
                let message = format!("Must be between 1 and {MOST_RESULTS}.");
                Err(Error::invalid("group_size", message))
            }
            _ => Ok(()),
        }
    }
}

fn fraction(param: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::invalid(param, "Must be between 0 and 1."))
    }
}
