//! `/v1/responses`: answers that can search, be kept, and be gone on from.

mod input;
mod request;
pub(crate) mod stream;
mod tools;
pub(super) mod wire;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::{Error, Services, metering, response};
use insula_tenancy::scope_types::{ChatWrite, ResponsesRead, ResponsesWrite};
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{ResponseId, Scope, TenantContext};
use utoipa::IntoParams;

pub(super) use self::input::{InputItem, convert_items};
pub use self::request::CreateResponse;
pub(super) use self::request::results_wanted;
pub use self::wire::{ItemObject, ResponseObject};
use super::wire::{Deleted, List};
use crate::app::App;
use crate::http::limits::Limited;
use crate::http::{
    AnyCaller, ApiResult, Caller, FromQuery, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query,
    QueryParams, RequestId, answer_once,
};

/// Answers items, in one piece or as a stream. The search over vector stores is made here; functions are the client's to run.
#[utoipa::path(
    post, path = "/v1/responses", operation_id = "create_response", tag = "responses",
    params(IdempotencyHeader), request_body = CreateResponse,
    responses((status = OK, content(
        (ResponseObject = "application/json"),
        (String = "text/event-stream"),
    )))
)]
pub async fn create_response(
    caller: AnyCaller<ChatWrite>,
    request_id: RequestId,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateResponse>,
) -> ApiResult<Response> {
    let cx = caller.into_context();
    let (of_answer, caller) = (app.clone(), cx.clone());
    let answer = async move { answer(&of_answer.services, &caller, request_id, request).await };
    answer_once(once, &app, &cx, answer).await
}

/// Answers a request, wherever it comes from.
pub(super) async fn answer(
    services: &Services,
    caller: &TenantContext,
    request_id: RequestId,
    request: CreateResponse,
) -> ApiResult<Response> {
    let checked = request.check()?;
    if checked.call.file_search.is_some() {
        // Otherwise a key that may only chat could read any store through the answers.
        caller.require(Scope::VectorStoresRead).map_err(Error::from)?;
    }
    let metered_as = metering::Request {
        id: request_id.uuid(),
        end_user: checked.call.options.user.clone(),
        endpoint: Endpoint::Responses,
        streamed: checked.stream,
    };
    let (search_at, with_results) = (checked.search_at, checked.with_results);
    let in_request = |error| stream::in_request(error, search_at);
    let run = response::begin(services, caller, checked.call, metered_as)
        .await
        .map_err(in_request)?;
    let standings = run.standings();
    if checked.stream {
        return Ok(Limited(standings, stream::respond(run, with_results)).into_response());
    }
    let response = run.complete().await.map_err(in_request)?;
    let response = Json(ResponseObject::new(response, with_results));
    Ok(Limited(standings, response).into_response())
}

/// What an answer tells besides.
#[derive(Debug, Clone, Copy)]
pub struct IncludeQuery {
    with_results: bool,
}

impl IncludeQuery {
    /// Whether searches tell what they found.
    pub(super) fn with_results(self) -> bool {
        self.with_results
    }
}

impl FromQuery for IncludeQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        if params.get("stream") == Some("true") {
            return Err(crate::http::validate::unsupported(
                "stream",
                "Streaming a stored response",
            ));
        }
        let include: Vec<&str> = params.all("include").collect();
        Ok(Self {
            with_results: results_wanted(&include)?,
        })
    }
}

/// The query of [`IncludeQuery`], for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only the document is made from it")]
pub(super) struct IncludeParams {
    /// `file_search_call.results`: what searches found.
    #[param(rename = "include[]")]
    include: Option<Vec<String>>,
}

/// Describes a stored response.
#[utoipa::path(
    get, path = "/v1/responses/{response_id}", operation_id = "get_response", tag = "responses",
    params(("response_id" = String, Path, description = "Its id, `resp_…`"), IncludeParams),
    responses((status = OK, body = ResponseObject))
)]
pub async fn get_response(
    caller: AnyCaller<ResponsesRead>,
    State(app): State<App>,
    Path(id): Path<ResponseId>,
    Query(include): Query<IncludeQuery>,
) -> ApiResult<Json<ResponseObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let response = response::get(&mut tx, &caller, id).await?;
    Ok(Json(ResponseObject::new(response, include.with_results)))
}

/// Deletes a stored response. Those that went on from it stay, and cannot be gone on from any more.
#[utoipa::path(
    delete, path = "/v1/responses/{response_id}", operation_id = "delete_response", tag = "responses",
    params(("response_id" = String, Path, description = "Its id, `resp_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_response(
    caller: AnyCaller<ResponsesWrite>,
    State(app): State<App>,
    Path(id): Path<ResponseId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    response::delete(&mut tx, &caller, id).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(Json(Deleted::new(id, "response")))
}

/// Refuses: only responses that are made in the background could be cancelled, and none is.
#[utoipa::path(
    post, path = "/v1/responses/{response_id}/cancel", operation_id = "cancel_response", tag = "responses",
    params(("response_id" = String, Path, description = "Its id, `resp_…`")),
    responses((status = OK, body = ResponseObject))
)]
pub async fn cancel_response(
    caller: Caller<ResponsesWrite>,
    State(app): State<App>,
    Path(id): Path<ResponseId>,
) -> ApiResult<Json<ResponseObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    response::get(&mut tx, &caller, id).await?;
    let message = "Cannot cancel a synchronous response.";
    Err(Error::Invalid {
        message: message.into(),
        param: None,
        code: None,
    }
    .into())
}

/// Lists what a response was given, without what it went on from.
#[utoipa::path(
    get, path = "/v1/responses/{response_id}/input_items", operation_id = "list_response_input_items", tag = "responses",
    params(("response_id" = String, Path, description = "Its id, `resp_…`"), ListQuery),
    responses((status = OK, body = List<ItemObject>))
)]
pub async fn list_response_input_items(
    caller: AnyCaller<ResponsesRead>,
    State(app): State<App>,
    Path(id): Path<ResponseId>,
    Query(query): Query<ListQuery>,
    Query(include): Query<IncludeQuery>,
) -> ApiResult<Json<List<ItemObject>>> {
    let page = query.page(|id: response::ItemId| id.uuid())?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = response::list_input(&mut tx, &caller, id, page)
        .await?
        .map(|item| ItemObject::new(item, include.with_results));
    Ok(Json(List::new(listing.data, listing.has_more, |item| {
        item.id().to_owned()
    })))
}
