//! `/v1/insula/operator/tenants`

use axum::extract::State;
use insula_core::Error;
use insula_tenancy::tenant::{self, Tenant};
use insula_tenancy::{OperatorTx, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::{ApiResult, FromQuery, Json, Operator, Path, Query, QueryParams};
use crate::routes::wire::{List, seconds};

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateTenantRequest)]
pub struct CreateTenant {
    /// Its name: 1 to 63 lower-case letters, digits and inner hyphens; no other tenant may have it.
    pub name: String,
}

/// A customer of this install.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub struct TenantObject {
    /// Its id, `proj_…`.
    pub id: String,
    /// `insula.tenant`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its name.
    pub name: String,
    /// `active`; `suspended`: its keys are refused; `archived`: for good; `erasing`: its data is being removed; `erased`: it is gone.
    pub status: String,
    /// Unix seconds of its making.
    pub created_at: i64,
}

impl From<Tenant> for TenantObject {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.to_string(),
            object: "insula.tenant",
            status: tenant.state().to_owned(),
            name: tenant.name,
            created_at: seconds(tenant.created_at),
        }
    }
}

/// What a list of tenants is asked for.
#[derive(Debug)]
pub struct TenantsQuery {
    erased: bool,
}

impl FromQuery for TenantsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let erased = params.choice("include_erased", &[("true", true), ("false", false)])?;
        Ok(Self {
            erased: erased.unwrap_or(false),
        })
    }
}

/// The query of this list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; TenantsQuery reads them")]
struct TenantsFilter {
    /// Whether erased tenants are listed too; not unless said otherwise.
    include_erased: Option<bool>,
}

/// Lists all tenants, by name.
#[utoipa::path(
    get, path = "/v1/insula/operator/tenants", operation_id = "list_tenants", tag = "operator",
    params(TenantsFilter), responses((status = OK, body = List<TenantObject>))
)]
pub async fn list_tenants(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<TenantsQuery>,
) -> ApiResult<Json<List<TenantObject>>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let tenants = tenant::list(&mut tx, query.erased).await?;
    let tenants = tenants.into_iter().map(TenantObject::from).collect();
    Ok(Json(List::new(tenants, false, |tenant| tenant.id.clone())))
}

/// Makes a tenant.
///
/// A repetition is refused, because the name is taken by then.
#[utoipa::path(
    post, path = "/v1/insula/operator/tenants", operation_id = "create_tenant", tag = "operator",
    request_body = CreateTenant, responses((status = OK, body = TenantObject))
)]
pub async fn create_tenant(
    operator: Operator,
    State(app): State<App>,
    Json(request): Json<CreateTenant>,
) -> ApiResult<Json<TenantObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let made = tenant::create(&mut tx, &request.name)
        .await
        .map_err(|error| match error {
            insula_tenancy::Error::Invalid(message) => Error::invalid("name", message),
            other => other.into(),
        })?;
    tx.commit().await?;
    Ok(Json(made.into()))
}

/// Describes a tenant.
#[utoipa::path(
    get, path = "/v1/insula/operator/tenants/{tenant_id}", operation_id = "get_tenant", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = TenantObject))
)]
pub async fn get_tenant(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
) -> ApiResult<Json<TenantObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    Ok(Json(find(&mut tx, id).await?.into()))
}

/// Suspends a tenant: its keys are refused with that reason within a second. Nothing is deleted.
#[utoipa::path(
    post, path = "/v1/insula/operator/tenants/{tenant_id}/suspend", operation_id = "suspend_tenant", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = TenantObject))
)]
pub async fn suspend_tenant(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
) -> ApiResult<Json<TenantObject>> {
    set_suspended(&operator, &app, id, true).await
}

/// Lets a suspended tenant in again.
#[utoipa::path(
    post, path = "/v1/insula/operator/tenants/{tenant_id}/resume", operation_id = "resume_tenant", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = TenantObject))
)]
pub async fn resume_tenant(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
) -> ApiResult<Json<TenantObject>> {
    set_suspended(&operator, &app, id, false).await
}

async fn set_suspended(
    operator: &Operator,
    app: &App,
    id: TenantId,
    suspended: bool,
) -> ApiResult<Json<TenantObject>> {
    let mut tx = app.services.db.operator_by(operator).await?;
    let tenant = find(&mut tx, id).await?;
    if tenant.archived_at.is_some() && !suspended {
        return Err(Error::Invalid {
            message: format!("The tenant '{id}' is {}, for good.", tenant.state()),
            param: None,
            code: Some("project_archived"),
        }
        .into());
    }
    tenant::set_suspended(&mut tx, id, suspended).await?;
    let changed = find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

pub(super) async fn find(tx: &mut OperatorTx, id: TenantId) -> Result<Tenant, Error> {
    let found = tenant::find(tx, &id.to_string()).await?;
    found.ok_or_else(|| Error::not_found("tenant", id))
}
