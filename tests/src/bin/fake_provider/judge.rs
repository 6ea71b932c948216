//! Models that score texts: `/rerank` by shared words, `/moderations` by bad ones.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::counts::Counts;
use crate::{error, failure, reply};

/// A document scores the part of the query's words that it has.
pub(crate) async fn rerank(
    State(counts): State<Counts>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    judge(&counts, &uri, &headers, &body, |model, body| {
        let words = |text: &Value| -> HashSet<String> {
            let text = text.as_str().unwrap_or_default().to_lowercase();
            text.split_whitespace().map(str::to_owned).collect()
        };
        let query = words(&body["query"]);
        let documents = body["documents"].as_array().cloned().unwrap_or_default();
        let score =
            |document: &Value| words(document).intersection(&query).count() as f64 / query.len() as f64;
        let mut results: Vec<Value> = documents
            .iter()
            .enumerate()
            .map(|(index, document)| json!({"index": index, "relevance_score": score(document)}))
            .collect();
        // As servers do: best first.
        results.reverse();
        if model == "half" {
            results.truncate(documents.len() / 2);
        }
        json!({"id": "upstream", "model": model, "results": results, "usage": {"total_tokens": 10 * documents.len()}})
    })
}

/// `hate` is hate, and nothing else is anything.
pub(crate) async fn moderate(
    State(counts): State<Counts>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    judge(&counts, &uri, &headers, &body, |model, body| {
        let texts = body["input"].as_array().cloned().unwrap_or_default();
        let result = |text: &Value| {
            let hates = text.as_str().unwrap_or_default().contains("hate");
            json!({"flagged": hates, "categories": {"hate": hates}, "category_scores": {"hate": if hates { 0.9 } else { 0.1 }}})
        };
        json!({"id": "upstream", "model": model, "results": texts.iter().map(result).collect::<Vec<_>>()})
    })
}

fn judge(
    counts: &Counts,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
    answer: impl FnOnce(&str, &Value) -> Value,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return error(StatusCode::BAD_REQUEST, "not JSON");
    };
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let mut caller = counts.arrived(&model, uri, headers, body.clone());
    caller.finish();
    failure(&model).unwrap_or_else(|| reply(StatusCode::OK, &answer(&model, &body)))
}
