//! `/v1/insula/operator/routes`

use std::time::Duration;

use axum::extract::State;
use insula_core::Error;
use insula_core::route::{self, HealthReport, HealthState, Route, Target};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Json, Operator};
use crate::routes::wire::List;

/// A model name of `routes.toml`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorRoute)]
pub struct OperatorRouteObject {
    /// `insula.operator_route`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The name that clients send.
    pub model: String,
    /// Who may answer, in the order of the file.
    pub targets: Vec<OperatorTargetObject>,
}

/// A model at a provider, and how it does on the server that answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorRouteTarget)]
pub struct OperatorTargetObject {
    /// The provider's name.
    pub provider: String,
    /// What the provider calls the model.
    pub upstream_model: String,
    /// Whether nothing leaves the machine.
    pub local: bool,
    /// `healthy`; `resting` after failures; `probing` when it is about to be tried again.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// How much longer it rests, in milliseconds.
    #[schema(required)]
    pub rests_for_ms: Option<u64>,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Mean time to the first piece of a stream, in milliseconds, newest weighted most.
    #[schema(required)]
    pub first_token_ms: Option<u64>,
    /// Mean time to a whole answer, in milliseconds.
    #[schema(required)]
    pub whole_answer_ms: Option<u64>,
    /// Calls since the target is known.
    pub calls: u64,
    /// How many of them it failed.
    pub failed_calls: u64,
}

/// What came of reading `routes.toml` again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoutesReloaded)]
pub struct ReloadedObject {
    /// `insula.routes_reloaded`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The names that clients can send now.
    pub models: Vec<String>,
}

impl From<&Route> for OperatorRouteObject {
    fn from(route: &Route) -> Self {
        Self {
            object: "insula.operator_route",
            model: route.name.to_string(),
            targets: route.targets.iter().map(OperatorTargetObject::from).collect(),
        }
    }
}

impl From<&Target> for OperatorTargetObject {
    fn from(target: &Target) -> Self {
        let HealthReport {
            state,
            rests_for,
            failures_in_a_row,
            first_token,
            whole_answer,
            calls,
            failed_calls,
        } = target.health.report(route::now());
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            provider: target.provider.to_string(),
            upstream_model: target.upstream_model.to_string(),
            local: target.local,
            state: match state {
                HealthState::Healthy => "healthy",
                HealthState::Resting => "resting",
                HealthState::Probing => "probing",
            },
            rests_for_ms: rests_for.map(ms),
            failures_in_a_row,
            first_token_ms: first_token.map(ms),
            whole_answer_ms: whole_answer.map(ms),
            calls,
            failed_calls,
        }
    }
}

/// Lists all routes, with how their targets do on the server that answers.
#[utoipa::path(
    get, path = "/v1/insula/operator/routes", operation_id = "list_operator_routes", tag = "operator",
    responses((status = OK, body = List<OperatorRouteObject>))
)]
pub async fn list_operator_routes(
    _: Operator,
    State(app): State<App>,
) -> ApiResult<Json<List<OperatorRouteObject>>> {
    let routes = app.services.routes.list();
    let routes = routes
        .iter()
        .map(|route| OperatorRouteObject::from(&**route))
        .collect();
    Ok(Json(List::new(routes, false, |route| route.model.clone())))
}

/// Has the server that answers read its `routes.toml` again.
///
/// Calls under way keep their routes. A file that is wrong is refused with its line, and the routes stay. Other servers are
/// told by their own call, or by SIGHUP.
#[utoipa::path(
    post, path = "/v1/insula/operator/routes/reload", operation_id = "reload_routes", tag = "operator",
    responses((status = OK, body = ReloadedObject))
)]
pub async fn reload_routes(_: Operator, State(app): State<App>) -> ApiResult<Json<ReloadedObject>> {
    let reloaded = app.reload_routes().await.map_err(|error| Error::Invalid {
        message: error.to_string(),
        param: None,
        code: Some("invalid_routes"),
    })?;
    Ok(Json(ReloadedObject {
        object: "insula.routes_reloaded",
        models: reloaded.models,
    }))
}
