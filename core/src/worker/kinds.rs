//! The kinds of jobs there are.

use insula_tenancy::TenantTx;
use insula_tenancy::job::{Lease, Reason, Retry};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::job::{Class, Failure, Job};
use crate::batch::RunBatch;
use crate::budget_alert::TellBudgetAlert;
use crate::file::{DeleteBlob, DeleteBlobs, ExpireFile};
use crate::housekeeping::Housekeeping;
use crate::ingest::{IngestFile, ParseError, ParseErrorCode};
use crate::migration::{MigrateStore, RemoveVectors};
use crate::source::{CrawlSource, DropFiles, RefreshSource, SettleSource};
use crate::upload::ExpireUpload;
use crate::vector_store::ExpireStore;
use crate::webhook::DeliverWebhook;
use crate::{Error, Result, Services};

/// What is known of a kind without its arguments.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    pub(crate) cancellable: bool,
}

impl Kind {
    const fn of<J: Job>() -> Self {
        Self {
            name: J::KIND,
            class: J::CLASS,
            cancellable: J::CANCELLABLE,
        }
    }

    /// The kind of that name, if this version knows it.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The names of the kinds of a class.
    pub(crate) fn names(class: Class) -> Vec<&'static str> {
        let of_class = KINDS.iter().filter(|kind| kind.class == class);
        of_class.map(|kind| kind.name).collect()
    }
}

macro_rules! kinds {
    ($($job:ty,)+) => {
        const KINDS: &[Kind] = &[$(Kind::of::<$job>()),+];

        async fn run(services: &Services, lease: &Lease, payload: Value) -> Result<(), Failure> {
            match lease.kind.as_str() {
                $(<$job>::KIND => read::<$job>(payload)?.run(services, lease).await,)+
                other => Err(Error::internal(format!("no worker knows the job kind '{other}'")).into()),
            }
        }

        async fn bury(tx: &mut TenantTx, kind: &str, payload: Value, why: &ParseError) -> Result<()> {
            match kind {
                $(<$job>::KIND => read::<$job>(payload)?.buried(tx, why).await,)+
                _ => Ok(()),
            }
        }

        /// [`Job::cancelled`] of a stored job.
        pub(crate) async fn cancelled(tx: &mut TenantTx, kind: &str, payload: Value) -> Result<()> {
            match kind {
                $(<$job>::KIND => read::<$job>(payload)?.cancelled(tx).await,)+
                _ => Ok(()),
            }
        }

        /// [`Job::retried`] of a stored job.
        pub(crate) async fn retried(tx: &mut TenantTx, kind: &str, payload: Value) -> Result<bool> {
            match kind {
                $(<$job>::KIND => read::<$job>(payload)?.retried(tx).await,)+
                _ => Ok(false),
            }
        }
    };
}

kinds! {
    IngestFile,
    DeleteBlob,
    DeleteBlobs,
    ExpireFile,
    ExpireStore,
    ExpireUpload,
    Housekeeping,
    CrawlSource,
    RefreshSource,
    SettleSource,
    DropFiles,
    DeliverWebhook,
    MigrateStore,
    RemoveVectors,
    TellBudgetAlert,
    RunBatch,
}

pub(super) async fn dispatch(services: &Services, lease: &Lease) -> Result<(), Failure> {
    if lease.exhausted {
        return Err(Failure::Ours(Error::internal("the worker died at every attempt")));
    }
    let payload = payload(services, lease).await?;
    run(services, lease, payload).await
}

/// Puts the failure on record: on the job, and on what it worked on if it will not be tried again.
pub(super) async fn record_failure(services: &Services, lease: &Lease, failure: Failure) -> Result<()> {
    let (retry, buried, public, internal) = match failure {
        Failure::Document(error) => (
            Retry::Never,
            Some(error.clone()),
            error.message.clone(),
            error.message,
        ),
        Failure::Ours(error) => {
            let (public, internal) = match &error {
                Error::Internal(source) => (
                    "The server could not do this. Its operator can see why.".into(),
                    source.to_string(),
                ),
                // Written for the tenant.
                other => (other.to_string(), other.to_string()),
            };
            tracing::error!(reason = %internal, job = %lease.id, kind = %lease.kind, attempt = lease.attempt, "job failed");
            let over = lease.exhausted || lease.is_last_attempt();
            let buried = over.then(|| ParseError {
                code: ParseErrorCode::ServerError,
                message: "The file could not be processed after several attempts. The operator can see why."
                    .into(),
            });
            let retry = if lease.exhausted {
                Retry::Never
            } else {
                Retry::Later
            };
            (retry, buried, public, internal)
        }
    };
    let payload = payload(services, lease).await?;
    let mut tx = services.db.tenant(&lease.cx).await?;
    if let Some(why) = buried {
        bury(&mut tx, &lease.kind, payload, &why).await?;
    }
    let reason = Reason {
        public: &public,
        internal: &internal,
    };
    lease.fail(&mut tx, reason, retry).await?;
    tx.commit().await?;
    Ok(())
}

async fn payload(services: &Services, lease: &Lease) -> Result<Value> {
    let mut tx = services.db.tenant(&lease.cx).await?;
    let payload = lease.payload(&mut tx).await?;
    tx.commit().await?;
    Ok(payload)
}

fn read<J: DeserializeOwned>(payload: Value) -> Result<J> {
    serde_json::from_value(payload).map_err(Error::internal)
}
