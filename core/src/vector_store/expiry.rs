//! Vector stores that are not used for as long as their owner said: they stay readable, with the status `expired`, but
//! their passages are gone and searches are refused.
//!
//! A job waits for the moment. Each use of the store moves the moment on; the job finds that out when it runs, and
//! waits for the new one.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::job::Lease;
use insula_tenancy::{FileId, TenantTx, VectorStoreId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ending, lock};
use crate::worker::{Class, Failure, Job, enqueue_after};
use crate::{Error, Result, Services};

/// How a store stands to its end.
#[derive(sqlx::FromRow)]
struct Expiry {
    /// Whether it has been marked as expired.
    marked: bool,
    /// Unix seconds of its end. Null if it has none.
    due: Option<i64>,
    /// Seconds until then; not above 0 when it is over.
    left: Option<f64>,
}

async fn find(tx: &mut TenantTx, id: VectorStoreId) -> Result<Option<Expiry>> {
    Ok(sqlx::query_as(
        "select expired_at is not null as marked,
                floor(extract(epoch from last_active_at + make_interval(days => expires_after_days)))::bigint as due,
                extract(epoch from last_active_at + make_interval(days => expires_after_days) - now())::float8 as left
         from vector_stores where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Enqueues the job that expires the store, after its expiry was set or changed.
pub(super) async fn plan(tx: &mut TenantTx, id: VectorStoreId) -> Result<()> {
    if let Some(Expiry {
        marked: false,
        due: Some(due),
        left: Some(left),
    }) = find(tx, id).await?
    {
        let job = ExpireStore {
            vector_store_id: id.uuid(),
            due,
        };
        enqueue_after(tx, &job, Duration::from_secs_f64(left.max(0.0))).await?;
    }
    Ok(())
}

/// The refusal to search or fill a store that has expired.
pub(crate) fn expired() -> Error {
    Error::Invalid {
        message: "This vector store has expired.".into(),
        param: None,
        code: Some("vector_store_expired"),
    }
}

/// Expires a store if it is not used until then.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ExpireStore {
    vector_store_id: Uuid,
    /// Unix seconds of the moment that this job waits for. Part of the key: a store whose expiry is brought forward
    /// gets another job, and the later one finds nothing to do.
    due: i64,
}

#[async_trait]
impl Job for ExpireStore {
    const KIND: &'static str = "expire_vector_store";
    const MAX_ATTEMPTS: i32 = 10;
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        Some(format!("{}:{}", self.vector_store_id.simple(), self.due))
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let id = VectorStoreId::from(self.vector_store_id);
        let mut tx = services.db.tenant(&lease.cx).await?;
        lock(&mut tx, id).await?;
        let expires = match find(&mut tx, id).await? {
            None => false,
            Some(expiry) => expiry.marked || expiry.left.is_some_and(|left| left <= 0.0),
        };
        if !expires {
            // Deleted, kept for ever, or used meanwhile. Completed first, so that its unique key is free again.
            lease.complete(&mut tx).await?;
            plan(&mut tx, id).await?;
            tx.commit().await?;
            return Ok(());
        }
        mark(&mut tx, id).await?;
        tx.commit().await?;
        // From here on no file can be added. One by one, so that no transaction is long; where this is interrupted, the
        // next attempt goes on.
        loop {
            let mut tx = services.db.tenant(&lease.cx).await?;
            lock(&mut tx, id).await?;
            let Some(file_id) = next_file(&mut tx, id).await? else {
                lease.complete(&mut tx).await?;
                tx.commit().await?;
                return Ok(());
            };
            ending::expire(&mut tx, id, file_id).await?;
            tx.commit().await?;
        }
    }
}

async fn mark(tx: &mut TenantTx, id: VectorStoreId) -> Result<()> {
    sqlx::query("update vector_stores set expired_at = coalesce(expired_at, now()) where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn next_file(tx: &mut TenantTx, id: VectorStoreId) -> Result<Option<FileId>> {
    Ok(sqlx::query_scalar(
        "select file_id from vector_store_files
         where vector_store_id = $1 and status in ('in_progress', 'completed') limit 1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}
