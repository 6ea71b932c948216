//! The endpoints that are called without HTTP: by the lines of batches.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::to_bytes;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use insula_core::batch::{Answered, Call, Callable, Endpoints};
use insula_core::model::EmbedPurpose;
use insula_core::{Error, Services};
use insula_tenancy::TenantContext;
use tracing::Instrument;

use super::chat::CreateChatCompletion;
use super::completions::CreateCompletion;
use super::embeddings::CreateEmbedding;
use super::responses::CreateResponse;
use super::{chat, completions, embeddings, responses};
use crate::http::caching::from_body;
use crate::http::{ApiError, ApiResult, RequestId, parse_json};

/// How long a call may take. What is over HTTP is asked for again by its client, and has less.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// The endpoints of this server.
#[derive(Debug, Clone, Copy)]
pub struct LocalEndpoints;

#[async_trait]
impl Endpoints for LocalEndpoints {
    async fn call(&self, services: Services, cx: TenantContext, call: Call) -> Answered {
        let id = RequestId::of(call.request_id);
        let span = tracing::info_span!(
            "line", request_id = id.as_str(), route = call.endpoint.path(), tenant = %cx.tenant_id()
        );
        let answer = async {
            let answer = AssertUnwindSafe(answer(&services, &cx, id, call)).catch_unwind();
            match tokio::time::timeout(DEADLINE, answer).await {
                Ok(Ok(answer)) => answered(answer).await,
                Ok(Err(panic)) => answered(Err(ApiError::of_panic(&*panic))).await,
                Err(_) => answered(Err(ApiError::TimedOut)).await,
            }
        };
        answer.instrument(span).await
    }

    async fn refuse(&self, error: Error) -> Answered {
        answered(Err(error.into())).await
    }
}

async fn answer(services: &Services, cx: &TenantContext, id: RequestId, call: Call) -> ApiResult<Response> {
    cx.require(call.endpoint.scope()).map_err(Error::from)?;
    let body = call.body.as_bytes();
    match call.endpoint {
        Callable::ChatCompletions => {
            let request: CreateChatCompletion = parse_json(body)?;
            let cache = from_body(request.insula_cache);
            chat::answer(services, cx, id, cache, request).await
        }
        Callable::Completions => {
            let request: CreateCompletion = parse_json(body)?;
            let cache = from_body(request.insula_cache);
            completions::answer(services, cx, id, cache, request).await
        }
        Callable::Embeddings => {
            let request: CreateEmbedding = parse_json(body)?;
            request.check()?;
            // Nobody waits for it.
            embeddings::answer(services, cx, id, EmbedPurpose::Bulk, request).await
        }
        Callable::Responses => {
            let request: CreateResponse = parse_json(body)?;
            request.check_for_batch()?;
            responses::answer(services, cx, id, request).await
        }
    }
}

/// The answer as a client would get it.
async fn answered(answer: ApiResult<Response>) -> Answered {
    let wait = answer.as_ref().err().and_then(ApiError::wait);
    let (head, body) = answer.into_response().into_parts();
    let body = to_bytes(body, usize::MAX).await.ok();
    let body = body.and_then(|bytes| String::from_utf8(bytes.into()).ok());
    match body {
        Some(body) => Answered {
            status: head.status.as_u16(),
            body,
            wait,
        },
        // Answers are made in memory, of JSON.
        None => Answered {
            status: 500,
            body: "null".into(),
            wait: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use insula_core::batch::Wait;

    use super::*;

    #[tokio::test]
    async fn what_may_be_better_later_says_so() {
        let refuse = async |error| LocalEndpoints.refuse(error).await;
        let busy = Error::Overloaded {
            message: "full".into(),
            retry_after: Duration::from_secs(3),
        };
        let answered = refuse(busy).await;
        assert_eq!(
            (answered.status, answered.wait),
            (503, Some(Wait::Busy(Duration::from_secs(3))))
        );
        let error: serde_json::Value = serde_json::from_str(&answered.body).unwrap();
        assert_eq!(error["error"]["message"], "full");
        for (error, status) in [
            (Error::BudgetExceeded("empty".into()), 429),
            (Error::invalid("model", "no"), 400),
            (Error::internal("secret"), 500),
        ] {
            let answered = refuse(error).await;
            assert_eq!((answered.status, answered.wait), (status, None));
            assert!(!answered.body.contains("secret") && !answered.body.contains('\n'));
        }
    }
}
