//! SQL of jobs, as their tenant may see and change them. Claims and leases are `insula_tenancy::job`'s.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, JobId, TenantTx, VectorStoreId};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Filter, Job, Progress, Status};
use crate::page::{Listing, Page, paged};
use crate::worker::{Class, Kind};
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    id: JobId,
    kind: String,
    state: String,
    due: bool,
    run_at: DateTime<Utc>,
    stage: Option<String>,
    progress_done: Option<i64>,
    progress_total: Option<i64>,
    attempt: i32,
    max_attempts: i32,
    reason: Option<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    vector_store_id: Option<VectorStoreId>,
    file_id: Option<FileId>,
}

impl TryFrom<Row> for Job {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let status = match (row.state.as_str(), row.due) {
            ("ready", true) => Status::Queued,
            ("ready", false) => Status::Scheduled,
            ("running", _) => Status::Running,
            ("done", _) => Status::Succeeded,
            ("dead", _) => Status::Dead,
            ("cancelled", _) => Status::Cancelled,
            (other, _) => return Err(Error::internal(format!("the job state '{other}' is not known"))),
        };
        Ok(Self {
            id: row.id,
            kind: row.kind,
            status,
            stage: row.stage,
            progress: row
                .progress_done
                .map(|done| Progress {
                    done,
                    total: row.progress_total.filter(|total| *total > 0),
                })
                .filter(|progress| progress.done > 0 || progress.total.is_some()),
            position: None,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            error: row.reason,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            next_attempt_at: (status == Status::Scheduled).then_some(row.run_at),
            vector_store_id: row.vector_store_id,
            file_id: row.file_id,
        })
    }
}

impl Status {
    /// The columns `state` and, if it matters, `due`.
    fn columns(self) -> (&'static str, Option<bool>) {
        match self {
            Self::Queued => ("ready", Some(true)),
            Self::Scheduled => ("ready", Some(false)),
            Self::Running => ("running", None),
            Self::Succeeded => ("done", None),
            Self::Dead => ("dead", None),
            Self::Cancelled => ("cancelled", None),
        }
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, kind, state, due, run_at, stage, progress_done, progress_total, attempt, max_attempts, reason,
            created_at, started_at, finished_at, vector_store_id, file_id"
    from "jobs", id "id", cursor "jobs where true",
    where "($1::uuid is null or id = $1) and ($2::text is null or state = $2) and ($3::bool is null or due = $3)
           and ($4::text is null or kind = $4) and ($5::uuid is null or vector_store_id = $5)
           and ($6::uuid is null or file_id = $6)",
    "$7" "$8" "$9"
);

pub(super) async fn find(tx: &mut TenantTx, id: JobId) -> Result<Option<Job>> {
    let found = select(tx, PAGES.0, Some(id), &Filter::default(), (None, None), 1).await?;
    Ok(found.into_iter().next())
}

pub(super) async fn exists(tx: &mut TenantTx, id: JobId) -> Result<bool> {
    let found: Option<i32> = sqlx::query_scalar("select 1 from jobs where id = $1")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(found.is_some())
}

pub(super) async fn list(tx: &mut TenantTx, filter: &Filter, page: Page) -> Result<Listing<Job>> {
    let scan = page.scan();
    let statement = if scan.ascending { PAGES.0 } else { PAGES.1 };
    let jobs = select(tx, statement, None, filter, (scan.from, scan.to), scan.limit).await?;
    Ok(scan.finish(jobs))
}

async fn select(
    tx: &mut TenantTx,
    statement: &'static str,
    id: Option<JobId>,
    filter: &Filter,
    (from, to): (Option<Uuid>, Option<Uuid>),
    limit: i64,
) -> Result<Vec<Job>> {
    let (state, due) = filter.status.map(Status::columns).unzip();
    let rows: Vec<Row> = sqlx::query_as(statement)
        .bind(id)
        .bind(state)
        .bind(due.flatten())
        .bind(&filter.kind)
        .bind(filter.vector_store_id)
        .bind(filter.file_id)
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(&mut **tx)
        .await?;
    let mut jobs = rows.into_iter().map(Job::try_from).collect::<Result<Vec<_>>>()?;
    find_positions(tx, &mut jobs).await?;
    Ok(jobs)
}

/// Fills in how many jobs are ahead of each that is queued: of its tenant, of its class, in the order of claims.
async fn find_positions(tx: &mut TenantTx, jobs: &mut [Job]) -> Result<()> {
    for class in Class::ALL {
        let kinds = Kind::names(class);
        let queued = |job: &Job| job.status == Status::Queued && kinds.contains(&job.kind.as_str());
        let ids: Vec<JobId> = jobs.iter().filter(|job| queued(job)).map(|job| job.id).collect();
        if ids.is_empty() {
            continue;
        }
        let ahead: Vec<(JobId, i64)> = sqlx::query_as(
            "select id, ahead from (
               select id, row_number() over (order by priority desc, run_at, id) - 1 as ahead
               from jobs where state = 'ready' and due and kind = any ($1)
             ) queue where id = any ($2)",
        )
        .bind(&kinds)
        .bind(&ids)
        .fetch_all(&mut **tx)
        .await?;
        let ahead: HashMap<JobId, i64> = ahead.into_iter().collect();
        for job in jobs.iter_mut().filter(|job| queued(job)) {
            job.position = ahead.get(&job.id).copied();
        }
    }
    Ok(())
}

/// What cancelling and retrying need to know of a job.
#[derive(sqlx::FromRow)]
pub(super) struct Stored {
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) payload: Json<Value>,
}

pub(super) async fn find_stored(tx: &mut TenantTx, id: JobId) -> Result<Option<Stored>> {
    Ok(
        sqlx::query_as("select id, kind, state, payload from jobs where id = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Dead jobs in the order of their ids.
pub(super) async fn dead(
    tx: &mut TenantTx,
    filter: &Filter,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<Stored>> {
    Ok(sqlx::query_as(
        "select id, kind, state, payload from jobs
         where state = 'dead' and ($1::text is null or kind = $1) and ($2::uuid is null or vector_store_id = $2)
           and ($3::uuid is null or file_id = $3) and ($4::uuid is null or id > $4)
         order by id limit $5",
    )
    .bind(&filter.kind)
    .bind(filter.vector_store_id)
    .bind(filter.file_id)
    .bind(after)
    .bind(limit)
    .fetch_all(&mut **tx)
    .await?)
}

/// `false` if the job has ended by now.
pub(super) async fn cancel(tx: &mut TenantTx, id: JobId) -> Result<bool> {
    let done = sqlx::query(
        "update jobs set state = 'cancelled', finished_at = now(), lease_token = null, lease_until = null
         where id = $1 and state in ('ready', 'running')",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// `false` if the job is not dead or cancelled, or another one does the same already.
pub(super) async fn retry(tx: &mut TenantTx, id: JobId) -> Result<bool> {
    let done = sqlx::query(
        "update jobs j
         set state = 'ready', due = true, run_at = now(), attempt = 0, started_at = null, finished_at = null,
             stage = null, progress_done = null, progress_total = null, reason = null, last_error = null
         where j.id = $1 and j.state in ('dead', 'cancelled') and not exists (
           select from jobs o where o.kind = j.kind and o.unique_key = j.unique_key and o.unique_key is not null
             and o.state in ('ready', 'running'))",
    )
    .bind(id)
    .execute(&mut **tx)
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() == 1),
        // The other one came just now.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn forget_old(tx: &mut TenantTx) -> Result<u64> {
    let done = sqlx::query(
        "delete from jobs where id in (
           select id from jobs
           where created_at < now() - interval '7 days' and finished_at < now() - interval '7 days'
             and state in ('done', 'cancelled')
           order by created_at, id limit 10000)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// Marks a place to go back to with [`undo`].
pub(super) async fn mark(tx: &mut TenantTx) -> Result<()> {
    sqlx::query("savepoint job").execute(&mut **tx).await?;
    Ok(())
}

/// Takes back what was written since [`mark`], locks included.
pub(super) async fn undo(tx: &mut TenantTx) -> Result<()> {
    sqlx::query("rollback to savepoint job")
        .execute(&mut **tx)
        .await?;
    Ok(())
}
