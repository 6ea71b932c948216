//! `/v1/batches`: calls that are made in the background, a line each.

pub(super) mod wire;

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_core::batch::{self, Callable, NewBatch};
use insula_tenancy::scope_types::{BatchesRead, BatchesWrite};
use insula_tenancy::{Actor, FileId, RequestBatchId};

use self::wire::{BatchObject, CreateBatch};
use super::files::FileExpiresAfter;
use super::ids::body_id;
use super::wire::List;
use crate::app::App;
use crate::http::validate::unsupported;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// Makes a batch of the calls in a file, to be answered within a day.
///
/// Each line of the file is `{"custom_id", "method": "POST", "url", "body"}`, with the endpoint of the batch as its `url`. The
/// lines are called on behalf of the key that makes the batch, with the rights that it has at that moment. Answers are in the
/// file `output_file_id`, errors in `error_file_id`, in the order of the lines.
#[utoipa::path(
    post, path = "/v1/batches", operation_id = "create_batch", tag = "batches", params(IdempotencyHeader),
    request_body = CreateBatch, responses((status = OK, body = BatchObject))
)]
pub async fn create_batch(
    caller: Caller<BatchesWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateBatch>,
) -> ApiResult<Response> {
    let endpoint = Callable::find(&request.endpoint).ok_or_else(|| unknown_endpoint(&request.endpoint))?;
    if request.completion_window != "24h" {
        return Err(unsupported("completion_window", "A completion window other than '24h'").into());
    }
    let input_file_id: FileId = body_id("input_file_id", &request.input_file_id)?;
    let lifetime = request
        .output_expires_after
        .as_ref()
        .map_or(Ok(None), FileExpiresAfter::lifetime);
    let output_expires_after = lifetime.map_err(of_the_output)?;
    // A key that cannot call the endpoint would get nothing but refusals.
    caller.require(endpoint.scope()).map_err(Error::from)?;
    let Actor::Key(key_id) = caller.actor() else {
        return Err(Error::internal("a batch without a key").into());
    };
    let new = NewBatch {
        key_id,
        input_file_id,
        endpoint,
        metadata: request.metadata,
        output_expires_after,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let batch = batch::create(&mut tx, &new).await?;
    once.answer(tx, &BatchObject::from(batch)).await
}

/// Lists batches.
#[utoipa::path(
    get, path = "/v1/batches", operation_id = "list_batches", tag = "batches", params(ListQuery),
    responses((status = OK, body = List<BatchObject>))
)]
pub async fn list_batches(
    caller: Caller<BatchesRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<BatchObject>>> {
    let page = query.page(RequestBatchId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = batch::list(&mut tx, page).await?.map(BatchObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |batch| {
        batch.id.clone()
    })))
}

/// Describes a batch, and how far it is.
#[utoipa::path(
    get, path = "/v1/batches/{batch_id}", operation_id = "get_batch", tag = "batches",
    params(("batch_id" = String, Path, description = "Its id, `batch_…`")),
    responses((status = OK, body = BatchObject))
)]
pub async fn get_batch(
    caller: Caller<BatchesRead>,
    State(app): State<App>,
    Path(id): Path<RequestBatchId>,
) -> ApiResult<Json<BatchObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(batch::get(&mut tx, id).await?.into()))
}

/// Gives up a batch. Lines that are being called come to their end, and what was answered is in its files. A batch that has
/// come to an end already is refused.
#[utoipa::path(
    post, path = "/v1/batches/{batch_id}/cancel", operation_id = "cancel_batch", tag = "batches",
    params(("batch_id" = String, Path, description = "Its id, `batch_…`")),
    responses((status = OK, body = BatchObject))
)]
pub async fn cancel_batch(
    caller: Caller<BatchesWrite>,
    State(app): State<App>,
    Path(id): Path<RequestBatchId>,
) -> ApiResult<Json<BatchObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let batch = batch::cancel(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(batch.into()))
}

/// The refusal of a file's lifetime, as one of the files that the batch will make.
fn of_the_output(error: Error) -> Error {
    match error {
        Error::Invalid { message, param, code } => Error::Invalid {
            message: message.replace("'expires_after.", "'output_expires_after."),
            param: param.map(|param| format!("output_{param}")),
            code,
        },
        other => other,
    }
}

fn unknown_endpoint(given: &str) -> Error {
    let known: Vec<String> = Callable::ALL
        .iter()
        .map(|known| format!("'{}'", known.path()))
        .collect();
    let given: String = given.chars().take(64).collect();
    Error::invalid(
        "endpoint",
        format!(
            "Invalid value for 'endpoint': '{given}'. Supported values are: {}.",
            known.join(", ")
        ),
    )
}
