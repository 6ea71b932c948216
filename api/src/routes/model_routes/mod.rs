//! `/v1/insula/routes`: which models there are for a tenant, who answers, and what the tenant changes about it.

pub(super) mod wire;

use axum::extract::{RawPathParams, State};
use insula_core::route::tenant;
use insula_tenancy::scope_types::{ModelsRead, RoutesWrite};

pub use self::wire::{OverrideObject, RouteList, RouteObject, SetOverride, TargetObject, TargetPrice};
use super::wire::Deleted;
use crate::app::App;
use crate::http::{ApiResult, Caller, Json};

/// Lists the models that this tenant's calls can name, with who answers and whether they are well.
#[utoipa::path(
    get, path = "/v1/insula/routes", operation_id = "list_routes", tag = "models",
    responses((status = OK, body = RouteList))
)]
pub async fn list_routes(caller: Caller<ModelsRead>, State(app): State<App>) -> ApiResult<Json<RouteList>> {
    let at = std::time::SystemTime::now().into();
    let routes = tenant::list(&app.services, &caller).await?;
    Ok(Json(RouteList {
        object: "list",
        data: routes
            .into_iter()
            .map(|route| RouteObject::new(route, at))
            .collect(),
    }))
}

/// Changes what a model name means for this tenant: another route, only local targets, only some providers. In effect within a
/// second.
#[utoipa::path(
    put, path = "/v1/insula/routes/{*alias}", operation_id = "set_route_override", tag = "models",
    params(("alias" = String, Path, description = "The name that clients send, or `*` for all models; a slash in it may be encoded or not")),
    request_body = SetOverride, responses((status = OK, body = OverrideObject))
)]
pub async fn set_route_override(
    caller: Caller<RoutesWrite>,
    State(app): State<App>,
    path: RawPathParams,
    Json(request): Json<SetOverride>,
) -> ApiResult<Json<OverrideObject>> {
    let model = name(&path);
    let set = tenant::set(&app.services, &caller, &model, |change| request.apply(change)).await?;
    Ok(Json(OverrideObject::new(model, set)))
}

/// Takes back what was changed about a model name. In effect within a second.
#[utoipa::path(
    delete, path = "/v1/insula/routes/{*alias}", operation_id = "delete_route_override", tag = "models",
    params(("alias" = String, Path, description = "The name that clients send, or `*` for all models; a slash in it may be encoded or not")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_route_override(
    caller: Caller<RoutesWrite>,
    State(app): State<App>,
    path: RawPathParams,
) -> ApiResult<Json<Deleted>> {
    let model = name(&path);
    tenant::unset(&app.services, &caller, &model).await?;
    Ok(Json(Deleted::new(model, "insula.route_override.deleted")))
}

/// The model of the path, already decoded.
fn name(path: &RawPathParams) -> String {
    path.iter()
        .next()
        .map(|(_, name)| name)
        .unwrap_or_default()
        .to_owned()
}
