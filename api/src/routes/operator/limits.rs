//! `/v1/insula/operator/plans` and `…/tenants/{id}/limits`: how much of the install each tenant may take.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::State;
use insula_core::Error;
use insula_tenancy::limit::{self, Limit, Plan, PlanLimit, SubjectKind, TenantLimit};
use insula_tenancy::{KeyId, OperatorTx, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tenants::find;
use crate::app::App;
use crate::http::{ApiResult, Json, Operator, Path, PathId};
use crate::routes::wire::{Deleted, List};

/// What a limit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LimitSubject)]
pub enum Subject {
    /// All calls of the tenant.
    Tenant,
    /// Calls with one API key.
    Key,
    /// Calls of one model.
    Model,
}

/// A limit on one subject. What is absent or null is not limited, or as the plan says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Limit)]
pub struct LimitObject {
    /// What it is on.
    pub subject_kind: Subject,
    /// The key's id or the model. Absent: each key or model by itself.
    #[schema(required = false)]
    pub subject: Option<String>,
    /// Calls in a minute.
    #[schema(required = false, minimum = 0)]
    pub requests_per_minute: Option<i64>,
    /// Tokens read and written in a minute.
    #[schema(required = false, minimum = 0)]
    pub tokens_per_minute: Option<i64>,
    /// Calls at once.
    #[schema(required = false, minimum = 0)]
    pub concurrency: Option<i64>,
}

impl LimitObject {
    /// In the domain's words; `at` is the place in the body.
    fn read(self, at: usize) -> Result<(SubjectKind, String, Limit), Error> {
        let kind = match self.subject_kind {
            Subject::Tenant => SubjectKind::Tenant,
            Subject::Key => SubjectKind::Key,
            Subject::Model => SubjectKind::Model,
        };
        let subject = match (kind, self.subject) {
            (_, None) => String::new(),
            (SubjectKind::Tenant, Some(_)) => {
                let message = "There is only one tenant here; leave this out.";
                return Err(Error::invalid(format!("limits[{at}].subject"), message));
            }
            (SubjectKind::Key, Some(key)) => {
                key.parse::<KeyId>()
                    .map(|key| key.uuid().to_string())
                    .map_err(|_| {
                        let message = "Must be the id of an API key, `key_…`.";
                        Error::invalid(format!("limits[{at}].subject"), message)
                    })?
            }
            (SubjectKind::Model, Some(model)) => model,
        };
        let limit = Limit {
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            concurrency: self.concurrency,
        };
        Ok((kind, subject, limit))
    }

    fn new(kind: SubjectKind, subject: String, limit: Limit) -> Self {
        let (subject_kind, subject) = match kind {
            SubjectKind::Tenant => (Subject::Tenant, None),
            SubjectKind::Model => (Subject::Model, Some(subject)),
            SubjectKind::Key => {
                let key = subject.parse::<uuid::Uuid>();
                (
                    Subject::Key,
                    Some(key.map_or(subject, |key| KeyId::from(key).to_string())),
                )
            }
        };
        Self {
            subject_kind,
            subject: subject.filter(|subject| !subject.is_empty()),
            requests_per_minute: limit.requests_per_minute,
            tokens_per_minute: limit.tokens_per_minute,
            concurrency: limit.concurrency,
        }
    }
}

/// The name of a plan in a path.
#[derive(Debug, Clone)]
pub struct PlanName(String);

impl FromStr for PlanName {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self(name.to_owned()))
    }
}

impl PathId for PlanName {
    const WHAT: &'static str = "plan";
}

/// What a plan is to limit.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutPlanRequest)]
pub struct PutPlan {
    /// Its limits.
    pub limits: Vec<LimitObject>,
}

/// Limits under a name, for many tenants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanObject {
    /// Its name.
    pub id: String,
    /// `insula.plan`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its limits.
    pub limits: Vec<LimitObject>,
}

impl From<Plan> for PlanObject {
    fn from(plan: Plan) -> Self {
        let limit = |limit: PlanLimit| LimitObject::new(limit.subject_kind, limit.subject, limit.limit);
        Self {
            id: plan.name,
            object: "insula.plan",
            limits: plan.limits.into_iter().map(limit).collect(),
        }
    }
}

/// Lists plans, by name.
#[utoipa::path(
    get, path = "/v1/insula/operator/plans", operation_id = "list_plans", tag = "operator",
    responses((status = OK, body = List<PlanObject>))
)]
pub async fn list_plans(operator: Operator, State(app): State<App>) -> ApiResult<Json<List<PlanObject>>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let plans = limit::list_plans(&mut tx).await?;
    let plans = plans.into_iter().map(PlanObject::from).collect();
    Ok(Json(List::new(plans, false, |plan| plan.id.clone())))
}

/// Makes a plan, or replaces it. Servers follow within a second.
#[utoipa::path(
    put, path = "/v1/insula/operator/plans/{plan_name}", operation_id = "put_plan", tag = "operator",
    params(("plan_name" = String, Path, description = "Its name")),
    request_body = PutPlan, responses((status = OK, body = PlanObject))
)]
pub async fn put_plan(
    operator: Operator,
    State(app): State<App>,
    Path(PlanName(name)): Path<PlanName>,
    Json(request): Json<PutPlan>,
) -> ApiResult<Json<PlanObject>> {
    let mut limits = Vec::new();
    for (at, object) in request.limits.into_iter().enumerate() {
        let (subject_kind, subject, limit) = object.read(at)?;
        limits.push(PlanLimit {
            subject_kind,
            subject,
            limit,
        });
    }
    let plan = Plan { name, limits };
    let mut tx = app.services.db.operator_by(&operator).await?;
    limit::put_plan(&mut tx, &plan).await.map_err(invalid)?;
    tx.commit().await?;
    Ok(Json(plan.into()))
}

/// Deletes a plan that no tenant has.
#[utoipa::path(
    delete, path = "/v1/insula/operator/plans/{plan_name}", operation_id = "delete_plan", tag = "operator",
    params(("plan_name" = String, Path, description = "Its name")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_plan(
    operator: Operator,
    State(app): State<App>,
    Path(PlanName(name)): Path<PlanName>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    if !limit::delete_plan(&mut tx, &name).await.map_err(invalid)? {
        return Err(Error::not_found("plan", &name).into());
    }
    tx.commit().await?;
    Ok(Json(Deleted::new(name, "insula.plan.deleted")))
}

/// What limits a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TenantLimits {
    /// Its plan; null: none.
    #[schema(required = false)]
    pub plan: Option<String>,
    /// What differs from the plan for this tenant.
    pub limits: Vec<LimitObject>,
}

/// Shows what limits a tenant.
#[utoipa::path(
    get, path = "/v1/insula/operator/tenants/{tenant_id}/limits", operation_id = "get_tenant_limits", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = TenantLimits))
)]
pub async fn get_tenant_limits(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
) -> ApiResult<Json<TenantLimits>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    find(&mut tx, id).await?;
    Ok(Json(describe(&mut tx, id).await?))
}

/// Replaces what limits a tenant. Servers follow within a second.
#[utoipa::path(
    put, path = "/v1/insula/operator/tenants/{tenant_id}/limits", operation_id = "put_tenant_limits", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = TenantLimits, responses((status = OK, body = TenantLimits))
)]
pub async fn put_tenant_limits(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
    Json(request): Json<TenantLimits>,
) -> ApiResult<Json<TenantLimits>> {
    let mut limits = Vec::new();
    for (at, object) in request.limits.into_iter().enumerate() {
        let (subject_kind, subject, limit) = object.read(at)?;
        limits.push(TenantLimit {
            subject_kind,
            subject,
            limit,
        });
    }
    let mut tx = app.services.db.operator_by(&operator).await?;
    find(&mut tx, id).await?;
    limit::assign_plan(&mut tx, id, request.plan.as_deref())
        .await
        .map_err(|error| about("plan", error))?;
    limit::set_limits(&mut tx, id, &limits).await.map_err(invalid)?;
    let object = describe(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(object))
}

async fn describe(tx: &mut OperatorTx, id: TenantId) -> ApiResult<TenantLimits> {
    let limit = |limit: TenantLimit| LimitObject::new(limit.subject_kind, limit.subject, limit.limit);
    Ok(TenantLimits {
        plan: limit::plan_of(tx, id).await?,
        limits: limit::limits_of(tx, id).await?.into_iter().map(limit).collect(),
    })
}

fn invalid(error: insula_tenancy::Error) -> Error {
    about("limits", error)
}

fn about(field: &str, error: insula_tenancy::Error) -> Error {
    match error {
        insula_tenancy::Error::Invalid(message) => Error::invalid(field, message),
        other => other.into(),
    }
}
