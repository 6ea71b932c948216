//! `POST /v1/completions`: a text to go on from, for clients that still speak this way. Each prompt is asked as a user's
//! message, so that limits, metering, guardrails and assistants are those of chat.

mod request;
mod response;
mod stream;

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::chat::{ChatCall, PreparedChat, prepare};
use insula_core::model::{ChatMessage, Role};
use insula_core::{Error, Services, metering};
use insula_inference::cl100k;
use insula_tenancy::scope_types::ChatWrite;
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{TenantContext, new_uuid};

pub use self::request::CreateCompletion;
use self::request::{Checked, Prompts};
use self::response::Choice;
pub use self::response::Completion;
use super::chat::Head;
use super::wire::now;
use crate::app::App;
use crate::http::caching::{self, CacheHeader, Cached};
use crate::http::limits::Limited;
use crate::http::{AnyCaller, ApiResult, IdempotencyHeader, Json, OnceJson, RequestId, answer_once};

/// Goes on from a text, in one piece or as a stream.
///
/// Legacy: new code calls `/v1/chat/completions`. Every prompt of several becomes a choice, and is metered as a call.
#[utoipa::path(
    post, path = "/v1/completions", operation_id = "create_completion", tag = "chat",
    params(CacheHeader, IdempotencyHeader), request_body = CreateCompletion,
    responses((status = OK, content((Completion = "application/json"), (Completion = "text/event-stream"))))
)]
pub async fn create_completion(
    caller: AnyCaller<ChatWrite>,
    request_id: RequestId,
    asked: caching::Asked,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateCompletion>,
) -> ApiResult<Response> {
    let cache = caching::wanted(&asked, request.insula_cache)?;
    let cx = caller.into_context();
    let (of_answer, caller) = (app.clone(), cx.clone());
    let answer = async move { answer(&of_answer.services, &caller, request_id, cache, request).await };
    answer_once(once, &app, &cx, answer).await
}

/// Answers a request, wherever it comes from.
pub(super) async fn answer(
    services: &Services,
    caller: &TenantContext,
    request_id: RequestId,
    cache: Option<Duration>,
    request: CreateCompletion,
) -> ApiResult<Response> {
    let checked = request.check()?;
    let head = Head {
        id: format!("cmpl-{}", new_uuid().simple()),
        created: now(),
        model: checked.model.clone(),
    };
    let prompts = match &checked.prompts {
        Prompts::Texts(texts) => texts.clone(),
        Prompts::Tokens(arrays) => cl100k::decode_all(arrays.clone())
            .await
            .map_err(request::about_the_prompt)?,
    };
    let mut calls = Vec::with_capacity(prompts.len());
    for (n, prompt) in prompts.iter().enumerate() {
        let metered_as = metering::Request {
            id: if n == 0 { request_id.uuid() } else { new_uuid() },
            end_user: checked.options.user.clone(),
            endpoint: Endpoint::Completions,
            streamed: checked.stream,
        };
        let call = ChatCall {
            model: checked.model.clone(),
            messages: vec![ChatMessage::text(Role::User, prompt)],
            options: checked.options.clone(),
            grounding: None,
            found: None,
            cache_ttl: cache,
        };
        let prepared = prepare(services, caller, call, metered_as).await;
        calls.push(prepared.map_err(|error| in_prompt(error, n, prompts.len()))?);
    }
    if checked.stream {
        return Ok(stream::respond(
            head,
            calls,
            checked.echo.then_some(prompts),
            checked.include_usage,
        )
        .await?);
    }
    whole(head, &checked, &prompts, calls).await
}

async fn whole(
    head: Head,
    checked: &Checked,
    prompts: &[String],
    calls: Vec<PreparedChat>,
) -> ApiResult<Response> {
    let mut completion = Completion::new(head);
    let mut last = None;
    for ((index, call), prompt) in (0..).zip(calls).zip(prompts) {
        let answered = call.complete().await?;
        completion.add(answered.answer.usage);
        let echo = checked.echo.then_some(prompt.as_str());
        completion
            .choices
            .push(Choice::whole(index, echo, answered.answer));
        last = Some((answered.standings, answered.cache));
    }
    let (standings, cache) = last.ok_or_else(|| Error::internal("a completion without a prompt"))?;
    Ok(Limited(standings, Cached(cache, Json(completion))).into_response())
}

/// An error about the message that a prompt became, as one about the prompt.
fn in_prompt(error: Error, n: usize, prompts: usize) -> Error {
    let concerns_it = matches!(&error,
        Error::Invalid { param: Some(param), .. } | Error::NotFound { param: Some(param), .. }
            if param.starts_with("messages"));
    if !concerns_it {
        return error;
    }
    error.about(if prompts == 1 {
        "prompt".to_owned()
    } else {
        format!("prompt[{n}]")
    })
}
