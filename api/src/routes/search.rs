//! `POST /v1/vector_stores/{vector_store_id}/search`

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use insula_core::search::{self, Hit, RecallMode, SearchRequest, SearchResponse, Timings};
use insula_core::vector_store::Attributes;
use insula_core::{Error, Services, metering};
use insula_tenancy::meter::Standings;
use insula_tenancy::scope_types::VectorStoresRead;
use insula_tenancy::usage::{Endpoint, UsedChunk};
use insula_tenancy::{TenantContext, VectorStoreId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::filter::FilterParam;
use super::vector_store_files::TextContent;
use super::wire::OneOrMany;
use crate::app::App;
use crate::http::limits::Limited;
use crate::http::{AnyCaller, ApiResult, Json, Path, RequestId};

/// The model of searches on the ledger, and for limits: which one embeds is the store's affair.
const METERED_AS: &str = "search";

/// What to look for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VectorStoreSearchRequest)]
pub struct CreateSearch {
    /// A question, or several phrasings of it.
    pub query: OneOrMany,
    /// How many results at most.
    #[schema(minimum = 1, maximum = 50, default = 10)]
    pub max_num_results: Option<u32>,
    /// Only files whose attributes match.
    pub filters: Option<FilterParam>,
    /// How results are ranked.
    pub ranking_options: Option<RankingOptions>,
}

/// How results are ranked.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RankingOptions {
    /// A model that ranks (see `/v1/rerank`): it has the last word on the best 50 passages, by the first query. `none`, `auto` and
    /// `default-2024-11-15` mean this server's own ranking.
    pub ranker: Option<String>,
    /// Results below this score are left out.
    #[schema(minimum = 0, maximum = 1)]
    pub score_threshold: Option<f64>,
}

/// Names that mean this server's own ranking.
const OWN_RANKING: [&str; 3] = ["none", "auto", "default-2024-11-15"];

/// What was found, best first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreSearchResultsPage)]
pub struct SearchPage {
    /// `vector_store.search_results.page`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The queries that were searched for.
    pub search_query: Vec<String>,
    /// The passages.
    pub data: Vec<SearchResult>,
    /// Always false: results come in one page.
    pub has_more: bool,
    /// Always null.
    #[schema(required)]
    pub next_page: Option<String>,
    /// How candidates were found.
    pub recall: Recall,
}

/// A passage that answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreSearchResultItem)]
pub struct SearchResult {
    /// Its file.
    pub file_id: String,
    /// The file's name.
    pub filename: String,
    /// 0 to 1; 1 is first by meaning and by words.
    pub score: f64,
    /// The file's attributes.
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// The text.
    pub content: Vec<TextContent>,
    /// The passage's own id.
    pub chunk_id: String,
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
}

/// What a score is made of. Null where the passage is not among the best of that half.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreParts {
    /// Rank by meaning, from 1.
    #[schema(required)]
    pub vector_rank: Option<i64>,
    /// Cosine similarity, -1 to 1.
    #[schema(required)]
    pub vector_similarity: Option<f64>,
    /// Rank by words, from 1.
    #[schema(required)]
    pub text_rank: Option<i64>,
    /// BM25 score.
    #[schema(required)]
    pub text_score: Option<f64>,
    /// What the model of `ranking_options.ranker` gave; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_score: Option<f64>,
}

/// How candidates were found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchRecall)]
pub struct Recall {
    /// `exact`: every passage of the store was looked at.
    #[schema(value_type = String)]
    pub mode: &'static str,
    /// How many passages were looked at.
    pub scanned: i64,
    /// How much meaning counted against words, 0 to 1: 0 when the model cannot read the query's language.
    pub vector_weight: f64,
}

impl From<Hit> for SearchResult {
    fn from(hit: Hit) -> Self {
        Self {
            file_id: hit.file_id.to_string(),
            filename: hit.filename,
            score: hit.score,
            attributes: hit.attributes,
            content: vec![hit.content.into()],
            chunk_id: hit.chunk_id.to_string(),
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
            },
        }
    }
}

impl SearchPage {
    fn new(search_query: Vec<String>, response: SearchResponse) -> Self {
        Self {
            object: "vector_store.search_results.page",
            search_query,
            data: response.hits.into_iter().map(SearchResult::from).collect(),
            has_more: false,
            next_page: None,
            recall: Recall {
                mode: match response.mode {
                    RecallMode::Exact => "exact",
                },
                scanned: response.scanned,
                vector_weight: response.vector_weight,
            },
        }
    }
}

/// Searches a vector store by meaning and by words.
#[utoipa::path(
    post, path = "/v1/vector_stores/{vector_store_id}/search", operation_id = "search_vector_store",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "The store's id")),
    request_body = CreateSearch, responses((status = OK, body = SearchPage))
)]
pub async fn search_vector_store(
    caller: AnyCaller<VectorStoresRead>,
    request_id: RequestId,
    State(app): State<App>,
    Path(vector_store_id): Path<VectorStoreId>,
    Json(request): Json<CreateSearch>,
) -> ApiResult<impl IntoResponse> {
    let queries = request.query.into_vec();
    let (ranker, score_threshold) = match request.ranking_options {
        Some(options) => (options.ranker, options.score_threshold),
        None => (None, None),
    };
    let ranker = foreign_ranker(ranker);
    let search = SearchRequest {
        vector_store_id,
        queries: queries.clone(),
        max_results: request.max_num_results.map_or(10, i64::from),
        filter: request.filters.map(|filter| filter.read("filters")).transpose()?,
        score_threshold: score_threshold.unwrap_or(0.0),
        ranker,
    };
    let (response, standings) = metered(&app.services, &caller, request_id.uuid(), search).await?;
    let timing = AppendHeaders([("server-timing", server_timing(response.timings))]);
    Ok(Limited(
        standings,
        (timing, Json(SearchPage::new(queries, response))),
    ))
}

/// The model that has the last word, unless the ranking is this server's own.
pub(super) fn foreign_ranker(ranker: Option<String>) -> Option<String> {
    ranker.filter(|name| !OWN_RANKING.contains(&name.as_str()))
}

/// Searches, under the caller's limits and on its ledger: `id` is the event's.
pub(super) async fn metered(
    services: &Services,
    caller: &TenantContext,
    id: Uuid,
    search: SearchRequest,
) -> Result<(SearchResponse, Standings), Error> {
    let call = metering::Request {
        id,
        end_user: None,
        endpoint: Endpoint::Search,
        streamed: false,
    };
    let mut entered = metering::enter(services, caller, &call, METERED_AS).await?;
    let bytes = search.queries.iter().map(String::len).sum();
    // Which model embeds is the store's affair, and not worth a look where all are free.
    let model = match services.routes.table().sells_embeddings() {
        true => search::embedding_model(services, caller, search.vector_store_id).await?,
        false => None,
    };
    let model = model.as_deref().unwrap_or(METERED_AS);
    let mut metered = metering::begin_reading(services, &mut entered, model, bytes).await?;
    let standings = metered.standings();
    let ranker = search.ranker.clone();
    let began = metered.elapsed();
    match search::search(services, caller, search).await {
        Ok(response) => {
            if let Some(trace) = metered.trace() {
                response.timings.trace(trace, began);
                trace.chunks(response.hits.iter().map(UsedChunk::from));
            }
            metering::settle_reading(metered, &response.reading);
            if let Some(ranker) = &ranker {
                metering::record_reading(services, caller, ranker, &response.reranking).await?;
            }
            Ok((response, standings))
        }
        Err(error) => {
            metering::fail(metered, &error, 0);
            Err(error)
        }
    }
}

/// `Server-Timing`, in milliseconds per stage.
fn server_timing(timings: Timings) -> String {
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let mut text = format!(
        "embed;dur={:.1}, db;dur={:.1}",
        ms(timings.embed),
        ms(timings.database)
    );
    if !timings.rerank.is_zero() {
        text += &format!(", rerank;dur={:.1}", ms(timings.rerank));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn requests_are_read() {
        let read =
            |body: serde_json::Value| crate::http::parse_json::<CreateSearch>(body.to_string().as_bytes());
        let request = read(json!({
            "query": ["a", "b"], "rewrite_query": true,
            "ranking_options": {"ranker": "default-2024-11-15", "score_threshold": 0.5, "hybrid_search": {}},
        }));
        assert_eq!(request.unwrap().query.into_vec(), ["a", "b"]);
        for (bad, wanted) in [
            (json!({}), "query"),
            (json!({"query": 1}), "query"),
            (json!({"query": "a", "max_num_results": -1}), "max_num_results"),
            (
                json!({"query": "a", "ranking_options": {"ranker": 1}}),
                "ranking_options.ranker",
            ),
        ] {
            match read(bad.clone()).unwrap_err() {
                insula_core::Error::Invalid { param, .. } => {
                    assert_eq!(param.as_deref(), Some(wanted), "{bad}")
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn stages_are_reported_in_milliseconds() {
        let timings = Timings {
            embed: Duration::from_micros(2540),
            database: Duration::from_millis(3),
            ..Timings::default()
        };
        assert_eq!(server_timing(timings), "embed;dur=2.5, db;dur=3.0");
    }
}
