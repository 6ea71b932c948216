//! `/v1/vector_stores/{vector_store_id}/file_batches`

mod request;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::vector_store::batch::{self, Batch};
use insula_tenancy::scope_types::{VectorStoresRead, VectorStoresWrite};
use insula_tenancy::{BatchId, FileId, VectorStoreId};
use serde::Serialize;
use utoipa::ToSchema;

use self::request::CreateFileBatch;
use super::vector_store_files::{FilesQuery, PollAdvice, StatusFilter, VectorStoreFileObject, poll_advice};
use super::vector_stores::FileCounts;
use super::wire::{List, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// Files that were attached to a vector store together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreFileBatch)]
pub struct FileBatchObject {
    /// Its id, `vsfb_…`.
    pub id: String,
    /// `vector_store.files_batch`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// The store.
    pub vector_store_id: String,
    /// `in_progress` while any of its files is; then `completed`, `cancelled`, or `failed` if no file could be read.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Its files by state.
    pub file_counts: FileCounts,
}

impl From<Batch> for FileBatchObject {
    fn from(batch: Batch) -> Self {
        Self {
            id: batch.id.to_string(),
            object: "vector_store.files_batch",
            created_at: seconds(batch.created_at),
            vector_store_id: batch.vector_store_id.to_string(),
            status: batch.status().as_str(),
            file_counts: batch.file_counts.into(),
        }
    }
}

type Polled = (PollAdvice, Json<FileBatchObject>);

fn polled(batch: Batch) -> Polled {
    (poll_advice(batch.status()), Json(batch.into()))
}

/// Attaches up to 2,000 files to a vector store at once. They are read in the background; `status` and `file_counts` tell
/// how far they are. A file that is in the store already, as it is wanted, counts as completed at once.
#[utoipa::path(
    post, path = "/v1/vector_stores/{vector_store_id}/file_batches", operation_id = "create_vector_store_file_batch",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "The store's id"), IdempotencyHeader),
    request_body = CreateFileBatch, responses((status = OK, body = FileBatchObject))
)]
pub async fn create_vector_store_file_batch(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(store_id): Path<VectorStoreId>,
    OnceJson(once, request): OnceJson<CreateFileBatch>,
) -> ApiResult<Response> {
    let (files, named) = request.read()?;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let batch = batch::create(&mut tx, store_id, &files, named).await?;
    let advice = poll_advice(batch.status());
    let answer = once.answer(tx, &FileBatchObject::from(batch)).await?;
    Ok((advice, answer).into_response())
}

/// Describes a batch.
#[utoipa::path(
    get, path = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}",
    operation_id = "get_vector_store_file_batch", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("batch_id" = String, Path, description = "The batch's id"),
    ),
    responses((status = OK, body = FileBatchObject))
)]
pub async fn get_vector_store_file_batch(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, batch_id)): Path<(VectorStoreId, BatchId)>,
) -> ApiResult<Polled> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(polled(batch::get(&mut tx, store_id, batch_id).await?))
}

/// Gives up the files of a batch that are not read yet. Those that are stay in the store; a batch that is done stays as
/// it is.
#[utoipa::path(
    post, path = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
    operation_id = "cancel_vector_store_file_batch", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("batch_id" = String, Path, description = "The batch's id"),
    ),
    responses((status = OK, body = FileBatchObject))
)]
pub async fn cancel_vector_store_file_batch(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, batch_id)): Path<(VectorStoreId, BatchId)>,
) -> ApiResult<Polled> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let batch = batch::cancel(&mut tx, store_id, batch_id).await?;
    tx.commit().await?;
    Ok(polled(batch))
}

/// Lists the files of a batch.
#[utoipa::path(
    get, path = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
    operation_id = "list_vector_store_file_batch_files", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("batch_id" = String, Path, description = "The batch's id"),
        ListQuery, StatusFilter,
    ),
    responses((status = OK, body = List<VectorStoreFileObject>))
)]
pub async fn list_vector_store_file_batch_files(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, batch_id)): Path<(VectorStoreId, BatchId)>,
    Query(query): Query<FilesQuery>,
) -> ApiResult<Json<List<VectorStoreFileObject>>> {
    let page = query.list.page(FileId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = batch::files(&mut tx, store_id, batch_id, query.status, page)
        .await?
        .map(VectorStoreFileObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |file| {
        file.id.clone()
    })))
}
