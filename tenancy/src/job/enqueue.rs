//! Putting jobs into the queue, and taking them out of it.

use std::time::Duration;

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{FileId, JobId, Result, TenantTx, VectorStoreId};

/// A job to be enqueued.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// What to do: the name of a job type.
    pub kind: &'a str,
    /// Its arguments. The tenant is not one of them: the row's column decides.
    pub payload: Value,
    /// At most one job of this kind with this key waits or runs per tenant; a second is not enqueued.
    pub unique_key: Option<String>,
    /// Higher goes first within the tenant.
    pub priority: i32,
    /// How often it may be started.
    pub max_attempts: i32,
    /// How long it waits before it may be started. A job that is enqueued for later keeps its place in the database,
    /// not in a timer.
    pub delay: Duration,
    /// What it works on.
    pub subject: Subject,
}

/// What a job works on, so that its tenant can find the job of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject {
    /// A vector store.
    pub vector_store_id: Option<VectorStoreId>,
    /// A file.
    pub file_id: Option<FileId>,
}

/// Enqueues a job. It exists when, and only when, `tx` commits.
///
/// # Errors
/// When the database is away.
pub async fn enqueue(tx: &mut TenantTx, job: NewJob<'_>) -> Result<()> {
    enqueue_many(tx, vec![job]).await
}

/// Enqueues jobs in one statement, each as [`enqueue`] would.
///
/// # Errors
/// When the database is away.
pub async fn enqueue_many(tx: &mut TenantTx, jobs: Vec<NewJob<'_>>) -> Result<()> {
    let ids: Vec<JobId> = jobs.iter().map(|_| JobId::generate()).collect();
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind).collect();
    let payloads: Vec<Json<&Value>> = jobs.iter().map(|job| Json(&job.payload)).collect();
    let unique_keys: Vec<Option<&str>> = jobs.iter().map(|job| job.unique_key.as_deref()).collect();
    let priorities: Vec<i32> = jobs.iter().map(|job| job.priority).collect();
    let max_attempts: Vec<i32> = jobs.iter().map(|job| job.max_attempts).collect();
    let delays: Vec<f64> = jobs.iter().map(|job| job.delay.as_secs_f64()).collect();
    let stores: Vec<Option<Uuid>> = jobs
        .iter()
        .map(|job| job.subject.vector_store_id.map(VectorStoreId::uuid))
        .collect();
    let files: Vec<Option<Uuid>> = jobs
        .iter()
        .map(|job| job.subject.file_id.map(FileId::uuid))
        .collect();
    sqlx::query(
        "insert into jobs
           (id, kind, payload, unique_key, priority, max_attempts, run_at, due, vector_store_id, file_id)
         select u.id, u.kind, u.payload, u.unique_key, u.priority, u.max_attempts,
                now() + make_interval(secs => u.delay), u.delay <= 0, u.vector_store_id, u.file_id
         from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::int[], $6::int[], $7::float8[],
                     $8::uuid[], $9::uuid[])
              as u (id, kind, payload, unique_key, priority, max_attempts, delay, vector_store_id, file_id)
         on conflict (tenant_id, kind, unique_key)
           where unique_key is not null and state in ('ready', 'running') do nothing",
    )
    .bind(ids)
    .bind(kinds)
    .bind(payloads)
    .bind(unique_keys)
    .bind(priorities)
    .bind(max_attempts)
    .bind(delays)
    .bind(stores)
    .bind(files)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets the job of a kind with this unique key begin now, if it waits for its time.
///
/// # Errors
/// When the database is away.
pub async fn hasten(tx: &mut TenantTx, kind: &str, unique_key: &str) -> Result<()> {
    sqlx::query(
        "update jobs set run_at = now(), due = true
         where kind = $1 and unique_key = $2 and state = 'ready' and not due",
    )
    .bind(kind)
    .bind(unique_key)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Cancels the jobs of a kind that wait or run under these unique keys. The lease of a running one is lost: whatever its
/// worker does from here on is not written.
///
/// # Errors
/// When the database is away.
pub async fn cancel_keys(tx: &mut TenantTx, kind: &str, unique_keys: &[String]) -> Result<()> {
    sqlx::query(
        "update jobs set state = 'cancelled', finished_at = now(), lease_token = null, lease_until = null
         where kind = $1 and unique_key = any ($2) and state in ('ready', 'running')",
    )
    .bind(kind)
    .bind(unique_keys)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
