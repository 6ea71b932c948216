//! `/v1/insula/predict`: tenants' own models, asked by rows, tensors, texts or images.

pub mod inference;
pub mod protocol;

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use insula_core::prediction::{self, Answering, Call, Input, Prediction, tensors_of_rows};
use insula_core::registry::{ModelRef, VersionRef, no_version};
use insula_core::{Error, metering};
use insula_tenancy::TenantContext;
use insula_tenancy::scope_types::PredictWrite;
use insula_tenancy::usage::Endpoint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::limits::Limited;
use crate::http::multipart::{bytes_up_to, text};
use crate::http::validate::range;
use crate::http::{ApiResult, Caller, Json, Multipart, Path, RequestId};

/// Names a version, where the path does not.
const VERSION: HeaderName = HeaderName::from_static("x-insula-model-version");
/// Callers that send the same get the same of production and canary.
const AFFINITY: HeaderName = HeaderName::from_static("x-insula-affinity");

/// The headers of a prediction, for the documentation.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the headers; Wanted reads them")]
pub struct PredictionHeaders {
    /// A version's number, its id, `production` or `canary`. Absent: production, or for some the canary.
    #[param(rename = "x-insula-model-version")]
    version: Option<String>,
    /// Any text: calls that send the same get the same of production and canary, as long as the percentage stays.
    #[param(rename = "x-insula-affinity")]
    affinity: Option<String>,
}

/// What headers want of a call.
struct Wanted {
    version: Option<VersionRef>,
    affinity: Option<String>,
}

impl Wanted {
    fn read(headers: &HeaderMap) -> Result<Self, Error> {
        let header = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let version = header(&VERSION).map(|text| VersionRef::new(text).ok_or_else(|| no_version(text)));
        Ok(Self {
            version: version.transpose()?,
            affinity: header(&AFFINITY).map(|text| text.chars().take(512).collect()),
        })
    }
}

/// The request behind a prediction, for the ledger.
fn metered_as(request_id: &RequestId) -> metering::Request {
    metering::Request {
        id: request_id.uuid(),
        end_user: None,
        endpoint: Endpoint::Predictions,
        streamed: false,
    }
}

/// What a model is to look at. One of `inputs`, `rows` and `texts`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PredictRequest)]
pub struct Predict {
    /// Tensors by the names of the model's inputs, as nested arrays.
    #[schema(value_type = Option<Object>)]
    pub inputs: Option<Map<String, Value>>,
    /// Rows by column name.
    #[schema(value_type = Option<Vec<Object>>)]
    pub rows: Option<Vec<Map<String, Value>>>,
    /// Texts.
    pub texts: Option<Vec<String>>,
    /// How many of the best classes are told.
    #[schema(minimum = 0, maximum = 1000)]
    pub top_k: Option<usize>,
}

/// Images that a model is to look at.
#[derive(ToSchema)]
#[schema(as = PredictForm)]
#[expect(dead_code, reason = "documents a form that is read field by field")]
pub(super) struct PredictForm {
    /// A PNG, JPEG, WebP or BMP; may be repeated.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
    /// How many of the best classes are told.
    top_k: Option<usize>,
}

/// What a model made of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PredictResponse)]
pub struct PredictionObject {
    /// `prediction`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: i32,
    /// One for each row, text or image, in their order.
    pub predictions: Vec<PredictedRow>,
    /// Whether it was computed for an earlier request.
    pub cached: bool,
}

/// What a model made of one row, text or image.
#[derive(Debug, Serialize, ToSchema)]
pub struct PredictedRow {
    /// The class, if the model knows any.
    #[schema(required)]
    pub label: Option<String>,
    /// How sure the model is of it.
    #[schema(required)]
    pub probability: Option<f64>,
    /// The best classes, best first, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<Vec<RankedLabel>>,
    /// The row's part of each output.
    #[schema(value_type = Object)]
    pub outputs: Map<String, Value>,
}

/// A class with its probability.
#[derive(Debug, Serialize, ToSchema)]
pub struct RankedLabel {
    /// The class.
    pub label: String,
    /// Its probability.
    pub probability: f64,
}

impl PredictedRow {
    fn new(prediction: Prediction, with_top: bool) -> Self {
        let top = prediction.top.into_iter();
        let top = top.map(|(label, probability)| RankedLabel { label, probability });
        Self {
            label: prediction.label,
            probability: prediction.probability,
            top: with_top.then(|| top.collect()),
            outputs: prediction.outputs,
        }
    }
}

/// What was asked, before it is known which version answers.
enum Asked {
    Tensors(Map<String, Value>),
    Rows(Vec<Map<String, Value>>),
    Texts(Vec<String>),
    Images(Vec<Bytes>),
}

impl Asked {
    fn of(request: Predict) -> Result<Self, Error> {
        match (request.inputs, request.rows, request.texts) {
            (Some(inputs), None, None) => Ok(Self::Tensors(inputs)),
            (None, Some(rows), None) => Ok(Self::Rows(rows)),
            (None, None, Some(texts)) => Ok(Self::Texts(texts)),
            _ => Err(Error::invalid(
                "inputs",
                "Send one of 'inputs', 'rows' and 'texts'.",
            )),
        }
    }

    /// What the version gets, and how many rows that is.
    fn input(self, answering: &Answering) -> Result<(Input, usize), Error> {
        let signature = &answering.loadable.signature;
        Ok(match self {
            Self::Tensors(inputs) => {
                let mut tensors = Vec::with_capacity(inputs.len());
                for (name, value) in &inputs {
                    let spec = signature
                        .input(Some(name))
                        .map_err(|error| error.about("inputs"))?;
                    tensors.push(prediction::json::from_nested(name, spec.datatype, value)?);
                }
                let rows = tensors.iter().filter_map(|tensor| tensor.rows());
                let rows = if signature.is_free() { rows.max() } else { None };
                (Input::Tensors(tensors), rows.unwrap_or(1))
            }
            Self::Rows(rows) => {
                let tensors = tensors_of_rows(signature, &answering.spec, &rows)?;
                (Input::Tensors(tensors), rows.len())
            }
            Self::Texts(texts) => {
                let count = texts.len();
                (Input::Texts(texts), count)
            }
            Self::Images(images) => {
                let count = images.len();
                (Input::Images(images), count)
            }
        })
    }
}

/// Asks a model of the tenant's own: rows by column name, tensors, or texts as JSON, images as a form.
#[utoipa::path(
    post, path = "/v1/insula/predict/{model_name}", operation_id = "predict", tag = "predictions",
    params(("model_name" = String, Path, description = "The model's name, or its id `model_…`"), PredictionHeaders),
    request_body(content((Predict = "application/json"), (PredictForm = "multipart/form-data"))),
    responses((status = OK, body = PredictionObject))
)]
pub async fn predict(
    caller: Caller<PredictWrite>,
    request_id: RequestId,
    State(app): State<App>,
    Path(model): Path<ModelRef>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<Response> {
    let wanted = Wanted::read(&headers)?;
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
    let (asked, top_k) = if is_form {
        let form = Multipart::from_request(request, &()).await?;
        images(form, app.services.predictions.settings.max_input).await?
    } else {
        let Json(request) = Json::<Predict>::from_request(request, &()).await?;
        let top_k = request.top_k;
        (Asked::of(request)?, top_k)
    };
    if let Some(top_k) = top_k {
        range("top_k", top_k, 0..=1000)?;
    }
    answer(&app, &caller, &model, &request_id, wanted, asked, top_k).await
}

async fn answer(
    app: &App,
    cx: &TenantContext,
    model: &ModelRef,
    request_id: &RequestId,
    wanted: Wanted,
    asked: Asked,
    top_k: Option<usize>,
) -> ApiResult<Response> {
    let request = metered_as(request_id);
    let call = Call {
        model,
        version: wanted.version,
        affinity: wanted.affinity.as_deref(),
        request: &request,
    };
    let answering = prediction::resolve(&app.services, cx, &call).await?;
    let (input, rows) = asked.input(&answering)?;
    let predicted = prediction::predict(&app.services, cx, &call, &answering, input).await?;
    let told = prediction::interpret(&answering.spec, &predicted.outputs, rows, top_k.unwrap_or(0))?;
    let object = PredictionObject {
        object: "prediction",
        model: answering.model,
        version: answering.version,
        predictions: told
            .into_iter()
            .map(|row| PredictedRow::new(row, top_k.is_some_and(|top_k| top_k > 0)))
            .collect(),
        cached: predicted.cached,
    };
    Ok(Limited(predicted.standings, Json(object)).into_response())
}

/// The images of a form.
async fn images(mut form: Multipart, most: usize) -> Result<(Asked, Option<usize>), Error> {
    let (mut images, mut top_k, mut left) = (Vec::new(), None, most);
    while let Some(field) = form.next().await? {
        match field.name() {
            Some("image") => {
                let image = bytes_up_to("image", field, left).await?;
                left -= image.len();
                images.push(Bytes::from(image));
            }
            Some("top_k") => {
                let value = text("top_k", field).await?;
                let value = value.trim().parse();
                top_k = Some(value.map_err(|_| Error::invalid("top_k", "Must be a whole number."))?);
            }
            _ => {}
        }
    }
    if images.is_empty() {
        return Err(Error::Invalid {
            message: "Missing required parameter: 'image'.".into(),
            param: Some("image".into()),
            code: Some("missing_required_parameter"),
        });
    }
    Ok((Asked::Images(images), top_k))
}
