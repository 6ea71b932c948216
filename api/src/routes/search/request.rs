//! What clients write when they search.

use insula_core::Error;
use insula_core::search::{Arrangement, Detail, Examples, Recency, SearchRequest, Weights};
use insula_tenancy::VectorStoreId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::page;
use crate::routes::filter::FilterParam;
use crate::routes::ids::body_ids;
use crate::routes::wire::OneOrMany;

/// Names that mean this server's own ranking.
const OWN_RANKING: [&str; 3] = ["none", "auto", "default-2024-11-15"];

/// Declares a request with the fields that all searches have. (`serde(flatten)` would share them too, and lose the paths in
/// errors.)
macro_rules! search_request {
    ($(#[$meta:meta])* $request:ident { $($(#[$of_field:meta])* $field:ident: $kind:ty,)* }) => {
        #[derive(Debug, Deserialize, ToSchema)]
        $(#[$meta])*
        pub struct $request {
            $($(#[$of_field])* pub $field: $kind,)*
            /// A question, or several phrasings of it: a passage counts with its best score. Null beside `recommend`, if there is
            /// none.
            #[schema(required)]
            pub query: Option<OneOrMany>,
            /// Passages that the results are to be like, or unlike, besides or instead of a query.
            pub recommend: Option<Recommend>,
            /// Has a chat model put the first query into other words, which are looked for besides; `search_query` shows them. Needs the
            /// scope `chat.write`.
            #[schema(default = false)]
            pub rewrite_query: Option<bool>,
            /// The model that rewrites. Absent: the first of your routes that has a language model; without any, nothing is rewritten.
            pub rewrite_model: Option<String>,
            /// How many results at most.
            #[schema(minimum = 1, maximum = 50, default = 10)]
            pub max_num_results: Option<u32>,
            /// The `next_page` of an answer to the same search.
            pub page: Option<String>,
            /// Only files whose attributes match.
            pub filters: Option<FilterParam>,
            /// How results are ranked.
            pub ranking_options: Option<RankingOptions>,
            /// 0: the best first, whatever they have in common; up to 1: what is unlike all results before it (maximal marginal
            /// relevance).
            #[schema(minimum = 0, maximum = 1, default = 0)]
            pub diversity: Option<f64>,
            /// Newer files count more.
            pub recency: Option<RecencyParam>,
            /// `file`: results of one file stand together.
            pub group_by: Option<GroupBy>,
            /// With `group_by`: results of one file at most.
            #[schema(minimum = 1, maximum = 50, default = 1)]
            pub group_size: Option<u32>,
            /// How many passages before and after each result are told with it.
            #[schema(minimum = 0, maximum = 5, default = 0)]
            pub neighbors: Option<u32>,
            /// Tells where the words of the queries are in each result.
            #[schema(default = false)]
            pub highlights: Option<bool>,
            /// Tells how the search was made.
            #[schema(default = false)]
            pub explain: Option<bool>,
        }

        impl $request {
            /// The search in the domain's words, and what else is asked.
            pub(super) fn read(self, stores: Vec<VectorStoreId>, is_list: bool) -> Result<(SearchRequest, Extra), Error> {
                let (ranker, weights, score_threshold) = match self.ranking_options {
                    Some(options) => (options.ranker, options.hybrid_search, options.score_threshold),
                    None => (None, None, None),
                };
                let per_file = self.group_by.map(|GroupBy::File| self.group_size.map_or(1, i64::from));
                if per_file.is_none() && self.group_size.is_some() {
                    return Err(Error::invalid("group_size", "There are groups with 'group_by' only."));
                }
                let rewrite_query = self.rewrite_query.unwrap_or_default();
                if !rewrite_query && self.rewrite_model.is_some() {
                    let message = "A model is for 'rewrite_query': true.";
                    return Err(Error::invalid("rewrite_model", message));
                }
                if self.query.is_none() && self.recommend.is_none() {
                    return Err(Error::Invalid {
                        message: "Missing required parameter: 'query'.".into(),
                        param: Some("query".into()),
                        code: Some("missing_required_parameter"),
                    });
                }
                let search = SearchRequest {
                    vector_store_ids: stores,
                    is_list,
                    queries: self.query.map(OneOrMany::into_vec).unwrap_or_default(),
                    recommend: self.recommend.map(Recommend::read).transpose()?,
                    max_results: self.max_num_results.map_or(10, i64::from),
                    offset: self.page.as_deref().map_or(Ok(0), page::read)?,
                    filter: self.filters.map(|filter| filter.read("filters")).transpose()?,
                    score_threshold: score_threshold.unwrap_or(0.0),
                    weights: weights.and_then(HybridSearch::read),
                    ranker: foreign_ranker(ranker),
                    arrangement: Arrangement {
                        diversity: self.diversity.unwrap_or(0.0),
                        recency: self.recency.map(RecencyParam::read),
                        per_file,
                    },
                    detail: Detail {
                        neighbours: self.neighbors.map_or(0, i64::from),
                        highlights: self.highlights.unwrap_or_default(),
                    },
                };
                let extra = Extra {
                    rewrite_query,
                    rewrite_model: self.rewrite_model,
                    explain: self.explain.unwrap_or_default(),
                };
                Ok((search, extra))
            }
        }
    };
}

search_request! {
    /// What to look for.
    #[schema(as = VectorStoreSearchRequest)]
    CreateSearch {}
}

search_request! {
    /// What to look for, and where.
    #[schema(as = VectorStoresSearchRequest)]
    CreateStoresSearch {
        /// The stores: 1 to 16, none twice.
        vector_store_ids: Vec<String>,
    }
}

impl CreateStoresSearch {
    /// The stores that are named. One whose id is not even well formed is answered like one that does not exist.
    pub(super) fn stores(&self) -> Result<Vec<VectorStoreId>, Error> {
        body_ids("vector_store_ids", &self.vector_store_ids)
    }
}

/// What is asked of the server, and not of the search itself.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) rewrite_query: bool,
    pub(super) rewrite_model: Option<String>,
    pub(super) explain: bool,
}

/// How results are ranked.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RankingOptions {
    /// A model that ranks (see `/v1/rerank`): it has the last word on the best 50 passages, by the first query. `none`, `auto` and
    /// `default-2024-11-15` mean this server's own ranking.
    pub ranker: Option<String>,
    /// Results below this score are left out. A score is the chance that a passage answers: of those with a score of 0.7 or a
    /// little more, at least seven in ten were judged right on public sets.
    #[schema(minimum = 0, maximum = 1)]
    pub score_threshold: Option<f64>,
    /// How much meaning and words count against each other. Absent: as was tuned, by what the embedding model can read.
    pub hybrid_search: Option<HybridSearch>,
}

/// How much meaning and words count against each other.
#[derive(Debug, Deserialize, ToSchema)]
pub struct HybridSearch {
    /// Of meaning; 0: only words count. 1 beside an equal `text_weight` is the balance that was tuned.
    #[schema(minimum = 0)]
    pub embedding_weight: Option<f64>,
    /// Of words; 0: only meaning counts.
    #[schema(minimum = 0)]
    pub text_weight: Option<f64>,
}

impl HybridSearch {
    fn read(self) -> Option<Weights> {
        if self.embedding_weight.is_none() && self.text_weight.is_none() {
            return None;
        }
        Some(Weights {
            vector: self.embedding_weight.unwrap_or(1.0),
            text: self.text_weight.unwrap_or(1.0),
        })
    }
}

/// Passages to recommend by, each of one of the stores that are searched. They are no results themselves.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Recommend {
    /// Ids of passages (`chunk_id` of results) that the results are to be like: 1 to 32.
    pub positive: Vec<String>,
    /// Ids of passages that they are to be unlike.
    pub negative: Option<Vec<String>>,
}

impl Recommend {
    fn read(self) -> Result<Examples, Error> {
        Ok(Examples {
            positive: body_ids("recommend.positive", &self.positive)?,
            negative: body_ids("recommend.negative", &self.negative.unwrap_or_default())?,
        })
    }
}

/// How age counts.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RecencyParam {
    /// Days in which the value of being new halves.
    #[schema(exclusive_minimum = 0, maximum = 36500)]
    pub half_life_days: f64,
    /// The part of the score that is for being new.
    #[schema(minimum = 0, maximum = 1, default = 0.3)]
    pub weight: Option<f64>,
    /// An attribute with the file's date in seconds since 1970. A file without it is as old as its upload.
    pub attribute: Option<String>,
}

impl RecencyParam {
    fn read(self) -> Recency {
        Recency {
            half_life_days: self.half_life_days,
            weight: self.weight.unwrap_or(0.3),
            attribute: self.attribute,
        }
    }
}

/// What results are put together by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// Their file.
    File,
}

/// The model that has the last word, unless the ranking is this server's own.
pub(in crate::routes) fn foreign_ranker(ranker: Option<String>) -> Option<String> {
    ranker.filter(|name| !OWN_RANKING.contains(&name.as_str()))
}
