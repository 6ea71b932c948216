//! A migration's work, as a job.
//!
//! It runs in slices: after a while the job ends and enqueues itself, so that it never keeps a tenant's other work
//! waiting for longer than that. Nothing is remembered but what is stored: a chunk without a vector is work to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use insula_tenancy::job::{self, Lease, Progress, Subject};
use insula_tenancy::{ChunkId, MigrationId, TenantTx, VectorStoreId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::vectors::{Place, StoredChunk};
use super::{Migration, Side, Status, compare, complete, embed, remove, store, vectors};
use crate::ingest::ParseError;
use crate::model::Embedder;
use crate::route::tenant;
use crate::vector_store::lock;
use crate::worker::{self, Failure, Job};
use crate::{Error, Result, Services};

/// Chunks that are embedded between two transactions.
const BATCH: i64 = 128;
/// After this long the tenant's other work has its turn.
const SLICE: Duration = Duration::from_secs(20);

/// Embeds a store's chunks with the model that it is on the way to, then switches.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct MigrateStore {
    /// The store.
    pub(crate) vector_store_id: Uuid,
    /// The migration.
    pub(crate) migration_id: Uuid,
}

impl MigrateStore {
    pub(crate) fn new(store_id: VectorStoreId, id: MigrationId) -> Self {
        Self {
            vector_store_id: store_id.uuid(),
            migration_id: id.uuid(),
        }
    }

    /// Takes the job out of the queue, or its lease from the worker that has it.
    pub(super) async fn cancel(&self, tx: &mut TenantTx) -> Result<()> {
        let keys: Vec<String> = self.unique_key().into_iter().collect();
        Ok(job::cancel_keys(tx, Self::KIND, &keys).await?)
    }
}

#[async_trait]
impl Job for MigrateStore {
    const KIND: &'static str = "migrate_store";
    const PRIORITY: i32 = -20;
    const CANCELLABLE: bool = true;

    fn unique_key(&self) -> Option<String> {
        Some(self.migration_id.simple().to_string())
    }

    fn subject(&self) -> Subject {
        Subject {
            vector_store_id: Some(self.vector_store_id.into()),
            file_id: None,
        }
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let run = Run {
            services,
            lease,
            job: *self,
            started: Instant::now(),
        };
        run.to_the_end().await
    }

    async fn buried(&self, tx: &mut TenantTx, _why: &ParseError) -> Result<()> {
        let Some(migration) = under_way(tx, *self).await? else {
            return Ok(());
        };
        let (target, _) = migration.target();
        let (source, _) = migration.source();
        let error = format!(
            "Some chunks could not be embedded with '{target}' after several attempts. The operator can see why. The \
             vector store uses '{source}' as before."
        );
        give_up(tx, &migration, Status::Failed, Some(&error)).await
    }

    async fn cancelled(&self, tx: &mut TenantTx) -> Result<()> {
        match under_way(tx, *self).await? {
            Some(migration) => give_up(tx, &migration, Status::Cancelled, None).await,
            None => Ok(()),
        }
    }

    async fn retried(&self, tx: &mut TenantTx) -> Result<bool> {
        // What was given up is cleaned up; another migration can be begun.
        Ok(under_way(tx, *self).await?.is_some())
    }
}

/// Leaves the store on the model that it has. A way back that is given up stays open; it can be tried again.
pub(super) async fn give_up(
    tx: &mut TenantTx,
    migration: &Migration,
    status: Status,
    error: Option<&str>,
) -> Result<()> {
    if migration.is_on_the_way_back() {
        store::finish(tx, migration.id, Status::Completed, error).await?;
        let kept_for = store::keep_old_vectors(tx, migration.id).await?;
        remove::enqueue_after(tx, migration, kept_for).await
    } else {
        store::finish(tx, migration.id, status, error).await?;
        remove::enqueue(tx, migration).await
    }
}

/// The migration, with its store locked, if there is something to do for it.
async fn under_way(tx: &mut TenantTx, job: MigrateStore) -> Result<Option<Migration>> {
    let (store_id, id) = (job.vector_store_id.into(), job.migration_id.into());
    if !lock(tx, store_id).await? {
        return Ok(None);
    }
    let found = store::find(tx, store_id, id).await?;
    Ok(found.filter(|migration| migration.status.is_under_way()))
}

/// How a walk over the store's chunks ended.
enum Walk {
    /// None lacked a vector.
    Through,
    /// The migration is over; so is the job.
    Over,
    /// There is more, but not now.
    Later(Duration),
}

/// Chunks to embed, and where the walk is behind them; nowhere at its end.
struct Batch {
    chunks: Vec<StoredChunk>,
    last: Option<Place>,
}

struct Run<'a> {
    services: &'a Services,
    lease: &'a Lease,
    job: MigrateStore,
    started: Instant,
}

impl Run<'_> {
    async fn to_the_end(&self) -> Result<(), Failure> {
        let Some(migration) = self.begin().await? else {
            return Ok(());
        };
        let (name, side) = migration.target();
        let embedder = tenant::embedder_of(self.services, &self.lease.cx, name).await?;
        let mut compared = migration.is_on_the_way_back() || migration.overlap_at_10.is_some();
        loop {
            match self.walk(&embedder, side).await? {
                Walk::Through => {}
                Walk::Over => return Ok(()),
                Walk::Later(delay) => return self.go_on_later(delay).await,
            }
            if !compared {
                compared = match self.compare(&migration).await {
                    Err(Error::Overloaded { retry_after, .. }) => return self.go_on_later(retry_after).await,
                    goes_on => goes_on?,
                };
                if !compared {
                    return Ok(());
                }
            }
            // What came since the walk has to be embedded first: round again.
            if self.settle().await? {
                return Ok(());
            }
        }
    }

    /// The migration, which is now being worked on; or `None` and the job is done.
    async fn begin(&self) -> Result<Option<Migration>> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        let found = under_way(&mut tx, self.job).await?;
        match &found {
            None => self.lease.complete(&mut tx).await?,
            Some(migration) if migration.status == Status::Queued => {
                store::set_status(&mut tx, migration.id, Status::Embedding).await?;
            }
            Some(_) => {}
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Embeds what lacks a vector, from the first chunk to the last.
    async fn walk(&self, embedder: &Arc<dyn Embedder>, side: Side) -> Result<Walk> {
        let store_id = self.job.vector_store_id.into();
        let mut after: Option<Place> = None;
        loop {
            if self.started.elapsed() > SLICE {
                return Ok(Walk::Later(Duration::ZERO));
            }
            let Some(found) = self.next_batch(side, after).await? else {
                return Ok(Walk::Over);
            };
            let Some(last) = found.last else {
                return Ok(Walk::Through);
            };
            after = Some(last);
            let (ids, new) = match embed::embed(self.services, &self.lease.cx, embedder, found.chunks).await {
                // Others need the model more.
                Err(Error::Overloaded { retry_after, .. }) => return Ok(Walk::Later(retry_after)),
                embedded => embedded?,
            };
            let written = self.note(async |tx| {
                let more = vectors::insert(tx, store_id, side, &ids, &new).await?;
                self.advance(tx, more).await
            });
            if !written.await? {
                return Ok(Walk::Over);
            }
        }
    }

    /// The next chunks that have to be embedded, once those are served whose texts are embedded elsewhere; `None` if
    /// the migration is over, and so is the job.
    async fn next_batch(&self, side: Side, after: Option<Place>) -> Result<Option<Batch>> {
        let store_id = self.job.vector_store_id.into();
        let mut batch = None;
        self.note(async |tx| {
            let mut chunks = vectors::lacking(tx, store_id, side, after, BATCH).await?;
            let last = chunks.last().map(StoredChunk::place);
            let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
            let served = vectors::take_over(tx, store_id, side, &ids).await?;
            chunks.retain(|chunk| !served.contains(&chunk.id));
            self.advance(tx, i64::try_from(served.len()).unwrap_or(i64::MAX))
                .await?;
            batch = Some(Batch { chunks, last });
            Ok(())
        })
        .await?;
        Ok(batch)
    }

    /// So many chunks more have their vector.
    async fn advance(&self, tx: &mut TenantTx, more: i64) -> Result<()> {
        let (store_id, id) = (self.job.vector_store_id.into(), self.job.migration_id.into());
        let (done, total) = store::add_done(tx, store_id, id, more).await?;
        let progress = Progress {
            stage: "embedding",
            done,
            total,
        };
        Ok(self.lease.progress(tx, progress).await?)
    }

    /// Compares the models' answers; `false` if the migration is over, and so is the job.
    async fn compare(&self, migration: &Migration) -> Result<bool> {
        let goes_on = self.note(async |tx| {
            let progress = Progress {
                stage: "comparing",
                done: 0,
                total: 0,
            };
            self.lease.progress(tx, progress).await?;
            store::set_status(tx, migration.id, Status::Comparing).await
        });
        if !goes_on.await? {
            return Ok(false);
        }
        let overlap = compare::overlap(self.services, &self.lease.cx, migration).await?;
        self.note(async |tx| match overlap {
            Some(overlap) => store::set_overlap(tx, migration.id, overlap).await,
            None => Ok(()),
        })
        .await
    }

    /// Writes to the migration, unless it is over; then the job is done.
    async fn note(&self, write: impl AsyncFnOnce(&mut TenantTx) -> Result<()>) -> Result<bool> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        let goes_on = under_way(&mut tx, self.job).await?.is_some();
        if goes_on {
            write(&mut tx).await?;
        } else {
            self.lease.complete(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(goes_on)
    }

    /// Switches, or waits for the word. `false` if a chunk lacks its vector after all.
    async fn settle(&self) -> Result<bool> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        let settled = match under_way(&mut tx, self.job).await? {
            None => true,
            Some(migration) if migration.auto_switch || migration.is_on_the_way_back() => {
                let switched = complete(&mut tx, &migration).await?;
                if !switched && !migration.is_on_the_way_back() {
                    store::set_status(&mut tx, migration.id, Status::Embedding).await?;
                }
                switched
            }
            Some(migration) => {
                store::set_status(&mut tx, migration.id, Status::Ready).await?;
                true
            }
        };
        if settled {
            self.lease.complete(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(settled)
    }

    /// Ends this job and begins the next, which starts with new attempts.
    async fn go_on_later(&self, delay: Duration) -> Result<(), Failure> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        self.lease.complete(&mut tx).await?;
        worker::enqueue_after(&mut tx, &self.job, delay).await?;
        tx.commit().await?;
        Ok(())
    }
}
