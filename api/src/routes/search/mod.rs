//! `POST /v1/vector_stores/{vector_store_id}/search`, and `POST /v1/insula/search` for several stores at once.

pub mod answer;
pub mod index;
mod page;
pub mod request;

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use insula_core::search::{self, SearchRequest, SearchResponse, Timings};
use insula_core::{Error, Services, metering};
use insula_tenancy::meter::Standings;
use insula_tenancy::scope_types::VectorStoresRead;
use insula_tenancy::usage::{Endpoint, UsedChunk};
use insula_tenancy::{TenantContext, VectorStoreId};
use uuid::Uuid;

use self::answer::{Asked, SearchPage};
pub(in crate::routes) use self::request::foreign_ranker;
use self::request::{CreateSearch, CreateStoresSearch, Extra};
use crate::app::App;
use crate::http::limits::Limited;
use crate::http::{AnyCaller, ApiResult, Json, Path, RequestId};

/// The model of searches on the ledger, and for limits: which one embeds is the store's affair.
const METERED_AS: &str = "search";

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
    let (search, extra) = request.read(vec![vector_store_id], false)?;
    answer(&app.services, &caller, request_id.uuid(), search, extra).await
}

/// Searches several vector stores at once: results of all of them in one order.
#[utoipa::path(
    post, path = "/v1/insula/search", operation_id = "search_vector_stores", tag = "vector stores",
    request_body = CreateStoresSearch, responses((status = OK, body = SearchPage))
)]
pub async fn search_vector_stores(
    caller: AnyCaller<VectorStoresRead>,
    request_id: RequestId,
    State(app): State<App>,
    Json(request): Json<CreateStoresSearch>,
) -> ApiResult<impl IntoResponse> {
    let stores = request.stores()?;
    let (search, extra) = request.read(stores, true)?;
    answer(&app.services, &caller, request_id.uuid(), search, extra).await
}

async fn answer(
    services: &Services,
    caller: &TenantContext,
    id: Uuid,
    mut search: SearchRequest,
    extra: Extra,
) -> ApiResult<impl IntoResponse + use<>> {
    if extra.rewrite_query {
        search.queries = search::rewrite(services, caller, &search, extra.rewrite_model.as_deref()).await?;
    }
    let asked = Asked {
        neighbors: search.detail.neighbours > 0,
        highlights: search.detail.highlights,
        explain: extra.explain,
    };
    let (queries, next) = (search.queries.clone(), search.offset + search.max_results);
    let (response, standings) = metered(services, caller, id, search).await?;
    let timing = AppendHeaders([("server-timing", server_timing(response.timings))]);
    let page = SearchPage::new(queries, next, asked, response);
    Ok(Limited(standings, (timing, Json(page))))
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
        true => match search.vector_store_ids.first() {
            Some(store) => search::embedding_model(services, caller, *store).await?,
            None => None,
        },
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
            // The event is about the first store's model; what others want money for is on events of their own.
            let mut readings = response.stores.iter();
            let first = readings.next().map(|store| store.reading.clone());
            metering::settle_reading(metered, &first.unwrap_or_default());
            for store in readings {
                metering::record_reading(services, caller, &store.embedding_model, &store.reading).await?;
            }
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
        let read = |body: serde_json::Value| {
            let request = crate::http::parse_json::<CreateSearch>(body.to_string().as_bytes())?;
            request.read(vec![VectorStoreId::generate()], false)
        };
        let (request, extra) = read(json!({
            "query": ["a", "b"], "rewrite_query": true, "page": null, "another": "field",
            "ranking_options": {"ranker": "default-2024-11-15", "score_threshold": 0.5, "hybrid_search": {}},
        }))
        .unwrap();
        assert_eq!(request.queries, ["a", "b"]);
        assert_eq!(
            (request.weights, request.ranker, extra.rewrite_query),
            (None, None, true)
        );
        for (bad, wanted) in [
            (json!({}), "query"),
            (json!({"query": null}), "query"),
            (json!({"query": "a", "page": "20"}), "page"),
            (json!({"query": "a", "group_by": "page"}), "group_by"),
            (json!({"query": "a", "group_size": 2}), "group_size"),
            (json!({"query": "a", "rewrite_model": "m"}), "rewrite_model"),
            (json!({"query": "a", "recency": {}}), "recency.half_life_days"),
            (
                json!({"query": "a", "recency": {"half_life_days": "1"}}),
                "recency.half_life_days",
            ),
            (
                json!({"query": "a", "ranking_options": {"hybrid_search": {"text_weight": "1"}}}),
                "ranking_options.hybrid_search.text_weight",
            ),
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
