//! `POST /v1/rerank`, in the shape that Jina, Cohere and vLLM share.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::judge::{self, Call};
use insula_core::{Error, metering};
use insula_tenancy::scope_types::RerankWrite;
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{TenantContext, new_uuid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::chat::end_user;
use crate::app::App;
use crate::http::limits::Limited;
use crate::http::validate::{count, name};
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, OnceJson, RequestId, answer_once};

/// Most documents of one call.
const MOST_DOCUMENTS: usize = 1000;

/// Documents to be ranked.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateRerankRequest)]
pub struct CreateRerank {
    /// A model that ranks.
    #[schema(example = "bge-reranker-v2-m3")]
    pub model: String,
    /// What they are to answer.
    pub query: String,
    /// The documents, at most 1,000. One that is too long for the model is read as far as it can.
    pub documents: Vec<Document>,
    /// How many results at most.
    #[schema(minimum = 1)]
    pub top_n: Option<usize>,
    /// Whether results have the documents in them.
    pub return_documents: Option<bool>,
    /// For whom, as the tenant calls them.
    pub user: Option<String>,
}

/// A document: its text, or an object with it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RerankDocumentInput)]
pub enum Document {
    /// The text.
    Text(String),
    /// An object with the text.
    Object(RerankDocument),
}

/// A document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RerankDocument {
    /// Its text.
    pub text: String,
}

/// The documents, best first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RerankResponse)]
pub struct Ranking {
    /// An id, `rerank-…`.
    pub id: String,
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The model that ranked.
    pub model: String,
    /// The documents, best first.
    pub results: Vec<RankedDocument>,
    /// What it took.
    pub usage: RerankUsage,
    /// The same where Cohere's clients look for it.
    pub meta: RerankMeta,
}

/// A document in its place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RerankResult)]
pub struct RankedDocument {
    /// Its position among the documents, from 0.
    pub index: usize,
    /// How well it answers the query; 0 to 1 for most models.
    pub relevance_score: f64,
    /// The document, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<RerankDocument>,
}

/// Tokens of the model that were read.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct RerankUsage {
    /// Those of the documents, and of the query with each.
    pub prompt_tokens: u64,
    /// The same: ranking generates nothing.
    pub total_tokens: u64,
}

/// What Cohere's clients look for.
#[derive(Debug, Serialize, ToSchema)]
pub struct RerankMeta {
    /// What was read.
    pub tokens: RerankTokens,
}

/// Tokens, as Cohere tells them.
#[derive(Debug, Serialize, ToSchema)]
pub struct RerankTokens {
    /// Read.
    pub input_tokens: u64,
}

/// Ranks documents by how well they answer a query.
#[utoipa::path(
    post, path = "/v1/rerank", operation_id = "create_rerank", tag = "rerank", params(IdempotencyHeader),
    request_body = CreateRerank, responses((status = OK, body = Ranking))
)]
pub async fn create_rerank(
    caller: Caller<RerankWrite>,
    request_id: RequestId,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateRerank>,
) -> ApiResult<Response> {
    let cx = caller.into_context();
    let answer = answer(app.clone(), cx.clone(), request_id, request);
    answer_once(once, &app, &cx, answer).await
}

async fn answer(
    app: App,
    cx: TenantContext,
    request_id: RequestId,
    request: CreateRerank,
) -> ApiResult<Response> {
    name("model", &request.model, 256)?;
    if request.query.trim().is_empty() {
        return Err(Error::invalid("query", "Invalid value for 'query': it must not be empty.").into());
    }
    count("documents", request.documents.len(), 1..=MOST_DOCUMENTS)?;
    if request.top_n == Some(0) {
        return Err(Error::invalid("top_n", "Invalid value for 'top_n': expected 1 or more.").into());
    }
    let documents: Vec<String> = request
        .documents
        .into_iter()
        .map(|document| match document {
            Document::Text(text) | Document::Object(RerankDocument { text }) => text,
        })
        .collect();
    let metered_as = metering::Request {
        id: request_id.uuid(),
        end_user: end_user(None, request.user)?,
        endpoint: Endpoint::Rerank,
        streamed: false,
    };
    let call = Call {
        model: &request.model,
        request: &metered_as,
    };
    let asked = judge::rerank(&app.services, &cx, call, request.query, documents.clone());
    let (reranked, standings) = asked.await?;
    let mut results: Vec<RankedDocument> = reranked
        .scores
        .into_iter()
        .enumerate()
        .map(|(index, relevance_score)| RankedDocument {
            index,
            relevance_score,
            document: None,
        })
        .collect();
    // Stable: of documents that the model cannot tell apart the first goes first.
    results.sort_by(|a, b| b.relevance_score.total_cmp(&a.relevance_score));
    results.truncate(request.top_n.unwrap_or(usize::MAX));
    if request.return_documents == Some(true) {
        for result in &mut results {
            let text = documents.get(result.index).cloned().unwrap_or_default();
            result.document = Some(RerankDocument { text });
        }
    }
    let ranking = Ranking {
        id: format!("rerank-{}", new_uuid().simple()),
        object: "list",
        model: request.model,
        results,
        usage: RerankUsage {
            prompt_tokens: reranked.tokens,
            total_tokens: reranked.tokens,
        },
        meta: RerankMeta {
            tokens: RerankTokens {
                input_tokens: reranked.tokens,
            },
        },
    };
    Ok(Limited(standings, Json(ranking)).into_response())
}
