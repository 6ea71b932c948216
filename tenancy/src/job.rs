//! Durable background work.
//!
//! A job is enqueued in the transaction that makes it necessary, leased by one worker at a time, and finished in the
//! transaction that writes its result. A lease carries a fencing token: a worker that lost its lease (it stalled, its
//! machine slept) cannot write. All times are the database's. An attempt is counted when the lease is taken, so a crash
//! counts; a job whose worker died too often is handed out once more, marked [`Lease::exhausted`], to be buried.
//!
//! Leasing is fair: no tenant runs more than a cap at once, and tenants with the least running work come first.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Actor, Db, Error, JobId, Result, Scope, TenantContext, TenantId, TenantTx, new_uuid};

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
}

/// Enqueues a job. It exists when, and only when, `tx` commits.
///
/// # Errors
/// When the database is away.
pub async fn enqueue(tx: &mut TenantTx, job: NewJob<'_>) -> Result<()> {
    sqlx::query(
        "insert into jobs (id, kind, payload, unique_key, priority, max_attempts, run_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
         on conflict (tenant_id, kind, unique_key) where state in ('ready', 'running') do nothing",
    )
    .bind(JobId::generate())
    .bind(job.kind)
    .bind(Json(job.payload))
    .bind(job.unique_key)
    .bind(job.priority)
    .bind(job.max_attempts)
    .bind(job.delay.as_secs_f64())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The right to run a job now.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The context to run it in.
    pub cx: TenantContext,
    /// The job.
    pub id: JobId,
    /// What to do.
    pub kind: String,
    /// Which start this is, from 1.
    pub attempt: i32,
    /// Set when all attempts were used up by crashes: bury the job, do not run it.
    pub exhausted: bool,
    token: Uuid,
    max_attempts: i32,
}

/// What a failure means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again later, if attempts are left.
    Later,
    /// It will never work.
    Never,
}

/// Takes leases for one worker process.
#[derive(Debug, Clone)]
pub struct Leaser {
    db: Db,
    worker: String,
    /// How long a lease lasts without a heartbeat.
    pub lease_for: Duration,
    /// Most jobs of one tenant that run at once, over all workers.
    pub tenant_cap: i32,
}

#[derive(sqlx::FromRow)]
struct LeasedRow {
    tenant_id: TenantId,
    id: JobId,
    kind: String,
    attempt: i32,
    max_attempts: i32,
    exhausted: bool,
}

impl Leaser {
    /// A leaser for the worker called `worker` (for people; leases are told apart by token).
    pub fn new(db: Db, worker: impl Into<String>) -> Self {
        Self {
            db,
            worker: worker.into(),
            lease_for: Duration::from_secs(30),
            tenant_cap: 4,
        }
    }

    /// Leases up to `limit` jobs of the given kinds, fairly between tenants.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn lease(&self, kinds: &[&str], limit: i64) -> Result<Vec<Lease>> {
        let mut tx = self.db.system().await?;
        // One claimer at a time, or two workers would each count the other's claims as not yet running.
        sqlx::query("select pg_advisory_xact_lock(7310596433)")
            .execute(&mut *tx)
            .await?;
        let token = new_uuid();
        let rows: Vec<LeasedRow> = sqlx::query_as(
            "with claimable as (
               select tenant_id, id, priority, run_at from jobs
               where kind = any ($1) and (state = 'ready' and run_at <= now()
                                          or state = 'running' and lease_until < now())
             ),
             busy as (
               select tenant_id, count(*)::int as n from jobs
               where state = 'running' and lease_until >= now() group by tenant_id
             ),
             ranked as (
               select c.tenant_id, c.id, c.run_at, coalesce(b.n, 0) + row_number() over
                      (partition by c.tenant_id order by c.priority desc, c.run_at, c.id) as place
               from claimable c left join busy b using (tenant_id)
             ),
             chosen as (
               select tenant_id, id from ranked where place <= $2 order by place, run_at, id limit $3
             )
             update jobs j
             set state = 'running', lease_token = $4, lease_until = now() + make_interval(secs => $5), worker = $6,
                 attempt = least(j.attempt + 1, j.max_attempts + 1)
             from chosen c
             where j.tenant_id = c.tenant_id and j.id = c.id
               -- Asked again of the row's newest version: it may have been finished since the snapshot.
               and (j.state = 'ready' or j.state = 'running' and j.lease_until < now())
             returning j.tenant_id, j.id, j.kind, j.attempt, j.max_attempts, j.attempt > j.max_attempts as exhausted",
        )
        .bind(kinds)
        .bind(self.tenant_cap)
        .bind(limit)
        .bind(token)
        .bind(self.lease_for.as_secs_f64())
        .bind(&self.worker)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows
            .into_iter()
            .map(|row| Lease {
                cx: TenantContext::new(row.tenant_id, Actor::Job(row.id), Arc::from(Scope::ALL)),
                id: row.id,
                kind: row.kind,
                attempt: row.attempt,
                max_attempts: row.max_attempts,
                exhausted: row.exhausted,
                token,
            })
            .collect())
    }

    /// Extends a lease. `false` means that it was lost: stop working, nothing can be written any more.
    ///
    /// # Errors
    /// When the database is away; the lease may still hold.
    pub async fn heartbeat(&self, lease: &Lease) -> Result<bool> {
        let mut tx = self.db.system().await?;
        let done = sqlx::query(
            "update jobs set lease_until = now() + make_interval(secs => $4)
             where tenant_id = $1 and id = $2 and lease_token = $3 and state = 'running'",
        )
        .bind(lease.cx.tenant_id())
        .bind(lease.id)
        .bind(lease.token)
        .bind(self.lease_for.as_secs_f64())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a job back as if it had not been started: the worker shuts down.
    ///
    /// # Errors
    /// When the database is away; the lease then runs out by itself.
    pub async fn release(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.db.system().await?;
        sqlx::query(
            "update jobs set state = 'ready', attempt = attempt - 1, lease_token = null, lease_until = null
             where tenant_id = $1 and id = $2 and lease_token = $3 and state = 'running'",
        )
        .bind(lease.cx.tenant_id())
        .bind(lease.id)
        .bind(lease.token)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

impl Lease {
    /// The job's arguments.
    ///
    /// # Errors
    /// When the database is away or the lease is lost.
    pub async fn payload(&self, tx: &mut TenantTx) -> Result<Value> {
        let row: Option<Json<Value>> = sqlx::query_scalar(
            "select payload from jobs where id = $1 and lease_token = $2 and state = 'running'",
        )
        .bind(self.id)
        .bind(self.token)
        .fetch_optional(&mut **tx)
        .await?;
        row.map(|Json(payload)| payload).ok_or_else(lost)
    }

    /// Marks the job done, in the transaction that writes its result.
    ///
    /// # Errors
    /// If the lease is lost; `tx` must then not be committed, and is not (the error drops it).
    pub async fn complete(&self, tx: &mut TenantTx) -> Result<()> {
        let done = sqlx::query(
            "update jobs set state = 'done', finished_at = now(), lease_token = null, lease_until = null,
                    last_error = null
             where id = $1 and lease_token = $2 and state = 'running'",
        )
        .bind(self.id)
        .bind(self.token)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(lost())
        }
    }

    /// Whether [`Lease::fail`] with [`Retry::Later`] would end the job.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Records a failure: the job waits (2, 4, 8 … seconds, at most an hour, ± half) or is dead.
    ///
    /// # Errors
    /// If the lease is lost, as for [`Lease::complete`].
    pub async fn fail(&self, tx: &mut TenantTx, reason: &str, retry: Retry) -> Result<()> {
        let done = sqlx::query(
            "update jobs
             set state = case when $4 or attempt >= max_attempts then 'dead' else 'ready' end,
                 finished_at = case when $4 or attempt >= max_attempts then now() end,
                 run_at = now() + make_interval(secs => least(power(2, least(attempt, 12)), 3600) * (0.5 + random())),
                 lease_token = null, lease_until = null, last_error = left($3, 2000)
             where id = $1 and lease_token = $2 and state = 'running'",
        )
        .bind(self.id)
        .bind(self.token)
        .bind(reason)
        .bind(retry == Retry::Never)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(lost())
        }
    }
}

fn lost() -> Error {
    Error::Invalid("the lease of this job was lost".into())
}
