//! What a kind of job is.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::TenantTx;
use insula_tenancy::job::{self, Lease, NewJob, Subject};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ingest::{ParseError, ParseErrorCode};
use crate::{Error, Result, Services};

/// A kind of background work; its fields are the arguments. The tenant is not one of them: the lease says for whom it
/// runs. A job may be run more than once (a worker may die), so whatever it writes goes into the transaction that
/// completes its lease, or is harmless to repeat.
///
/// A kind is listed in `worker/kinds.rs`, or no worker takes it.
#[async_trait]
pub(crate) trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the database.
    const KIND: &'static str;
    /// How often it may be started.
    const MAX_ATTEMPTS: i32 = 5;
    /// Higher goes first among the jobs of a tenant.
    const PRIORITY: i32 = 0;
    /// With which others it shares workers.
    const CLASS: Class = Class::Ingest;
    /// Whether its tenant may cancel it. What keeps the install clean, or keeps a promise, is not theirs to cancel.
    const CANCELLABLE: bool = false;

    /// At most one job of this kind with this key waits or runs per tenant; a second is not enqueued.
    fn unique_key(&self) -> Option<String> {
        None
    }

    /// What it works on, so that the tenant can find the job of a file.
    fn subject(&self) -> Subject {
        Subject::default()
    }

    /// Does the work and completes the lease.
    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure>;

    /// Puts it on record, in the transaction that buries the job, that it will not be done.
    async fn buried(&self, _tx: &mut TenantTx, _why: &ParseError) -> Result<()> {
        Ok(())
    }

    /// Puts it on record, in the transaction that cancels the job, that it will not be done. The job may be running: its
    /// worker cannot write any more once this is committed. Locks are taken in the order in which `run` takes them.
    async fn cancelled(&self, _tx: &mut TenantTx) -> Result<()> {
        Ok(())
    }

    /// Puts it on record, in the transaction that sends a dead or cancelled job on its way again, that it will be done
    /// after all. `false` if that makes no sense any more: what it works on is gone, or has been seen to otherwise.
    async fn retried(&self, _tx: &mut TenantTx) -> Result<bool> {
        Ok(true)
    }
}

/// Jobs of one class share the worker's slots and the tenant's cap; jobs of different classes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Bound by the processor or the model: reading and embedding.
    Ingest,
    /// Mostly waiting, for a disk or for somebody else's server: deliveries, deletions, sweeps.
    Light,
    /// Batches of calls: hours of work for which nobody waits, in slices.
    Batch,
}

impl Class {
    /// Every class.
    pub(crate) const ALL: [Self; 3] = [Self::Ingest, Self::Light, Self::Batch];
}

/// Why a job did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What it works on is at fault; trying again is pointless.
    Document(ParseError),
    /// We, or something that we depend on.
    Ours(Error),
}

impl Failure {
    /// Whether the lease was lost, so that there is nothing to record and nothing to record it with.
    pub(super) fn is_lost_lease(&self) -> bool {
        matches!(self, Self::Ours(Error::Internal(source))
            if matches!(source.downcast_ref(), Some(insula_tenancy::Error::LeaseLost)))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // Trying again is pointless before somebody makes room, and then the tenant asks again.
            Error::QuotaExceeded(message) | Error::BudgetExceeded(message) => Self::Document(ParseError {
                code: ParseErrorCode::ServerError,
                message,
            }),
            error => Self::Ours(error),
        }
    }
}

impl From<insula_tenancy::Error> for Failure {
    fn from(error: insula_tenancy::Error) -> Self {
        Self::Ours(error.into())
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        match error.code {
            ParseErrorCode::ServerError => Self::Ours(Error::internal(error.message)),
            ParseErrorCode::InvalidFile | ParseErrorCode::UnsupportedFile => Self::Document(error),
        }
    }
}

/// Enqueues a job. It exists when, and only when, `tx` commits.
pub(crate) async fn enqueue<J: Job>(tx: &mut TenantTx, job: &J) -> Result<()> {
    enqueue_after(tx, job, Duration::ZERO).await
}

/// Enqueues a job that may not be started before `delay` has passed.
pub(crate) async fn enqueue_after<J: Job>(tx: &mut TenantTx, job: &J, delay: Duration) -> Result<()> {
    Ok(job::enqueue(tx, new_job(job, delay)?).await?)
}

/// Enqueues jobs of one kind in one statement.
pub(crate) async fn enqueue_many<J: Job>(tx: &mut TenantTx, jobs: &[J]) -> Result<()> {
    let new = jobs.iter().map(|job| new_job(job, Duration::ZERO));
    Ok(job::enqueue_many(tx, new.collect::<Result<_>>()?).await?)
}

/// Cancels jobs that wait or run, by their unique keys. What their workers do from here on is not written.
pub(crate) async fn cancel<J: Job>(tx: &mut TenantTx, jobs: &[J]) -> Result<()> {
    let keys: Vec<String> = jobs.iter().filter_map(Job::unique_key).collect();
    Ok(job::cancel_keys(tx, J::KIND, &keys).await?)
}

fn new_job<J: Job>(job: &J, delay: Duration) -> Result<NewJob<'static>> {
    Ok(NewJob {
        kind: J::KIND,
        payload: serde_json::to_value(job).map_err(Error::internal)?,
        unique_key: job.unique_key(),
        priority: J::PRIORITY,
        max_attempts: J::MAX_ATTEMPTS,
        delay,
        subject: job.subject(),
    })
}
