//! `/v1/insula/models/{model}/versions`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use insula_core::blob::storage_error;
use insula_core::registry::{self, ModelRef, NewVersion, VersionRef};
use insula_core::{Error, quota};
use insula_tenancy::ModelVersionId;
use insula_tenancy::scope_types::{RegistryRead, RegistryWrite};
use tracing::Instrument;

use super::form::{self, CreateVersion};
use super::wire::VersionObject;
use crate::app::App;
use crate::http::multipart::least_payload;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, Multipart, OnceKey, Path, Query};
use crate::routes::wire::{Deleted, List};

/// Adds a version. Its file is looked over, loaded and run once, in a process that is thrown away, before it is accepted.
#[utoipa::path(
    post, path = "/v1/insula/models/{model_name}/versions", operation_id = "create_model_version", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"), IdempotencyHeader),
    request_body(content = CreateVersion, content_type = "multipart/form-data"),
    responses((status = OK, body = VersionObject))
)]
pub async fn create_model_version(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    key: OnceKey,
    headers: HeaderMap,
    multipart: Multipart,
) -> ApiResult<Response> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let model = ModelRef::Id(registry::get(&mut tx, &model).await?.id);
    if let Some(bytes) = least_payload(&headers) {
        quota::expect_bytes(&mut tx, bytes).await?;
    }
    tx.commit().await?;
    let received = form::receive(&app.services.blobs, caller.tenant_id(), multipart).await?;
    let once = key.over(&received.fingerprint());
    let (services, cx) = (app.services.clone(), caller.into_context());
    // A task of its own: should the client leave now, the bytes are still recorded or removed, not orphaned.
    let recorded = async move {
        let mut tx = services.db.tenant(&cx).await.map_err(Error::from)?;
        if let Some(earlier) = once.earlier(&mut tx).await? {
            return Ok(earlier);
        }
        // Not committed: the key is taken with the answer, and not held while the model is examined.
        drop(tx);
        let local = async |name: &str| services.blobs.local(name).await.map_err(storage_error);
        let graph = local(&received.model.name).await?;
        let tokenizer = match &received.tokenizer {
            Some(blob) => Some(local(&blob.name).await?),
            None => None,
        };
        let examined = services.runtime.examine(&graph, tokenizer.as_deref()).await?;
        let fits = received.spec.fits(&examined.signature, tokenizer.is_some());
        fits.map_err(|error| error.within("spec"))?;
        let new = NewVersion {
            spec: received.spec.clone(),
            model: received.model.clone(),
            tokenizer: received.tokenizer.clone(),
            examined,
        };
        let mut tx = services.db.tenant(&cx).await.map_err(Error::from)?;
        if let Some(earlier) = once.earlier(&mut tx).await? {
            return Ok(earlier);
        }
        let version = registry::create_version(&mut tx, &cx, &model, &new).await?;
        // From here on the row may exist, even if the commit is not confirmed: the bytes must stay.
        received.claim();
        once.answer(tx, &VersionObject::from(version)).await
    };
    let recorded = tokio::spawn(recorded.in_current_span()).await;
    recorded.map_err(Error::internal)?
}

/// Lists the versions of a model.
#[utoipa::path(
    get, path = "/v1/insula/models/{model_name}/versions", operation_id = "list_model_versions", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"), ListQuery),
    responses((status = OK, body = List<VersionObject>))
)]
pub async fn list_model_versions(
    caller: Caller<RegistryRead>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<VersionObject>>> {
    let page = query.page(ModelVersionId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = registry::list_versions(&mut tx, &model, page)
        .await?
        .map(VersionObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |version| {
        version.id.clone()
    })))
}

/// Describes a version.
#[utoipa::path(
    get, path = "/v1/insula/models/{model_name}/versions/{model_version}", operation_id = "get_model_version",
    tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"),
           ("model_version" = String, Path, description = "Its number, its id `modelv_…`, `production` or `canary`")),
    responses((status = OK, body = VersionObject))
)]
pub async fn get_model_version(
    caller: Caller<RegistryRead>,
    State(app): State<App>,
    Path((model, version)): Path<(ModelRef, VersionRef)>,
) -> ApiResult<Json<VersionObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let version = registry::get_version(&mut tx, &model, version).await?;
    Ok(Json(version.into()))
}

/// Deletes a version that no alias names.
#[utoipa::path(
    delete, path = "/v1/insula/models/{model_name}/versions/{model_version}", operation_id = "delete_model_version",
    tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"),
           ("model_version" = String, Path, description = "Its number, or its id `modelv_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_model_version(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path((model, version)): Path<(ModelRef, VersionRef)>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let gone = registry::delete_version(&mut tx, &model, version).await?;
    tx.commit().await?;
    app.services.runtime.forget(caller.tenant_id(), gone.id);
    Ok(Json(Deleted::new(gone.id, "model_version.deleted")))
}
