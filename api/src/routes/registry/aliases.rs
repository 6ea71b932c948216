//! Which version of a model answers.

use axum::extract::State;
use insula_core::prediction;
use insula_core::registry::{self, ModelRef, VersionRef};
use insula_tenancy::ActivationId;
use insula_tenancy::scope_types::{RegistryRead, RegistryWrite};
use serde::Deserialize;
use utoipa::ToSchema;

use super::wire::{ActivationObject, ModelObject};
use crate::app::App;
use crate::http::{ApiResult, Caller, Json, ListQuery, Path, Query};
use crate::routes::wire::List;

/// Which version is to answer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ActivateModelRequest)]
pub struct ActivateModel {
    /// Its number.
    #[schema(minimum = 1)]
    pub version: i32,
    /// How many calls in a hundred it gets, as the canary. Absent: it becomes production and gets all.
    #[schema(minimum = 1, maximum = 99)]
    pub canary_percent: Option<i32>,
}

/// Has a version answer. It is loaded first; from this answer on nobody who names no version gets another.
#[utoipa::path(
    post, path = "/v1/insula/models/{model_name}/activate", operation_id = "activate_model_version", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    request_body = ActivateModel, responses((status = OK, body = ModelObject))
)]
pub async fn activate_model_version(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    Json(request): Json<ActivateModel>,
) -> ApiResult<Json<ModelObject>> {
    let version = VersionRef::Number(request.version);
    let mut tx = app.services.db.tenant(&caller).await?;
    // Refused before it is loaded, if it will be.
    let found = registry::check_gate(&mut tx, &model, version).await?;
    tx.commit().await?;
    prediction::warm(&app.services, &caller, &found).await?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let model = registry::activate(&mut tx, &caller, &model, version, request.canary_percent).await?;
    tx.commit().await?;
    Ok(Json(model.into()))
}

/// Goes back: ends the canary if there is one, else production becomes what it was before.
#[utoipa::path(
    post, path = "/v1/insula/models/{model_name}/rollback", operation_id = "roll_back_model", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    responses((status = OK, body = ModelObject))
)]
pub async fn roll_back_model(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
) -> ApiResult<Json<ModelObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let model = registry::roll_back(&mut tx, &caller, &model).await?;
    tx.commit().await?;
    Ok(Json(model.into()))
}

/// Ends the canary. Production answers all again.
#[utoipa::path(
    post, path = "/v1/insula/models/{model_name}/canary/end", operation_id = "end_model_canary", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    responses((status = OK, body = ModelObject))
)]
pub async fn end_model_canary(
    caller: Caller<RegistryWrite>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
) -> ApiResult<Json<ModelObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let model = registry::end_canary(&mut tx, &caller, &model).await?;
    tx.commit().await?;
    Ok(Json(model.into()))
}

/// Lists the changes of a model's aliases.
#[utoipa::path(
    get, path = "/v1/insula/models/{model_name}/activations", operation_id = "list_model_activations", tag = "registry",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"), ListQuery),
    responses((status = OK, body = List<ActivationObject>))
)]
pub async fn list_model_activations(
    caller: Caller<RegistryRead>,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<ActivationObject>>> {
    let page = query.page(ActivationId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = registry::list_activations(&mut tx, &model, page)
        .await?
        .map(ActivationObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |activation| {
        activation.id.clone()
    })))
}
