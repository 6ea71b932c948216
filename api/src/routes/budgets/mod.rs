//! `/v1/insula/budgets`: amounts of money that may be spent in a period.

pub(super) mod wire;

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_tenancy::scope_types::{BudgetsRead, BudgetsWrite};
use insula_tenancy::{BudgetId, TenantTx, budget};

pub(super) use self::wire::invalid;
pub use self::wire::{BudgetObject, CreateBudget, UpdateBudget};

use super::wire::{Deleted, List};
use crate::app::App;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, OnceJson, Path};

/// Periods and subjects that are shown of one budget.
pub(super) const MOST_PERIODS: i64 = 20;

/// Makes a budget.
///
/// A hard budget refuses calls that could exceed it (429, `insufficient_quota`): what a call may cost at most is reserved
/// before, and what it really cost is settled after it. A soft one only tells. Servers follow within a second.
#[utoipa::path(
    post, path = "/v1/insula/budgets", operation_id = "create_budget", tag = "budgets",
    params(IdempotencyHeader), request_body = CreateBudget, responses((status = OK, body = BudgetObject))
)]
pub async fn create_budget(
    caller: Caller<BudgetsWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateBudget>,
) -> ApiResult<Response> {
    let new = request.read()?;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let made = budget::create(&mut tx, &new).await.map_err(invalid)?;
    once.answer(tx, &BudgetObject::new(made, Vec::new())).await
}

/// Lists budgets: the tenant's own, and those that the operator has set.
#[utoipa::path(
    get, path = "/v1/insula/budgets", operation_id = "list_budgets", tag = "budgets",
    responses((status = OK, body = List<BudgetObject>))
)]
pub async fn list_budgets(
    caller: Caller<BudgetsRead>,
    State(app): State<App>,
) -> ApiResult<Json<List<BudgetObject>>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let mut budgets = Vec::new();
    for budget in budget::list(&mut tx).await? {
        let periods = budget::periods(&mut tx, budget.id, MOST_PERIODS).await?;
        budgets.push(BudgetObject::new(budget, periods));
    }
    Ok(Json(List::new(budgets, false, |budget| budget.id.clone())))
}

/// Describes a budget, with what was spent of it.
#[utoipa::path(
    get, path = "/v1/insula/budgets/{budget_id}", operation_id = "get_budget", tag = "budgets",
    params(("budget_id" = String, Path, description = "Its id, `budget_…`")),
    responses((status = OK, body = BudgetObject))
)]
pub async fn get_budget(
    caller: Caller<BudgetsRead>,
    State(app): State<App>,
    Path(id): Path<BudgetId>,
) -> ApiResult<Json<BudgetObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(describe(&mut tx, id).await?))
}

/// Changes a budget of the tenant's own: its name, its amount, whether it is hard, and when it tells.
#[utoipa::path(
    post, path = "/v1/insula/budgets/{budget_id}", operation_id = "update_budget", tag = "budgets",
    params(("budget_id" = String, Path, description = "Its id, `budget_…`")),
    request_body = UpdateBudget, responses((status = OK, body = BudgetObject))
)]
pub async fn update_budget(
    caller: Caller<BudgetsWrite>,
    State(app): State<App>,
    Path(id): Path<BudgetId>,
    Json(request): Json<UpdateBudget>,
) -> ApiResult<Json<BudgetObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let budget = budget::find(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    own(&budget)?;
    let changed = request.over(budget)?;
    budget::update(&mut tx, id, &changed).await.map_err(invalid)?;
    let object = describe(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(object))
}

/// Deletes a budget of the tenant's own.
#[utoipa::path(
    delete, path = "/v1/insula/budgets/{budget_id}", operation_id = "delete_budget", tag = "budgets",
    params(("budget_id" = String, Path, description = "Its id, `budget_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_budget(
    caller: Caller<BudgetsWrite>,
    State(app): State<App>,
    Path(id): Path<BudgetId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let budget = budget::find(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    own(&budget)?;
    budget::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "insula.budget.deleted")))
}

async fn describe(tx: &mut TenantTx, id: BudgetId) -> ApiResult<BudgetObject> {
    let budget = budget::find(tx, id).await?.ok_or_else(|| unknown(id))?;
    let periods = budget::periods(tx, id, MOST_PERIODS).await?;
    Ok(BudgetObject::new(budget, periods))
}

fn unknown(id: BudgetId) -> Error {
    Error::not_found("budget", id)
}

/// What the operator has set is not the tenant's to change.
fn own(budget: &budget::Budget) -> Result<(), Error> {
    match budget.set_by {
        budget::SetBy::Tenant => Ok(()),
        budget::SetBy::Operator => Err(Error::Invalid {
            message: "The operator of this server has set this budget; it cannot be changed here.".into(),
            param: None,
            code: None,
        }),
    }
}
