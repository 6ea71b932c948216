//! `/v1/vector_stores`

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_core::vector_store::{self, NewVectorStore, VectorStore, VectorStoreUpdate};
use insula_tenancy::VectorStoreId;
use insula_tenancy::scope_types::{VectorStoresRead, VectorStoresWrite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attributes::storable;
use super::chunking::ChunkingParam;
use super::ids::body_ids;
use super::wire::{Deleted, List, Patch, seconds};
use crate::app::App;
use crate::http::validate::{required, unsupported};
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// A vector store to be made. All fields are optional.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateVectorStoreRequest)]
pub struct CreateVectorStore {
    /// A name for people.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Up to 500 files to attach at once.
    pub file_ids: Option<Vec<String>>,
    /// When it expires.
    pub expires_after: Option<ExpiresAfter>,
    /// How the files are cut.
    pub chunking_strategy: Option<ChunkingParam>,
    /// Up to 16 notes of the client's own.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The embedding model; the server's default if absent. It cannot be changed later.
    pub embedding_model: Option<String>,
}

/// Changes of a vector store. Absent fields stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateVectorStoreRequest)]
pub struct UpdateVectorStore {
    /// A new name.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// A new description.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// A new expiry.
    #[serde(default)]
    #[schema(value_type = Option<ExpiresAfter>)]
    pub expires_after: Patch<ExpiresAfter>,
    /// Replaces all metadata.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: Patch<BTreeMap<String, String>>,
}

/// When a vector store expires: some days after it was last used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = VectorStoreExpirationAfter)]
pub struct ExpiresAfter {
    /// `last_active_at`
    #[schema(example = "last_active_at")]
    pub anchor: Option<String>,
    /// How many days.
    #[schema(minimum = 1, maximum = 365)]
    pub days: Option<i32>,
}

impl ExpiresAfter {
    /// The days; the domain checks their range.
    fn days(self) -> Result<i32, Error> {
        match self.anchor.as_deref() {
            Some("last_active_at") => required("expires_after.days", self.days),
            None => required("expires_after.anchor", None),
            Some(_) => Err(unsupported(
                "expires_after.anchor",
                "An anchor other than 'last_active_at'",
            )),
        }
    }
}

/// A searchable set of files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStore)]
pub struct VectorStoreObject {
    /// Its id, `vs_…`.
    pub id: String,
    /// `vector_store`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Its name; empty if it was given none.
    pub name: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Bytes of its passages and vectors.
    pub usage_bytes: i64,
    /// Its files by state.
    pub file_counts: FileCounts,
    /// Whether all its files have been read.
    pub status: VectorStoreStatus,
    /// When it expires, in days after its last use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<ExpiresAfter>,
    /// Unix seconds of its expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Unix seconds of its last use.
    pub last_active_at: i64,
    /// The client's own notes.
    pub metadata: BTreeMap<String, String>,
    /// The model of its vectors.
    pub embedding_model: String,
}

/// Whether a vector store's files have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorStoreStatus {
    /// Its time has run out.
    Expired,
    /// Some files are being read.
    InProgress,
    /// All files have been read, or could not be.
    Completed,
}

/// How many files are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VectorStoreFileCounts)]
pub struct FileCounts {
    /// Waiting or being read.
    pub in_progress: i64,
    /// Searchable.
    pub completed: i64,
    /// Not readable.
    pub failed: i64,
    /// Given up on request.
    pub cancelled: i64,
    /// All of them.
    pub total: i64,
}

impl From<vector_store::FileCounts> for FileCounts {
    fn from(counts: vector_store::FileCounts) -> Self {
        let vector_store::FileCounts {
            in_progress,
            completed,
            failed,
            cancelled,
        } = counts;
        Self {
            in_progress,
            completed,
            failed,
            cancelled,
            total: counts.total(),
        }
    }
}

impl From<VectorStore> for VectorStoreObject {
    fn from(store: VectorStore) -> Self {
        let status = match store {
            VectorStore { expired: true, .. } => VectorStoreStatus::Expired,
            VectorStore { file_counts, .. } if file_counts.in_progress > 0 => VectorStoreStatus::InProgress,
            VectorStore { .. } => VectorStoreStatus::Completed,
        };
        let expires_after = store.expires_after_days.map(|days| ExpiresAfter {
            anchor: Some("last_active_at".into()),
            days: Some(days),
        });
        Self {
            id: store.id.to_string(),
            object: "vector_store",
            created_at: seconds(store.created_at),
            usage_bytes: store.usage_bytes,
            file_counts: store.file_counts.into(),
            status,
            expires_after,
            expires_at: store.expires_at().map(seconds),
            last_active_at: seconds(store.last_active_at),
            name: store.name,
            description: store.description,
            metadata: store.metadata,
            embedding_model: store.embedding_model,
        }
    }
}

/// Makes a vector store.
#[utoipa::path(
    post, path = "/v1/vector_stores", operation_id = "create_vector_store", tag = "vector stores",
    params(IdempotencyHeader), request_body = CreateVectorStore, responses((status = OK, body = VectorStoreObject))
)]
pub async fn create_vector_store(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateVectorStore>,
) -> ApiResult<Response> {
    let metadata = request.metadata.unwrap_or_default();
    storable(&metadata)?;
    let new = NewVectorStore {
        name: request.name.unwrap_or_default(),
        description: request.description,
        metadata,
        embedding_model: request.embedding_model,
        expires_after_days: request.expires_after.map(ExpiresAfter::days).transpose()?,
        file_ids: body_ids("file_ids", &request.file_ids.unwrap_or_default())?,
        chunking: ChunkingParam::read(request.chunking_strategy)?,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let store = vector_store::create(&mut tx, &app.services.models, new).await?;
    once.answer(tx, &VectorStoreObject::from(store)).await
}

/// Lists vector stores.
#[utoipa::path(
    get, path = "/v1/vector_stores", operation_id = "list_vector_stores", tag = "vector stores",
    params(ListQuery), responses((status = OK, body = List<VectorStoreObject>))
)]
pub async fn list_vector_stores(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<VectorStoreObject>>> {
    let page = query.page(VectorStoreId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = vector_store::list(&mut tx, page)
        .await?
        .map(VectorStoreObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |store| {
        store.id.clone()
    })))
}

/// Describes a vector store.
#[utoipa::path(
    get, path = "/v1/vector_stores/{vector_store_id}", operation_id = "get_vector_store", tag = "vector stores",
    params(("vector_store_id" = String, Path, description = "Its id, `vs_…`")),
    responses((status = OK, body = VectorStoreObject))
)]
pub async fn get_vector_store(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path(id): Path<VectorStoreId>,
) -> ApiResult<Json<VectorStoreObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(vector_store::get(&mut tx, id).await?.into()))
}

/// Changes a vector store.
#[utoipa::path(
    post, path = "/v1/vector_stores/{vector_store_id}", operation_id = "update_vector_store",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "Its id, `vs_…`")),
    request_body = UpdateVectorStore, responses((status = OK, body = VectorStoreObject))
)]
pub async fn update_vector_store(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(id): Path<VectorStoreId>,
    Json(request): Json<UpdateVectorStore>,
) -> ApiResult<Json<VectorStoreObject>> {
    if let Patch::Set(metadata) = &request.metadata {
        storable(metadata)?;
    }
    let update = VectorStoreUpdate {
        name: request.name.into(),
        description: request.description.into(),
        metadata: request.metadata.into(),
        expires_after_days: request.expires_after.try_map(ExpiresAfter::days)?.into(),
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    let store = vector_store::update(&mut tx, id, update).await?;
    tx.commit().await?;
    Ok(Json(store.into()))
}

/// Deletes a vector store with its passages and vectors. The files stay.
#[utoipa::path(
    delete, path = "/v1/vector_stores/{vector_store_id}", operation_id = "delete_vector_store",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "Its id, `vs_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_vector_store(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(id): Path<VectorStoreId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    vector_store::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "vector_store.deleted")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use serde_json::json;

    fn store() -> VectorStore {
        VectorStore {
            id: VectorStoreId::generate(),
            name: String::new(),
            description: None,
            metadata: BTreeMap::new(),
            embedding_model: "m".into(),
            expires_after_days: None,
            created_at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            last_active_at: DateTime::from_timestamp(1_700_000_100, 0).unwrap(),
            usage_bytes: 7,
            file_counts: vector_store::FileCounts {
                completed: 2,
                failed: 1,
                ..Default::default()
            },
            expired: false,
        }
    }

    #[test]
    fn a_store_has_every_key_that_clients_read() {
        let store = store();
        let id = store.id.to_string();
        let json = serde_json::to_value(VectorStoreObject::from(store)).unwrap();
        let expected = json!({
            "id": id, "object": "vector_store", "created_at": 1_700_000_000, "name": "", "usage_bytes": 7,
            "file_counts": {"in_progress": 0, "completed": 2, "failed": 1, "cancelled": 0, "total": 3},
            "status": "completed", "last_active_at": 1_700_000_100, "metadata": {}, "embedding_model": "m",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn status_and_expiry_follow_the_store() {
        let mut store = store();
        store.expires_after_days = Some(2);
        store.file_counts.in_progress = 1;
        let object = VectorStoreObject::from(store.clone());
        assert_eq!(object.status, VectorStoreStatus::InProgress);
        assert_eq!(object.expires_at, Some(1_700_000_100 + 2 * 86_400));
        store.expired = true;
        assert_eq!(VectorStoreObject::from(store).status, VectorStoreStatus::Expired);
    }

    #[test]
    fn expiry_is_counted_from_the_last_use_only() {
        let param = |anchor: Option<&str>, days| {
            let expires_after = ExpiresAfter {
                anchor: anchor.map(str::to_owned),
                days,
            };
            match expires_after.days() {
                Ok(days) => days.to_string(),
                Err(Error::Invalid { param, .. }) => param.unwrap(),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(param(Some("last_active_at"), Some(3)), "3");
        assert_eq!(param(Some("last_active_at"), None), "expires_after.days");
        assert_eq!(param(None, Some(3)), "expires_after.anchor");
        assert_eq!(param(Some("created_at"), Some(3)), "expires_after.anchor");
    }
}
