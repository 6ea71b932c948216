//! `GET /v1/insula/vector_stores/{vector_store_id}/index`

use axum::extract::State;
use insula_core::search::{self, IndexMode, StoreIndex};
use insula_tenancy::VectorStoreId;
use insula_tenancy::scope_types::VectorStoresRead;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Caller, Json, Path};

/// How a vector store is searched, and how well.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreIndex)]
pub struct IndexObject {
    /// `vector_store.index`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The store.
    pub vector_store_id: String,
    /// `exact`: all passages are compared exactly; `two_stage`: one bit per dimension of every passage says which ones are.
    #[schema(value_type = String)]
    pub mode: &'static str,
    /// How many passages there are.
    pub chunks: i64,
    /// How much of the nearest passages searches find; null until some were compared. Nothing is compared where the mode is
    /// `exact` from the beginning.
    #[schema(required)]
    pub recall: Option<IndexRecall>,
    /// How many passages are compared exactly. More than the model needs, where less was not enough.
    pub candidates: i64,
    /// Whether the server that answers has the vectors in its memory.
    pub accelerated: bool,
}

/// How much of the nearest passages searches find, by searches that were made again exactly.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreIndexRecall)]
pub struct IndexRecall {
    /// The share of the ten nearest, 0 to 1.
    pub at_10: f64,
    /// How many searches were compared since `candidates` last changed.
    pub samples: i64,
    /// Unix seconds of the last one.
    pub measured_at: i64,
}

impl From<StoreIndex> for IndexObject {
    fn from(index: StoreIndex) -> Self {
        Self {
            object: "vector_store.index",
            vector_store_id: index.vector_store_id.to_string(),
            mode: match index.mode {
                IndexMode::Exact => "exact",
                IndexMode::TwoStage => "two_stage",
            },
            chunks: index.chunks,
            recall: index.recall.map(|recall| IndexRecall {
                at_10: recall.at_10,
                samples: recall.samples,
                measured_at: recall.measured_at.timestamp(),
            }),
            candidates: index.candidates,
            accelerated: index.accelerated,
        }
    }
}

/// Tells how a vector store is searched, and how well.
#[utoipa::path(
    get, path = "/v1/insula/vector_stores/{vector_store_id}/index", operation_id = "get_vector_store_index",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "The store's id")),
    responses((status = OK, body = IndexObject))
)]
pub async fn get_vector_store_index(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path(vector_store_id): Path<VectorStoreId>,
) -> ApiResult<Json<IndexObject>> {
    let index = search::index(&app.services, &caller, vector_store_id).await?;
    Ok(Json(index.into()))
}
