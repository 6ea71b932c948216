//! `/v1/vector_stores/{vector_store_id}/files`

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use insula_core::Error;
use insula_core::vector_store::Attributes;
use insula_core::vector_store::file::{self, NewStoreFile, Status, StoreFile};
use insula_tenancy::scope_types::{VectorStoresRead, VectorStoresWrite};
use insula_tenancy::{FileId, VectorStoreId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::attributes::{self, AttributesParam};
use super::chunking::{ChunkingParam, ChunkingStrategy};
use super::ids::body_id;
use super::wire::{Deleted, List, seconds};
use crate::app::App;
use crate::http::{
    ApiResult, Caller, FromQuery, IdempotencyHeader, Json, ListQuery, OnceJson, Path, PathId, Query,
    QueryParams,
};

/// A file to be attached to a vector store.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateVectorStoreFileRequest)]
pub struct CreateVectorStoreFile {
    /// The uploaded file.
    #[schema(example = "file-0198f0a67c3e7d3fa1b2c3d4e5f60718")]
    pub file_id: String,
    /// Up to 16 values to filter searches by: strings, numbers and booleans.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<AttributesParam>,
    /// How the file is cut.
    pub chunking_strategy: Option<ChunkingParam>,
    /// A file of the store whose place this one takes at the moment when it can be searched. Until then, and if it cannot
    /// be read, searches go on with the old one.
    pub replaces: Option<String>,
}

impl CreateVectorStoreFile {
    /// The file in the domain's words.
    pub(super) fn read(self) -> Result<NewStoreFile, Error> {
        Ok(NewStoreFile {
            file_id: body_id("file_id", &self.file_id)?,
            attributes: attributes::read("attributes", self.attributes)?,
            chunking: ChunkingParam::read(self.chunking_strategy)?,
            replaces: optional_id("replaces", self.replaces.as_deref())?,
        })
    }
}

/// An id in a body that need not be there.
pub(super) fn optional_id<T: PathId>(param: &str, text: Option<&str>) -> Result<Option<T>, Error> {
    text.map(|text| body_id(param, text)).transpose()
}

/// New attributes of a file.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateVectorStoreFileAttributesRequest)]
pub struct UpdateVectorStoreFile {
    /// Replaces all attributes; `null` removes them.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<AttributesParam>,
}

/// A file of a vector store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreFile)]
pub struct VectorStoreFileObject {
    /// The file's id.
    pub id: String,
    /// `vector_store.file`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its attachment.
    pub created_at: i64,
    /// Bytes of its passages and vectors.
    pub usage_bytes: i64,
    /// The store.
    pub vector_store_id: String,
    /// The file's name.
    pub filename: String,
    /// `in_progress`, `completed`, `cancelled` or `failed`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Why it cannot be searched, if it failed; of a completed file, why it could not be read again.
    #[schema(required)]
    pub last_error: Option<LastErrorObject>,
    /// How it was cut.
    pub chunking_strategy: ChunkingStrategy,
    /// Values to filter searches by.
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// The file whose place it takes when it is completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// Why a file cannot be searched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreFileError)]
pub struct LastErrorObject {
    /// `server_error`, `unsupported_file` or `invalid_file`.
    pub code: String,
    /// For people.
    pub message: String,
}

/// The text of a file as it was read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreFileContentResponse)]
pub struct FileContent {
    /// `vector_store.file_content.page`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The passages in reading order.
    pub data: Vec<TextContent>,
    /// Always false: the whole text is here.
    pub has_more: bool,
    /// Always null.
    #[schema(required)]
    pub next_page: Option<String>,
}

/// A piece of text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreTextContent)]
pub struct TextContent {
    /// `text`
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// The text.
    pub text: String,
}

impl From<String> for TextContent {
    fn from(text: String) -> Self {
        Self { kind: "text", text }
    }
}

impl From<StoreFile> for VectorStoreFileObject {
    fn from(file: StoreFile) -> Self {
        Self {
            id: file.file_id.to_string(),
            object: "vector_store.file",
            created_at: seconds(file.created_at),
            usage_bytes: file.usage_bytes,
            vector_store_id: file.vector_store_id.to_string(),
            filename: file.filename,
            status: file.status.as_str(),
            last_error: file.last_error.map(|error| LastErrorObject {
                code: error.code,
                message: error.message,
            }),
            chunking_strategy: file.chunking.into(),
            attributes: file.attributes,
            replaces: file.replaces.map(|id| id.to_string()),
        }
    }
}

/// The query of a list of files.
#[derive(Debug)]
pub struct FilesQuery {
    pub(super) list: ListQuery,
    pub(super) status: Option<Status>,
}

impl FromQuery for FilesQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let status = params.get("filter").map(str::parse).transpose()?;
        Ok(Self {
            list: ListQuery::from_query(params)?,
            status,
        })
    }
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameter; FilesQuery reads it")]
pub(super) struct StatusFilter {
    /// Only files in this state: `in_progress`, `completed`, `failed` or `cancelled`.
    filter: Option<String>,
}

/// How soon the SDKs' polling helpers look again, in milliseconds.
const POLL_AFTER_MS: &str = "300";

pub(super) type PollAdvice = AppendHeaders<Option<(&'static str, &'static str)>>;
type Polled = (PollAdvice, Json<VectorStoreFileObject>);

/// Advice on when to ask again, while there is something to wait for.
pub(super) fn poll_advice(status: Status) -> PollAdvice {
    AppendHeaders((status == Status::InProgress).then_some(("openai-poll-after-ms", POLL_AFTER_MS)))
}

/// A file, with advice on when to ask again while it is being read.
fn polled(file: StoreFile) -> Polled {
    (poll_advice(file.status), Json(file.into()))
}

/// Attaches a file to a vector store. It is read in the background; `status` tells how far it is.
#[utoipa::path(
    post, path = "/v1/vector_stores/{vector_store_id}/files", operation_id = "create_vector_store_file",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "The store's id"), IdempotencyHeader),
    request_body = CreateVectorStoreFile, responses((status = OK, body = VectorStoreFileObject))
)]
pub async fn create_vector_store_file(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(store_id): Path<VectorStoreId>,
    OnceJson(once, request): OnceJson<CreateVectorStoreFile>,
) -> ApiResult<Response> {
    let new = request.read()?;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let file = file::attach(&mut tx, store_id, new).await?;
    let advice = poll_advice(file.status);
    let answer = once.answer(tx, &VectorStoreFileObject::from(file)).await?;
    Ok((advice, answer).into_response())
}

/// Lists the files of a vector store.
#[utoipa::path(
    get, path = "/v1/vector_stores/{vector_store_id}/files", operation_id = "list_vector_store_files",
    tag = "vector stores",
    params(("vector_store_id" = String, Path, description = "The store's id"), ListQuery, StatusFilter),
    responses((status = OK, body = List<VectorStoreFileObject>))
)]
pub async fn list_vector_store_files(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path(store_id): Path<VectorStoreId>,
    Query(query): Query<FilesQuery>,
) -> ApiResult<Json<List<VectorStoreFileObject>>> {
    let page = query.list.page(FileId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = file::list(&mut tx, store_id, query.status, page)
        .await?
        .map(VectorStoreFileObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |file| {
        file.id.clone()
    })))
}

/// Describes a file of a vector store.
#[utoipa::path(
    get, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}", operation_id = "get_vector_store_file",
    tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("file_id" = String, Path, description = "The file's id"),
    ),
    responses((status = OK, body = VectorStoreFileObject))
)]
pub async fn get_vector_store_file(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, file_id)): Path<(VectorStoreId, FileId)>,
) -> ApiResult<Polled> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(polled(file::get(&mut tx, store_id, file_id).await?))
}

/// Replaces the attributes of a file of a vector store.
#[utoipa::path(
    post, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}",
    operation_id = "update_vector_store_file", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("file_id" = String, Path, description = "The file's id"),
    ),
    request_body = UpdateVectorStoreFile, responses((status = OK, body = VectorStoreFileObject))
)]
pub async fn update_vector_store_file(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, file_id)): Path<(VectorStoreId, FileId)>,
    Json(request): Json<UpdateVectorStoreFile>,
) -> ApiResult<Json<VectorStoreFileObject>> {
    let attributes = attributes::read("attributes", request.attributes)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let file = file::set_attributes(&mut tx, store_id, file_id, attributes).await?;
    tx.commit().await?;
    Ok(Json(file.into()))
}

/// Takes a file out of a vector store. The file itself stays.
#[utoipa::path(
    delete, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}",
    operation_id = "delete_vector_store_file", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("file_id" = String, Path, description = "The file's id"),
    ),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_vector_store_file(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, file_id)): Path<(VectorStoreId, FileId)>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    file::detach(&mut tx, store_id, file_id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(file_id, "vector_store.file.deleted")))
}

/// The text of a file of a vector store, as it was read.
#[utoipa::path(
    get, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}/content",
    operation_id = "get_vector_store_file_content", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("file_id" = String, Path, description = "The file's id"),
    ),
    responses((status = OK, body = FileContent))
)]
pub async fn get_vector_store_file_content(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, file_id)): Path<(VectorStoreId, FileId)>,
) -> ApiResult<Json<FileContent>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let passages = file::content(&mut tx, store_id, file_id).await?;
    Ok(Json(FileContent {
        object: "vector_store.file_content.page",
        data: passages.into_iter().map(TextContent::from).collect(),
        has_more: false,
        next_page: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use insula_core::vector_store::file::{Chunking, LastError};
    use serde_json::json;

    fn file(status: Status) -> StoreFile {
        StoreFile {
            file_id: FileId::generate(),
            vector_store_id: VectorStoreId::generate(),
            filename: "notes.md".into(),
            status,
            last_error: None,
            attributes: Attributes::default(),
            chunking: Chunking::Static {
                max_tokens: 200,
                overlap_tokens: 20,
            },
            usage_bytes: 5,
            chunk_count: 1,
            replaces: None,
            created_at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_file_has_every_key_that_clients_read() {
        let mut failed = file(Status::Failed);
        failed.last_error = Some(LastError {
            code: "invalid_file".into(),
            message: "damaged".into(),
        });
        let (id, store) = (failed.file_id.to_string(), failed.vector_store_id.to_string());
        let json = serde_json::to_value(VectorStoreFileObject::from(failed)).unwrap();
        let expected = json!({
            "id": id, "object": "vector_store.file", "created_at": 1_700_000_000, "usage_bytes": 5,
            "vector_store_id": store, "filename": "notes.md", "status": "failed",
            "last_error": {"code": "invalid_file", "message": "damaged"}, "attributes": {},
            "chunking_strategy":
                {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 20}},
        });
        assert_eq!(json, expected);
        let json = serde_json::to_value(VectorStoreFileObject::from(file(Status::Completed))).unwrap();
        assert_eq!(json["last_error"], json!(null));
    }

    #[test]
    fn polling_is_advised_only_while_there_is_something_to_wait_for() {
        let advised = |status| {
            polled(file(status))
                .into_response()
                .headers()
                .contains_key("openai-poll-after-ms")
        };
        assert!(advised(Status::InProgress));
        assert!(!advised(Status::Completed));
    }

    #[test]
    fn the_filter_is_checked() {
        let query = |text| FilesQuery::from_query(&QueryParams::parse(text));
        assert_eq!(
            query("filter=failed&limit=3").unwrap().status,
            Some(Status::Failed)
        );
        assert!(
            matches!(query("filter=lost"), Err(Error::Invalid { param: Some(param), .. }) if param == "filter")
        );
    }
}
