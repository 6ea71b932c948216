//! `/v1/insula/operator/jobs`: background work of all tenants.

use axum::extract::State;
use insula_core::Error;
use insula_core::job::Status;
use insula_core::organization::job::{self, OperatorFilter, OperatorJob};
use insula_tenancy::{JobId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::validate::no_nul;
use crate::http::{ApiResult, FromQuery, Json, ListQuery, Operator, Query, QueryParams};
use crate::routes::ids::body_id;
use crate::routes::wire::{List, seconds};

/// A piece of background work of some tenant's. What it is about is told to the tenant only.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorJob)]
pub struct OperatorJobObject {
    /// Its id, `job_…`.
    pub id: String,
    /// `insula.operator_job`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whose it is, `proj_…`.
    pub tenant_id: String,
    /// What people call the tenant.
    pub tenant_name: String,
    /// What it does, for example `ingest_file`.
    pub kind: String,
    /// As in the tenant's own list.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// How often it was started.
    pub attempt: i32,
    /// How often it may be started.
    pub max_attempts: i32,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of when it is, or was, to be started.
    pub run_at: i64,
}

impl From<OperatorJob> for OperatorJobObject {
    fn from(job: OperatorJob) -> Self {
        Self {
            status: job.status().as_str(),
            id: job.id.to_string(),
            object: "insula.operator_job",
            tenant_id: job.tenant_id.to_string(),
            tenant_name: job.tenant_name,
            kind: job.kind,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            created_at: seconds(job.created_at),
            run_at: seconds(job.run_at),
        }
    }
}

/// Which jobs are asked for.
#[derive(Debug)]
pub struct OperatorJobsQuery {
    list: ListQuery,
    filter: OperatorFilter,
}

impl FromQuery for OperatorJobsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let known = [
            ("queued", Status::Queued),
            ("running", Status::Running),
            ("dead", Status::Dead),
        ];
        let kind = params.get("kind");
        if let Some(kind) = kind {
            no_nul("kind", kind)?;
        }
        Ok(Self {
            list: ListQuery::from_query(params)?,
            filter: OperatorFilter {
                status: params.choice("status", &known)?.unwrap_or(Status::Dead),
                kind: kind.map(str::to_owned),
                tenant_id: params
                    .get("tenant_id")
                    .map(|id| body_id("tenant_id", id))
                    .transpose()?,
            },
        })
    }
}

/// The query of the jobs of all tenants.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; OperatorJobsQuery reads them")]
struct OperatorJobsParams {
    /// `queued`, `running` or `dead`; dead unless said otherwise.
    status: Option<String>,
    /// What they do, for example `ingest_file`.
    kind: Option<String>,
    /// Whose, `proj_…`.
    tenant_id: Option<String>,
}

/// Lists background work of all tenants, latest first.
#[utoipa::path(
    get, path = "/v1/insula/operator/jobs", operation_id = "list_operator_jobs", tag = "operator",
    params(ListQuery, OperatorJobsParams), responses((status = OK, body = List<OperatorJobObject>))
)]
pub async fn list_operator_jobs(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<OperatorJobsQuery>,
) -> ApiResult<Json<List<OperatorJobObject>>> {
    let page = query.list.page(JobId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = job::list(&mut tx, &query.filter, page).await?;
    let listing = listing.map(OperatorJobObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |job| {
        job.id.clone()
    })))
}

/// Which dead jobs are to be tried again. What is absent is not looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RetryOperatorJobsRequest)]
pub struct RetryOperatorJobs {
    /// What they do, for example `ingest_file`.
    pub kind: Option<String>,
    /// Whose, `proj_…`.
    pub tenant_id: Option<String>,
}

/// What became of dead jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetriedOperatorJobs {
    /// Jobs that are on their way again.
    pub retried: usize,
    /// Jobs whose subject is gone or seen to otherwise; they stay dead.
    pub skipped: usize,
    /// Whether there are more than one call sets going.
    pub has_more: bool,
}

/// Tries dead jobs again, of one tenant or of all.
#[utoipa::path(
    post, path = "/v1/insula/operator/jobs/retry", operation_id = "retry_operator_jobs", tag = "operator",
    request_body = RetryOperatorJobs, responses((status = OK, body = RetriedOperatorJobs))
)]
pub async fn retry_operator_jobs(
    operator: Operator,
    State(app): State<App>,
    Json(request): Json<RetryOperatorJobs>,
) -> ApiResult<Json<RetriedOperatorJobs>> {
    let tenant: Option<TenantId> = match &request.tenant_id {
        Some(id) => Some(body_id("tenant_id", id)?),
        None => None,
    };
    let retried = job::retry_dead(&app.services, &operator, request.kind.as_deref(), tenant).await?;
    Ok(Json(RetriedOperatorJobs {
        retried: retried.retried,
        skipped: retried.skipped,
        has_more: retried.has_more,
    }))
}
