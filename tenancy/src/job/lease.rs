//! The right to run a job, and what may be written under it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{AccessError, Actor, Error, JobId, KeyId, Result, TenantContext, TenantTx, VectorStoreId};

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
    pub(super) token: Uuid,
    pub(super) max_attempts: i32,
    pub(super) told: Told,
}

/// What was last told of the job's progress, and when.
pub(super) type Told = Arc<Mutex<Option<(String, Instant)>>>;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What it is doing, in one word of at most 64 characters.
    pub stage: &'a str,
    /// How much of that is done, in whatever unit the stage has.
    pub done: i64,
    /// How much there is to do; 0 if that is not known.
    pub total: i64,
}

/// What a failure means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again later, if attempts are left.
    Later,
    /// It will never work.
    Never,
}

/// Why a job failed.
#[derive(Debug, Clone, Copy)]
pub struct Reason<'a> {
    /// What the tenant is told. Nothing of the inside may be in it.
    pub public: &'a str,
    /// What the operator can look up.
    pub internal: &'a str,
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
        row.map(|Json(payload)| payload).ok_or(Error::LeaseLost)
    }

    /// The context of the key that asked for the job, with the rights that it has now: what is done on somebody's behalf
    /// goes no further than they could go themselves.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] for a key that is revoked or has expired; [`AccessError::Suspended`].
    pub async fn act_for(&self, tx: &mut TenantTx, key: KeyId) -> Result<TenantContext> {
        let found: Option<(Vec<String>, Option<Vec<VectorStoreId>>, bool)> = sqlx::query_as(
            "select k.scopes, k.vector_store_ids, t.status = 'suspended' from api_keys k join tenants t on t.id = k.tenant_id
             where k.id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())",
        )
        .bind(key)
        .fetch_optional(&mut **tx)
        .await?;
        let (scopes, stores, suspended) = found.ok_or(AccessError::InvalidKey)?;
        if suspended {
            return Err(AccessError::Suspended.into());
        }
        let scopes = scopes.iter().filter_map(|name| name.parse().ok()).collect();
        let context = TenantContext::new(tx.tenant_id(), Actor::Key(key), scopes);
        Ok(context.bound_to(stores.as_deref()))
    }

    /// Sees to it that the lease is held until `tx` is over.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn hold(&self, tx: &mut TenantTx) -> Result<()> {
        let held_by = sqlx::query_scalar::<_, JobId>(
            "select id from jobs where id = $1 and lease_token = $2 and state = 'running' for update",
        )
        .bind(self.id)
        .bind(self.token)
        .fetch_optional(&mut **tx)
        .await?;
        held_by.map(drop).ok_or(Error::LeaseLost)
    }

    /// Marks the job done, in the transaction that writes its result.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]; `tx` must then not be committed, and is not (the error drops it).
    pub async fn complete(&self, tx: &mut TenantTx) -> Result<()> {
        let done = sqlx::query(
            "update jobs set state = 'done', finished_at = now(), lease_token = null, lease_until = null,
                    last_error = null, reason = null, stage = null, progress_done = progress_total
             where id = $1 and lease_token = $2 and state = 'running'",
        )
        .bind(self.id)
        .bind(self.token)
        .execute(&mut **tx)
        .await?;
        held(done.rows_affected())
    }

    /// Records how far the job is.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: another worker has the job, or it was cancelled. Stop working.
    pub async fn progress(&self, tx: &mut TenantTx, progress: Progress<'_>) -> Result<()> {
        let done = sqlx::query(
            "update jobs set stage = $3, progress_done = $4, progress_total = $5
             where id = $1 and lease_token = $2 and state = 'running'",
        )
        .bind(self.id)
        .bind(self.token)
        .bind(progress.stage)
        .bind(progress.done)
        .bind(progress.total)
        .execute(&mut **tx)
        .await?;
        held(done.rows_affected())
    }

    /// Whether progress is worth a transaction: the stage is another than was last told, or that was `at_least` ago. What
    /// is asked about counts as told.
    pub fn is_news(&self, stage: &str, at_least: Duration) -> bool {
        // Replaced in one step, so a poisoned lock is still good.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match &*told {
            Some((before, at)) => before != stage || at.elapsed() >= at_least,
            None => true,
        };
        if news {
            *told = Some((stage.to_owned(), Instant::now()));
        }
        news
    }

    /// Whether [`Lease::fail`] with [`Retry::Later`] would end the job.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Records a failure: the job waits (2, 4, 8 … seconds, at most an hour, ± half) or is dead.
    ///
    /// # Errors
    /// [`Error::LeaseLost`], as for [`Lease::complete`].
    pub async fn fail(&self, tx: &mut TenantTx, reason: Reason<'_>, retry: Retry) -> Result<()> {
        let done = sqlx::query(
            "update jobs
             set state = case when $4 or attempt >= max_attempts then 'dead' else 'ready' end, due = false,
                 finished_at = case when $4 or attempt >= max_attempts then now() end,
                 run_at = now() + make_interval(secs => least(power(2, least(attempt, 12)), 3600) * (0.5 + random())),
                 lease_token = null, lease_until = null, last_error = left($3, 2000), reason = left($5, 2000)
             where id = $1 and lease_token = $2 and state = 'running'",
        )
        .bind(self.id)
        .bind(self.token)
        .bind(reason.internal)
        .bind(retry == Retry::Never)
        .bind(reason.public)
        .execute(&mut **tx)
        .await?;
        held(done.rows_affected())
    }
}

fn held(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(Error::LeaseLost) }
}
