//! `/v1/insula/jobs`: background work, as its tenant sees it.

mod events;
mod query;

use axum::extract::State;
use insula_core::job::{self, Filter, Job};
use insula_tenancy::JobId;
use insula_tenancy::scope_types::{JobsRead, JobsWrite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::query::{JobsFilter, JobsQuery};
use super::ids::body_id;
use super::wire::{List, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, Json, ListQuery, Path, Query};

pub use events::{__path_get_job_events, get_job_events};

/// A piece of background work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobObject {
    /// Its id, `job_…`.
    pub id: String,
    /// `insula.job`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// What it does, for example `ingest_file`.
    pub kind: String,
    /// `queued`, `running`, `succeeded`, `dead` (failed for good), `cancelled`, or `scheduled` (waits for its time: planned
    /// for later, or to be tried again).
    #[schema(value_type = String)]
    pub status: &'static str,
    /// What it is doing, or was doing when it ended badly; for a file `reading`, `chunking`, `embedding`, `writing`.
    #[schema(required)]
    pub stage: Option<String>,
    /// How much of the stage is done, if the stage tells.
    #[schema(required)]
    pub progress: Option<ProgressObject>,
    /// How many of your jobs are ahead of it; null unless it is queued.
    #[schema(required)]
    pub position: Option<i64>,
    /// How often it was started.
    pub attempt: i32,
    /// How often it may be started.
    pub max_attempts: i32,
    /// Why its last attempt failed.
    #[schema(required)]
    pub error: Option<String>,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of the start of its present or last attempt.
    #[schema(required)]
    pub started_at: Option<i64>,
    /// Unix seconds of its end.
    #[schema(required)]
    pub finished_at: Option<i64>,
    /// Unix seconds of its next start; null unless it is scheduled.
    #[schema(required)]
    pub next_attempt_at: Option<i64>,
    /// The vector store that it works on.
    #[schema(required)]
    pub vector_store_id: Option<String>,
    /// The file that it works on.
    #[schema(required)]
    pub file_id: Option<String>,
}

/// How much of a stage is done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub struct ProgressObject {
    /// In the stage's own unit, for example chunks.
    pub done: i64,
    /// Of so many; null if that is not known.
    #[schema(required)]
    pub total: Option<i64>,
}

impl From<Job> for JobObject {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            object: "insula.job",
            kind: job.kind,
            status: job.status.as_str(),
            stage: job.stage,
            progress: job
                .progress
                .map(|job::Progress { done, total }| ProgressObject { done, total }),
            position: job.position,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            error: job.error,
            created_at: seconds(job.created_at),
            started_at: job.started_at.map(seconds),
            finished_at: job.finished_at.map(seconds),
            next_attempt_at: job.next_attempt_at.map(seconds),
            vector_store_id: job.vector_store_id.map(|id| id.to_string()),
            file_id: job.file_id.map(|id| id.to_string()),
        }
    }
}

/// Which dead jobs to retry; without any field, all.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RetryJobsRequest)]
pub struct RetryJobs {
    /// Only jobs of this kind.
    #[schema(example = "ingest_file")]
    pub kind: Option<String>,
    /// Only jobs that work on this vector store.
    pub vector_store_id: Option<String>,
    /// Only jobs that work on this file.
    pub file_id: Option<String>,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetriedJobs)]
pub struct RetriedJobs {
    /// `insula.job_retry`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Jobs that are queued again.
    pub retried: usize,
    /// Jobs that stay dead: what they worked on is gone, or was seen to otherwise.
    pub skipped: usize,
    /// Whether there are more; call again for them.
    pub has_more: bool,
}

/// Lists background work.
#[utoipa::path(
    get, path = "/v1/insula/jobs", operation_id = "list_jobs", tag = "jobs",
    params(ListQuery, JobsFilter), responses((status = OK, body = List<JobObject>))
)]
pub async fn list_jobs(
    caller: Caller<JobsRead>,
    State(app): State<App>,
    Query(query): Query<JobsQuery>,
) -> ApiResult<Json<List<JobObject>>> {
    let page = query.list.page(JobId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = job::list(&mut tx, &query.filter, page)
        .await?
        .map(JobObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |job| {
        job.id.clone()
    })))
}

/// Describes a piece of background work.
#[utoipa::path(
    get, path = "/v1/insula/jobs/{job_id}", operation_id = "get_job", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses((status = OK, body = JobObject))
)]
pub async fn get_job(
    caller: Caller<JobsRead>,
    State(app): State<App>,
    Path(id): Path<JobId>,
) -> ApiResult<Json<JobObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(job::get(&mut tx, id).await?.into()))
}

/// Cancels a job. A running one is stopped and writes nothing; one that has ended stays as it is. What it worked on says
/// so: a file becomes `cancelled`.
#[utoipa::path(
    post, path = "/v1/insula/jobs/{job_id}/cancel", operation_id = "cancel_job", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses((status = OK, body = JobObject))
)]
pub async fn cancel_job(
    caller: Caller<JobsWrite>,
    State(app): State<App>,
    Path(id): Path<JobId>,
) -> ApiResult<Json<JobObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let job = job::cancel(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(job.into()))
}

/// Retries a job that is dead or cancelled, with all its attempts. One that is under way stays as it is.
#[utoipa::path(
    post, path = "/v1/insula/jobs/{job_id}/retry", operation_id = "retry_job", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses((status = OK, body = JobObject))
)]
pub async fn retry_job(
    caller: Caller<JobsWrite>,
    State(app): State<App>,
    Path(id): Path<JobId>,
) -> ApiResult<Json<JobObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let job = job::retry(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(job.into()))
}

/// Retries all dead jobs, or those of a kind, a vector store or a file.
#[utoipa::path(
    post, path = "/v1/insula/jobs/retry", operation_id = "retry_jobs", tag = "jobs",
    request_body = RetryJobs, responses((status = OK, body = RetriedJobs))
)]
pub async fn retry_jobs(
    caller: Caller<JobsWrite>,
    State(app): State<App>,
    Json(request): Json<RetryJobs>,
) -> ApiResult<Json<RetriedJobs>> {
    let filter = Filter {
        status: None,
        kind: request.kind,
        vector_store_id: request
            .vector_store_id
            .map(|text| body_id("vector_store_id", &text))
            .transpose()?,
        file_id: request
            .file_id
            .map(|text| body_id("file_id", &text))
            .transpose()?,
    };
    let job::Retried {
        retried,
        skipped,
        has_more,
    } = job::retry_dead(&app.services, &caller, &filter).await?;
    Ok(Json(RetriedJobs {
        object: "insula.job_retry",
        retried,
        skipped,
        has_more,
    }))
}
