//! The kinds of jobs there are.

use insula_tenancy::TenantTx;
use insula_tenancy::job::{Lease, Retry};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::job::{Failure, Job};
use crate::file::DeleteBlob;
use crate::ingest::{IngestFile, ParseError, ParseErrorCode};
use crate::source::{CrawlSource, DropFiles, RefreshSource, SettleSource};
use crate::webhook::DeliverWebhook;
use crate::{Error, Result, Services};

macro_rules! kinds {
    ($($job:ty,)+) => {
        /// All kinds, as stored.
        pub(super) const KINDS: &[&str] = &[$(<$job>::KIND),+];

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
    };
}

kinds! {
    IngestFile,
    DeleteBlob,
    CrawlSource,
    RefreshSource,
    SettleSource,
    DropFiles,
    DeliverWebhook,
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
    let (retry, buried, reason) = match failure {
        Failure::Document(error) => (Retry::Never, Some(error.clone()), error.message),
        Failure::Ours(error) => {
            let reason = match &error {
                Error::Internal(source) => source.to_string(),
                other => other.to_string(),
            };
            tracing::error!(%reason, job = %lease.id, kind = %lease.kind, attempt = lease.attempt, "job failed");
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
            (retry, buried, reason)
        }
    };
    let payload = payload(services, lease).await?;
    let mut tx = services.db.tenant(&lease.cx).await?;
    if let Some(why) = buried {
        bury(&mut tx, &lease.kind, payload, &why).await?;
    }
    lease.fail(&mut tx, &reason, retry).await?;
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
