//! Passages one by one: `/v1/insula/vector_stores/{vector_store_id}/chunks` and `…/files/{file_id}/chunks`

mod request;
mod vector;

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_core::chunk::{self, Chunk};
use insula_core::page::Order;
use insula_tenancy::scope_types::{FilesWrite, VectorStoresRead, VectorStoresWrite};
use insula_tenancy::{ChunkId, FileId, NamedScope, VectorStoreId};
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use self::request::CreateChunks;
use super::vector_store_files::VectorStoreFileObject;
use super::wire::List;
use crate::app::App;
use crate::http::{
    ApiResult, Caller, FromQuery, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query, QueryParams,
};

/// A passage of a file in a vector store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreChunk)]
pub struct ChunkObject {
    /// Its id, `chunk_…`.
    pub id: String,
    /// `vector_store.chunk`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The store.
    pub vector_store_id: String,
    /// The file.
    pub file_id: String,
    /// Place in the file, from 0.
    pub ordinal: i32,
    /// The text.
    pub text: String,
    /// Tokens of the store's embedding model.
    pub tokens: i32,
    /// ISO 639-3 code of its language; `und` where it is not certain.
    pub language: String,
    /// Page on which it starts, where the file has pages.
    #[schema(required)]
    pub page: Option<i32>,
    /// Titles of the sections that it lies in, outermost first.
    pub heading_path: Vec<String>,
    /// Character offset of its start in the text of the file.
    pub start_char: i64,
    /// Character offset behind its end.
    pub end_char: i64,
}

impl ChunkObject {
    pub(super) fn new(store_id: VectorStoreId, chunk: Chunk) -> Self {
        Self {
            id: chunk.id.to_string(),
            object: "vector_store.chunk",
            vector_store_id: store_id.to_string(),
            file_id: chunk.file_id.to_string(),
            ordinal: chunk.ordinal,
            text: chunk.text,
            tokens: chunk.tokens,
            language: chunk.language,
            page: chunk.page,
            heading_path: chunk.heading_path,
            start_char: chunk.start_char,
            end_char: chunk.end_char,
        }
    }
}

/// Another text for a chunk.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateVectorStoreChunkRequest)]
pub struct UpdateChunk {
    /// The text that takes the place of the old one.
    pub text: String,
}

/// The query of a list of chunks: in reading order unless it asks for the other one.
#[derive(Debug)]
pub struct ChunksQuery(ListQuery);

impl FromQuery for ChunksQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let mut list = ListQuery::from_query(params)?;
        if params.get("order").is_none() {
            list.order = Order::Asc;
        }
        Ok(Self(list))
    }
}

impl IntoParams for ChunksQuery {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["asc", "desc"]))
            .default(Some("asc".into()));
        let order = ParameterBuilder::new()
            .name("order")
            .parameter_in(ParameterIn::Query)
            .schema(Some(schema))
            .description(Some("Direction by place in the file."))
            .build();
        let common = <ListQuery as IntoParams>::into_params(parameter_in).into_iter();
        common
            .map(|parameter| {
                if parameter.name == "order" {
                    order.clone()
                } else {
                    parameter
                }
            })
            .collect()
    }
}

/// Puts passages that you have cut yourself into a vector store, with vectors that you have computed yourself if you like.
/// They are searchable when this answers, all of them or none.
///
/// With `file_id` they take the place of whatever that file has in the store; with `filename` a file is made of them. A
/// vector has to be of the store's embedding model; a chunk without one is embedded here.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/chunks", operation_id = "create_vector_store_chunks",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "The store's id"), IdempotencyHeader),
    request_body = CreateChunks, responses((status = OK, body = VectorStoreFileObject))
)]
pub async fn create_vector_store_chunks(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(store_id): Path<VectorStoreId>,
    OnceJson(once, request): OnceJson<CreateChunks>,
) -> ApiResult<Response> {
    if request.makes_a_file() {
        caller.require(FilesWrite::SCOPE).map_err(Error::from)?;
    }
    let new = request.read()?;
    let services = app.services.clone();
    // Looked up first and let go again, so that a repetition embeds nothing and no transaction is open meanwhile.
    let mut tx = services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    drop(tx);
    let prepared = chunk::prepare(&services, &caller, store_id, new).await?;
    let caller = caller.into_context();
    // A task of its own: should the client leave now, the bytes are still recorded or removed, not orphaned.
    let written = tokio::spawn(async move {
        let mut tx = services.db.tenant(&caller).await.map_err(Error::from)?;
        if let Some(earlier) = once.earlier(&mut tx).await? {
            return Ok(earlier);
        }
        let file = chunk::create(&mut tx, &prepared).await?;
        // From here on the row may exist, even if the commit is not confirmed: the bytes must stay.
        prepared.claim();
        once.answer(tx, &VectorStoreFileObject::from(file)).await
    });
    written.await.map_err(Error::internal)?
}

/// Lists the passages of a file of a vector store, in reading order.
#[utoipa::path(
    get, path = "/v1/insula/vector_stores/{vector_store_id}/files/{file_id}/chunks",
    operation_id = "list_vector_store_file_chunks", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("file_id" = String, Path, description = "The file's id"),
        ChunksQuery,
    ),
    responses((status = OK, body = List<ChunkObject>))
)]
pub async fn list_vector_store_file_chunks(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, file_id)): Path<(VectorStoreId, FileId)>,
    Query(ChunksQuery(list)): Query<ChunksQuery>,
) -> ApiResult<Json<List<ChunkObject>>> {
    let page = list.page(ChunkId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = chunk::list(&mut tx, store_id, file_id, page)
        .await?
        .map(|chunk| ChunkObject::new(store_id, chunk));
    Ok(Json(List::new(listing.data, listing.has_more, |chunk| {
        chunk.id.clone()
    })))
}

/// Describes a passage.
#[utoipa::path(
    get, path = "/v1/insula/vector_stores/{vector_store_id}/chunks/{chunk_id}",
    operation_id = "get_vector_store_chunk", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("chunk_id" = String, Path, description = "The chunk's id"),
    ),
    responses((status = OK, body = ChunkObject))
)]
pub async fn get_vector_store_chunk(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, chunk_id)): Path<(VectorStoreId, ChunkId)>,
) -> ApiResult<Json<ChunkObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let chunk = chunk::get(&mut tx, store_id, chunk_id).await?;
    Ok(Json(ChunkObject::new(store_id, chunk)))
}

/// Corrects a passage. It is embedded and indexed anew, and keeps its id and its place; reading the file again undoes it.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/chunks/{chunk_id}",
    operation_id = "update_vector_store_chunk", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("chunk_id" = String, Path, description = "The chunk's id"),
    ),
    request_body = UpdateChunk, responses((status = OK, body = ChunkObject))
)]
pub async fn update_vector_store_chunk(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, chunk_id)): Path<(VectorStoreId, ChunkId)>,
    Json(request): Json<UpdateChunk>,
) -> ApiResult<Json<ChunkObject>> {
    let chunk = chunk::update(&app.services, &caller, store_id, chunk_id, request.text).await?;
    Ok(Json(ChunkObject::new(store_id, chunk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_in_reading_order_unless_asked_otherwise() {
        let order = |query| {
            ChunksQuery::from_query(&QueryParams::parse(query))
                .unwrap()
                .0
                .order
        };
        assert_eq!(order(""), Order::Asc);
        assert_eq!(order("order=desc"), Order::Desc);
    }
}
