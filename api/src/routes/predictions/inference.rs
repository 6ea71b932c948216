//! `/v2`: the Open Inference Protocol, for clients that speak it already, such as Triton's.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use insula_core::page::Page;
use insula_core::prediction::{self, Call, Input};
use insula_core::registry::{self, ModelRef, VersionRef};
use insula_tenancy::TenantContext;
use insula_tenancy::scope_types::{PredictWrite, RegistryRead};
use serde::Serialize;
use utoipa::ToSchema;

use super::protocol::{Inference, InferenceRequest, InferenceResponse};
use super::{PredictionHeaders, Wanted, metered_as};
use crate::app::App;
use crate::http::{ApiResult, Caller, Json, Path, RawBody, RequestId, limits};
use crate::routes::health::{self, Health};
use crate::routes::registry::wire::ModelTensor;

/// What serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct InferenceServer {
    /// `insula`
    #[schema(value_type = String)]
    pub name: &'static str,
    /// Its version.
    #[schema(value_type = String)]
    pub version: &'static str,
    /// What it can do beyond the protocol.
    #[schema(value_type = Vec<String>)]
    pub extensions: [&'static str; 1],
}

/// A model as the protocol describes it.
#[derive(Debug, Serialize, ToSchema)]
pub struct InferenceModel {
    /// Its name.
    pub name: String,
    /// Its latest versions, newest first.
    pub versions: Vec<String>,
    /// `onnxruntime_onnx`
    #[schema(value_type = String)]
    pub platform: &'static str,
    /// What it takes.
    pub inputs: Vec<ModelTensor>,
    /// What it gives.
    pub outputs: Vec<ModelTensor>,
}

/// Whether a model can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct InferenceReady {
    /// Its name.
    pub name: String,
    /// Always true; otherwise the answer is an error.
    pub ready: bool,
}

/// What serves, and what it can do.
#[utoipa::path(
    get, path = "/v2", operation_id = "get_inference_server", tag = "open inference protocol",
    responses((status = OK, body = InferenceServer))
)]
pub async fn get_inference_server(_caller: Caller<RegistryRead>) -> Json<InferenceServer> {
    Json(InferenceServer {
        name: "insula",
        version: env!("CARGO_PKG_VERSION"),
        extensions: ["binary_tensor_data"],
    })
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/v2/health/live", operation_id = "get_inference_liveness", tag = "open inference protocol", security(()),
    responses((status = OK, body = Health))
)]
pub async fn get_inference_liveness() -> Json<Health> {
    health::get_liveness().await
}

/// Whether the server can answer requests.
#[utoipa::path(
    get, path = "/v2/health/ready", operation_id = "get_inference_readiness", tag = "open inference protocol",
    security(()),
    responses((status = OK, body = Health), (status = SERVICE_UNAVAILABLE, body = Health))
)]
pub async fn get_inference_readiness(state: State<App>) -> (StatusCode, Json<Health>) {
    health::get_readiness(state).await
}

/// Describes a model by the version that is production.
#[utoipa::path(
    get, path = "/v2/models/{model_name}", operation_id = "get_inference_model", tag = "open inference protocol",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    responses((status = OK, body = InferenceModel))
)]
pub async fn get_inference_model(
    caller: Caller<RegistryRead>,
    request_id: RequestId,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
) -> ApiResult<Json<InferenceModel>> {
    describe(&app, &caller, &request_id, model, None).await
}

/// Describes a version of a model.
#[utoipa::path(
    get, path = "/v2/models/{model_name}/versions/{model_version}", operation_id = "get_inference_model_version",
    tag = "open inference protocol",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"),
           ("model_version" = String, Path, description = "Its number, its id `modelv_…`, `production` or `canary`")),
    responses((status = OK, body = InferenceModel))
)]
pub async fn get_inference_model_version(
    caller: Caller<RegistryRead>,
    request_id: RequestId,
    State(app): State<App>,
    Path((model, version)): Path<(ModelRef, VersionRef)>,
) -> ApiResult<Json<InferenceModel>> {
    describe(&app, &caller, &request_id, model, Some(version)).await
}

async fn describe(
    app: &App,
    cx: &TenantContext,
    request_id: &RequestId,
    model: ModelRef,
    version: Option<VersionRef>,
) -> ApiResult<Json<InferenceModel>> {
    let request = metered_as(request_id);
    let call = Call {
        model: &model,
        // Of two that answer, the one that answers most.
        version: version.or(VersionRef::new("production")),
        affinity: None,
        request: &request,
    };
    let answering = prediction::resolve(&app.services, cx, &call).await?;
    let mut tx = app.services.db.tenant(cx).await?;
    let versions = registry::list_versions(&mut tx, &model, Page::first(100)).await?;
    let signature = answering.loadable.signature;
    Ok(Json(InferenceModel {
        name: answering.model,
        versions: versions
            .data
            .iter()
            .map(|version| version.version.to_string())
            .collect(),
        platform: "onnxruntime_onnx",
        inputs: signature.inputs.into_iter().map(ModelTensor::from).collect(),
        outputs: signature.outputs.into_iter().map(ModelTensor::from).collect(),
    }))
}

/// Whether a model can be asked: a version of it is production.
#[utoipa::path(
    get, path = "/v2/models/{model_name}/ready", operation_id = "get_inference_model_readiness",
    tag = "open inference protocol",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`")),
    responses((status = OK, body = InferenceReady))
)]
pub async fn get_inference_model_readiness(
    caller: Caller<RegistryRead>,
    request_id: RequestId,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
) -> ApiResult<Json<InferenceReady>> {
    ready(&app, &caller, &request_id, model, None).await
}

/// Whether a version of a model can be asked.
#[utoipa::path(
    get, path = "/v2/models/{model_name}/versions/{model_version}/ready",
    operation_id = "get_inference_model_version_readiness", tag = "open inference protocol",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"),
           ("model_version" = String, Path, description = "Its number, its id `modelv_…`, `production` or `canary`")),
    responses((status = OK, body = InferenceReady))
)]
pub async fn get_inference_model_version_readiness(
    caller: Caller<RegistryRead>,
    request_id: RequestId,
    State(app): State<App>,
    Path((model, version)): Path<(ModelRef, VersionRef)>,
) -> ApiResult<Json<InferenceReady>> {
    ready(&app, &caller, &request_id, model, Some(version)).await
}

async fn ready(
    app: &App,
    cx: &TenantContext,
    request_id: &RequestId,
    model: ModelRef,
    version: Option<VersionRef>,
) -> ApiResult<Json<InferenceReady>> {
    let request = metered_as(request_id);
    let call = Call {
        model: &model,
        version,
        affinity: None,
        request: &request,
    };
    let answering = prediction::resolve(&app.services, cx, &call).await?;
    Ok(Json(InferenceReady {
        name: answering.model,
        ready: true,
    }))
}

/// Runs a model on tensors, in JSON or binary.
#[utoipa::path(
    post, path = "/v2/models/{model_name}/infer", operation_id = "infer", tag = "open inference protocol",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"), PredictionHeaders),
    request_body = InferenceRequest, responses((status = OK, body = InferenceResponse))
)]
pub async fn infer(
    caller: Caller<PredictWrite>,
    request_id: RequestId,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> ApiResult<Response> {
    let wanted = Wanted::read(&headers)?;
    run(
        &app,
        &caller,
        &request_id,
        &model,
        wanted,
        Inference::read(&headers, &body)?,
    )
    .await
}

/// Runs a version of a model on tensors, in JSON or binary.
#[utoipa::path(
    post, path = "/v2/models/{model_name}/versions/{model_version}/infer", operation_id = "infer_by_version",
    tag = "open inference protocol",
    params(("model_name" = String, Path, description = "Its name, or its id `model_…`"),
           ("model_version" = String, Path, description = "Its number, its id `modelv_…`, `production` or `canary`")),
    request_body = InferenceRequest, responses((status = OK, body = InferenceResponse))
)]
pub async fn infer_by_version(
    caller: Caller<PredictWrite>,
    request_id: RequestId,
    State(app): State<App>,
    Path((model, version)): Path<(ModelRef, VersionRef)>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> ApiResult<Response> {
    let wanted = Wanted {
        version: Some(version),
        affinity: None,
    };
    run(
        &app,
        &caller,
        &request_id,
        &model,
        wanted,
        Inference::read(&headers, &body)?,
    )
    .await
}

async fn run(
    app: &App,
    cx: &TenantContext,
    request_id: &RequestId,
    model: &ModelRef,
    wanted: Wanted,
    mut inference: Inference,
) -> ApiResult<Response> {
    let request = metered_as(request_id);
    let call = Call {
        model,
        version: wanted.version,
        affinity: wanted.affinity.as_deref(),
        request: &request,
    };
    let answering = prediction::resolve(&app.services, cx, &call).await?;
    let input = Input::Tensors(std::mem::take(&mut inference.tensors));
    let predicted = prediction::predict(&app.services, cx, &call, &answering, input).await?;
    let mut response = inference.answer(answering.model, answering.version, &predicted.outputs)?;
    limits::write(response.headers_mut(), predicted.standings);
    Ok(response)
}
