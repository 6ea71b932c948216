//! `POST /v1/chat/completions`

mod message;
mod request;
mod response;
pub(crate) mod sse;
mod stream;
pub(in crate::routes) mod tools;

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::chat::Answer;
use insula_core::{Error, Services, chat, metering};
use insula_tenancy::scope_types::ChatWrite;
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{Scope, TenantContext, new_uuid};

pub(super) use self::message::{ImageParam, image};
pub use self::request::{CreateChatCompletion, StreamOptions};
pub(super) use self::request::{check_stop, end_user};
pub use self::response::{ChatCompletion, ChatCompletionChunk, Usage};
pub(super) use self::response::{Head, finish_reason};
use super::wire::now;
use crate::app::App;
use crate::http::caching::{self, CacheHeader, Cached};
use crate::http::limits::Limited;
use crate::http::{AnyCaller, ApiResult, IdempotencyHeader, Json, OnceJson, RequestId, answer_once};

/// Answers a conversation, in one piece or as a stream, grounded in documents where stores are named.
#[utoipa::path(
    post, path = "/v1/chat/completions", operation_id = "create_chat_completion", tag = "chat",
    params(CacheHeader, IdempotencyHeader), request_body = CreateChatCompletion,
    responses((status = OK, content(
        (ChatCompletion = "application/json"),
        (ChatCompletionChunk = "text/event-stream"),
    )))
)]
pub async fn create_chat_completion(
    caller: AnyCaller<ChatWrite>,
    request_id: RequestId,
    asked: caching::Asked,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateChatCompletion>,
) -> ApiResult<Response> {
    let cache_ttl = caching::wanted(&asked, request.insula_cache)?;
    let cx = caller.into_context();
    let (of_answer, caller) = (app.clone(), cx.clone());
    let answer = async move { answer(&of_answer.services, &caller, request_id, cache_ttl, request).await };
    answer_once(once, &app, &cx, answer).await
}

/// Answers a request, wherever it comes from.
pub(super) async fn answer(
    services: &Services,
    caller: &TenantContext,
    request_id: RequestId,
    cache_ttl: Option<Duration>,
    request: CreateChatCompletion,
) -> ApiResult<Response> {
    let mut checked = request.check()?;
    checked.call.cache_ttl = cache_ttl;
    let names_stores = checked.call.grounding.is_some();
    if names_stores {
        // Otherwise a key that may only chat could read any store through the answers.
        caller.require(Scope::VectorStoresRead).map_err(Error::from)?;
    }
    let head = Head {
        id: format!("chatcmpl-{}", new_uuid().simple()),
        created: now(),
        model: checked.call.model.clone(),
    };
    let metered_as = metering::Request {
        id: request_id.uuid(),
        end_user: checked.call.options.user.clone(),
        endpoint: Endpoint::ChatCompletions,
        streamed: checked.stream,
    };
    let prepared = chat::prepare(services, caller, checked.call, metered_as)
        .await
        .map_err(|error| {
            if names_stores {
                in_data_source(error)
            } else {
                error
            }
        })?;
    if checked.stream {
        let Answer {
            answer,
            passages,
            standings,
            cache,
        } = prepared.stream().await?;
        let stream = stream::respond(head, answer, passages, checked.include_usage);
        return Ok(Limited(standings, Cached(cache, stream)).into_response());
    }
    let Answer {
        answer,
        passages,
        standings,
        cache,
    } = prepared.complete().await?;
    let completion = ChatCompletion::new(head, answer, &passages);
    Ok(Limited(standings, Cached(cache, Json(completion))).into_response())
}

/// The path of a field of the grounding, seen from the body.
fn in_data_source(error: Error) -> Error {
    let place = |param: Option<String>| match param {
        Some(param) if param.starts_with("vector_store_ids") || param.starts_with("filters") => {
            Some(format!("data_sources[0].parameters.{param}"))
        }
        param => param,
    };
    match error {
        Error::NotFound { message, param, code } => Error::NotFound {
            message,
            param: place(param),
            code,
        },
        Error::Invalid { message, param, code } => Error::Invalid {
            message,
            param: place(param),
            code,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_grounding_point_into_the_body() {
        let param = |error| match in_data_source(error) {
            Error::NotFound { param, .. } | Error::Invalid { param, .. } => param,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            param(Error::invalid("vector_store_ids[1]", "x")).as_deref(),
            Some("data_sources[0].parameters.vector_store_ids[1]")
        );
        assert_eq!(param(Error::model_not_found("m")).as_deref(), Some("model"));
    }
}
