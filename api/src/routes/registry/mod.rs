//! `/v1/insula/models`: tenants' own models, their versions, and which of them answers.

pub mod aliases;
mod form;
pub mod versions;
pub mod wire;

use axum::extract::State;
use axum::response::Response;
use insula_core::registry::{self, Gate, ModelRef, ModelSettings, VersionRef};
use insula_tenancy::scope_types::{RegistryRead, RegistryWrite};
use insula_tenancy::{ActivationId, ModelVersionId, RegisteredModelId};

use self::wire::{CreateModel, ModelGate, ModelObject, UpdateModel};
use super::attributes::storable;
use super::wire::{Deleted, List};
use crate::app::App;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, PathId, Query};

impl PathId for ModelRef {
    const WHAT: &'static str = "model";
}

impl PathId for VersionRef {
    const WHAT: &'static str = "model version";
}

impl PathId for RegisteredModelId {
    const WHAT: &'static str = "model";
}

impl PathId for ModelVersionId {
    const WHAT: &'static str = "model version";
}

impl PathId for ActivationId {
    const WHAT: &'static str = "model activation";
}

/// Makes a model. It has no versions yet, and answers nobody.
#[utoipa::path(
    post, path = "/v1/insula/models", operation_id = "create_registered_model", tag = "registry",
    params(IdempotencyHeader), request_body = CreateModel, responses((status = OK, body = ModelObject))
)]
pub async fn create_registered_model(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateModel>,
) -> ApiResult<Response> {
    let settings = ModelSettings {
        description: request.description,
        metadata: request.metadata.unwrap_or_default(),
        gate: request.gate.map(Gate::from),
        cache_ttl_seconds: request.cache_ttl_seconds,
    };
    storable(&settings.metadata)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let model = registry::create(&mut tx, &request.name, &settings).await?;
    once.answer(tx, &ModelObject::from(model)).await
}

/// Lists models.
#[utoipa::path(
    get, path = "/v1/insula/models", operation_id = "list_registered_models", tag = "registry",
    params(ListQuery), responses((status = OK, body = List<ModelObject>))
)]
pub async fn list_registered_models(
    caller: Caller<RegistryRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<ModelObject>>> {
    let page = query.page(RegisteredModelId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = registry::list(&mut tx, page).await?.map(ModelObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |model| {
        model.id.clone()
    })))
}

/// Describes a model.
#[utoipa::path(
    get, path = "/v1/insula/models/{model_name}", operation_id = "get_registered_model", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    responses((status = OK, body = ModelObject))
)]
pub async fn get_registered_model(
    caller: Caller<RegistryRead>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
) -> ApiResult<Json<ModelObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(registry::get(&mut tx, &model).await?.into()))
}

/// Changes a model. Versions that are active stay so, whatever the gate says from now on.
#[utoipa::path(
    post, path = "/v1/insula/models/{model_name}", operation_id = "update_registered_model", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    request_body = UpdateModel, responses((status = OK, body = ModelObject))
)]
pub async fn update_registered_model(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    Json(request): Json<UpdateModel>,
) -> ApiResult<Json<ModelObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let current = registry::get(&mut tx, &model).await?;
    let mut settings = current.settings;
    let optional = |patch: super::wire::Patch<ModelGate>| Option::<Option<ModelGate>>::from(patch);
    if let Some(description) = Option::<Option<String>>::from(request.description) {
        settings.description = description;
    }
    request.metadata.apply(&mut settings.metadata, Default::default());
    storable(&settings.metadata)?;
    if let Some(gate) = optional(request.gate) {
        settings.gate = gate.map(Gate::from);
    }
    if let Some(seconds) = Option::<Option<i32>>::from(request.cache_ttl_seconds) {
        settings.cache_ttl_seconds = seconds;
    }
    let updated = registry::update(&mut tx, &ModelRef::Id(current.id), &settings).await?;
    tx.commit().await?;
    Ok(Json(updated.into()))
}

/// Deletes a model with all its versions.
#[utoipa::path(
    delete, path = "/v1/insula/models/{model_name}", operation_id = "delete_registered_model", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_registered_model(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let (model, versions) = registry::delete(&mut tx, &model).await?;
    tx.commit().await?;
    for version in versions {
        app.services.runtime.forget(caller.tenant_id(), version);
    }
    Ok(Json(Deleted::new(model.id, "registered_model.deleted")))
}
