//! `/v1/insula/operator/tenants/{id}/budgets`: what the operator lets a tenant spend.

use axum::extract::State;
use insula_tenancy::{TenantId, budget};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tenants::find;
use crate::app::App;
use crate::http::{ApiResult, Json, Operator, Path};
use crate::routes::budgets::{BudgetObject, CreateBudget, invalid};

/// The operator's budgets of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PutTenantBudgets {
    /// All of them; those that are not named are removed.
    pub budgets: Vec<CreateBudget>,
}

/// The budgets of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantBudgets {
    /// Those that the operator has set, newest first.
    pub budgets: Vec<BudgetObject>,
}

/// Lists the operator's budgets of a tenant. Its own, and what it spends, are the tenant's to see.
#[utoipa::path(
    get, path = "/v1/insula/operator/tenants/{tenant_id}/budgets", operation_id = "get_tenant_budgets", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = TenantBudgets))
)]
pub async fn get_tenant_budgets(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
) -> ApiResult<Json<TenantBudgets>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    find(&mut tx, id).await?;
    let budgets = budget::list_of_operator(&mut tx, id).await?;
    let budgets = budgets
        .into_iter()
        .map(|budget| BudgetObject::new(budget, Vec::new()));
    Ok(Json(TenantBudgets {
        budgets: budgets.collect(),
    }))
}

/// Replaces the operator's budgets of a tenant. The tenant sees them and cannot change them; its own stay. Servers follow
/// within a second.
#[utoipa::path(
    put, path = "/v1/insula/operator/tenants/{tenant_id}/budgets", operation_id = "put_tenant_budgets", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = PutTenantBudgets, responses((status = OK, body = TenantBudgets))
)]
pub async fn put_tenant_budgets(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
    Json(request): Json<PutTenantBudgets>,
) -> ApiResult<Json<TenantBudgets>> {
    let mut budgets = Vec::new();
    for (at, budget) in request.budgets.into_iter().enumerate() {
        let place = format!("budgets[{at}]");
        budgets.push(budget.read().map_err(|error| error.within(&place))?);
    }
    let mut tx = app.services.db.operator_by(&operator).await?;
    find(&mut tx, id).await?;
    let set = budget::set_by_operator(&mut tx, id, &budgets)
        .await
        .map_err(|error| invalid(error).within("budgets"))?;
    tx.commit().await?;
    let budgets = set
        .into_iter()
        .map(|budget| BudgetObject::new(budget, Vec::new()));
    Ok(Json(TenantBudgets {
        budgets: budgets.collect(),
    }))
}
