//! `/v1/insula/request_logs`: what was called and answered, for tenants that want it stored, and how they say so.

use axum::extract::State;
use insula_core::request_log::{self, Logging, RequestLog};
use insula_tenancy::RequestLogId;
use insula_tenancy::scope_types::{GuardrailsRead, GuardrailsWrite, RequestLogsRead};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::wire::{List, seconds};
use crate::app::App;
use crate::http::validate::range;
use crate::http::{ApiResult, Caller, Json, ListQuery, Path, Query};

/// How requests are logged.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestLogging)]
pub struct RequestLoggingObject {
    /// `insula.request_logging`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whether prompts and answers are stored.
    pub enabled: bool,
    /// For how many days.
    pub retention_days: i32,
    /// Whether personal data is taken out before.
    pub redact: bool,
}

/// How requests are to be logged.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateRequestLoggingRequest)]
pub struct UpdateRequestLogging {
    /// Whether prompts and answers are stored.
    pub enabled: bool,
    /// For how many days; 30 if absent.
    #[schema(minimum = 1, maximum = 365)]
    pub retention_days: Option<i32>,
    /// Whether personal data is taken out before; it is if absent.
    pub redact: Option<bool>,
}

impl From<Logging> for RequestLoggingObject {
    fn from(logging: Logging) -> Self {
        Self {
            object: "insula.request_logging",
            enabled: logging.enabled,
            retention_days: logging.retention_days,
            redact: logging.redact,
        }
    }
}

/// A call that was logged.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestLog)]
pub struct RequestLogObject {
    /// Its id, `rlog_…`.
    pub id: String,
    /// `insula.request_log`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of the call's end.
    pub created_at: i64,
    /// The `x-request-id` of the call.
    #[schema(required)]
    pub request_id: Option<String>,
    /// What was called, as in `chat.completions`.
    pub endpoint: String,
    /// The model that was asked for.
    pub model: String,
    /// What was sent to the model: messages after guardrails, with the ids of the passages among them. Cut where it was too
    /// large: `{"truncated": true, "beginning": …}`.
    #[schema(value_type = Object)]
    pub request: Value,
    /// What was answered, after guardrails.
    #[schema(value_type = Object)]
    pub response: Value,
}

impl From<RequestLog> for RequestLogObject {
    fn from(log: RequestLog) -> Self {
        Self {
            id: log.id.to_string(),
            object: "insula.request_log",
            created_at: seconds(log.created_at),
            request_id: log.usage_event_id.map(|id| format!("req_{}", id.simple())),
            endpoint: log.endpoint,
            model: log.model,
            request: log.request,
            response: log.response,
        }
    }
}

/// Tells how the tenant's requests are logged.
#[utoipa::path(
    get, path = "/v1/insula/settings/request_logging", operation_id = "get_request_logging", tag = "request logs",
    responses((status = OK, body = RequestLoggingObject))
)]
pub async fn get_request_logging(
    caller: Caller<GuardrailsRead>,
    State(app): State<App>,
) -> ApiResult<Json<RequestLoggingObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let logging = request_log::logging(&mut tx).await?.unwrap_or_default();
    Ok(Json(logging.into()))
}

/// Says how the tenant's requests are logged. Nothing is, unless this is called.
///
/// Chats and completions of the next second on are stored with their answers, for as many days as it says. A shorter
/// retention takes older entries away within a day.
#[utoipa::path(
    put, path = "/v1/insula/settings/request_logging", operation_id = "update_request_logging", tag = "request logs",
    request_body = UpdateRequestLogging, responses((status = OK, body = RequestLoggingObject))
)]
pub async fn update_request_logging(
    caller: Caller<GuardrailsWrite>,
    State(app): State<App>,
    Json(request): Json<UpdateRequestLogging>,
) -> ApiResult<Json<RequestLoggingObject>> {
    let otherwise = Logging::default();
    let days = request.retention_days.unwrap_or(otherwise.retention_days);
    let logging = Logging {
        enabled: request.enabled,
        retention_days: range("retention_days", days, 1..=365)?,
        redact: request.redact.unwrap_or(otherwise.redact),
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    request_log::set_logging(&mut tx, logging).await?;
    tx.commit().await?;
    app.services.policies.forget(&caller).await;
    Ok(Json(logging.into()))
}

/// Lists what was logged.
#[utoipa::path(
    get, path = "/v1/insula/request_logs", operation_id = "list_request_logs", tag = "request logs",
    params(ListQuery), responses((status = OK, body = List<RequestLogObject>))
)]
pub async fn list_request_logs(
    caller: Caller<RequestLogsRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<RequestLogObject>>> {
    let page = query.page(RequestLogId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = request_log::list(&mut tx, page)
        .await?
        .map(RequestLogObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |log| {
        log.id.clone()
    })))
}

/// Shows a call that was logged.
#[utoipa::path(
    get, path = "/v1/insula/request_logs/{request_log_id}", operation_id = "get_request_log", tag = "request logs",
    params(("request_log_id" = String, Path, description = "Its id, `rlog_…`")),
    responses((status = OK, body = RequestLogObject))
)]
pub async fn get_request_log(
    caller: Caller<RequestLogsRead>,
    State(app): State<App>,
    Path(id): Path<RequestLogId>,
) -> ApiResult<Json<RequestLogObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(request_log::get(&mut tx, id).await?.into()))
}
