//! Vectors of the stores that are searched most, in the server's memory.
//!
//! A row costs Postgres some hundred nanoseconds, whatever is done with it; here it costs some tens. So for a store that is
//! searched often the server itself looks through all vectors, and proposes a few chunks. Postgres compares those exactly, under
//! row-level security, in the statement that ranks; and only if the store's content still has the version that was read before
//! the vectors. If not, the same statement looks for candidates itself. A proposal that is wrong can make a search find less, but
//! never show what is gone, or somebody else's.

mod block;
mod load;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use insula_tenancy::{ChunkId, Db, TenantContext, TenantId, VectorStoreId};
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::Semaphore;

use self::block::Block;
use self::load::{Wanted, load};
use super::Place;
use super::queries::Asked;
use super::store::Proposed;
use crate::Error;
use crate::pg::Halfvec;

/// Stores that nobody searches are forgotten after this long.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Stores whose searches are counted.
const COUNTED: u64 = 10_000;
/// Stores that are loaded at once: each takes a connection.
const LOADS_AT_ONCE: usize = 2;
/// At most one part in so many of the time is spent on loading a store that changes all the time.
const REST: u32 = 10;
/// Chunks from which a scan has a thread of its own, so that other requests do not wait for it.
const LONG_SCAN: usize = 16_384;

/// What is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceleratorOptions {
    /// Most memory, in bytes; 0 keeps nothing.
    pub bytes: u64,
    /// Stores with fewer chunks are not worth it.
    pub min_chunks: i64,
    /// How often a store is searched within a quarter of an hour before it is loaded.
    pub after_searches: u64,
}

impl Default for AcceleratorOptions {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024 * 1024,
            min_chunks: 500,
            after_searches: 3,
        }
    }
}

/// What the accelerator has done so far, over all tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceleratorFigures {
    /// Memory that is used now, in bytes.
    pub bytes: u64,
    /// Stores in memory now.
    pub stores: u64,
    /// Searches of a store that were answered with its help.
    pub hits: u64,
    /// Searches of a store that was not in memory, and is large enough.
    pub misses: u64,
    /// Searches of a store that had changed since it was loaded.
    pub stale: u64,
    /// Stores that were loaded.
    pub loads: u64,
    /// Stores that were loaded again after a change, as a rule only what had changed.
    pub renewals: u64,
    /// Stores that made room for others.
    pub evictions: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    tenant_id: TenantId,
    store_id: VectorStoreId,
    model_id: i32,
}

impl Key {
    fn of(cx: &TenantContext, place: &Place) -> Self {
        Self {
            tenant_id: cx.tenant_id(),
            store_id: place.id,
            model_id: place.located.embedding_model_id,
        }
    }
}

/// A block, and what it took.
#[derive(Clone)]
struct Entry {
    block: Arc<Block>,
    loaded_at: Instant,
    took: Duration,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
    loads: AtomicU64,
    renewals: AtomicU64,
    evictions: Arc<AtomicU64>,
}

struct Inner {
    options: AcceleratorOptions,
    blocks: Cache<Key, Entry>,
    searches: Cache<Key, Arc<AtomicU64>>,
    loading: Mutex<HashSet<Key>>,
    slots: Semaphore,
    counts: Counts,
}

/// Keeps vectors in memory, and proposes chunks. A clone is one reference more.
#[derive(Clone)]
pub struct Accelerator(Arc<Inner>);

/// Chunks that are worth an exact comparison.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// The version of the store's content that they were found in.
    version: i64,
    /// Of each query; `None` where it has no vector.
    chunks: Vec<Option<Vec<ChunkId>>>,
}

impl Proposal {
    pub(super) fn of_query(&self, number: usize) -> Option<Proposed<'_>> {
        let chunks = self.chunks.get(number)?.as_deref()?;
        let version = self.version;
        Some(Proposed { chunks, version })
    }
}

impl Accelerator {
    /// An empty one.
    pub fn new(options: AcceleratorOptions) -> Self {
        let counts = Counts::default();
        let evictions = Arc::clone(&counts.evictions);
        let blocks = Cache::builder()
            .max_capacity(kibibytes(options.bytes).into())
            .weigher(|_: &Key, entry: &Entry| kibibytes(entry.block.bytes()))
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    evictions.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        let searches = Cache::builder().max_capacity(COUNTED).time_to_idle(IDLE).build();
        Self(Arc::new(Inner {
            options,
            blocks,
            searches,
            loading: Mutex::default(),
            slots: Semaphore::new(LOADS_AT_ONCE),
            counts,
        }))
    }

    /// What it has done so far.
    pub fn figures(&self) -> AcceleratorFigures {
        let Inner { blocks, counts, .. } = &*self.0;
        blocks.run_pending_tasks();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AcceleratorFigures {
            bytes: blocks.weighted_size() * 1024,
            stores: blocks.entry_count(),
            hits: count(&counts.hits),
            misses: count(&counts.misses),
            stale: count(&counts.stale),
            loads: count(&counts.loads),
            renewals: count(&counts.renewals),
            evictions: count(&counts.evictions),
        }
    }

    /// Whether a store is in memory as it is now.
    pub(super) fn holds(&self, cx: &TenantContext, place: &Place) -> bool {
        let entry = self.0.blocks.get(&Key::of(cx, place));
        entry.is_some_and(|entry| entry.block.version == place.located.content_version)
    }

    /// The chunks of a store that are nearest to each query, if the store is in memory as it is now; else sees to it that it
    /// will be, if it is searched often.
    pub(super) async fn propose(
        &self,
        db: &Db,
        cx: &TenantContext,
        place: &Place,
        asked: &Asked,
        count: usize,
    ) -> Option<Proposal> {
        let chunks = place.located.chunk_count;
        if self.0.options.bytes == 0 || chunks < self.0.options.min_chunks {
            return None;
        }
        if asked.queries.iter().all(|query| query.vector.is_none()) {
            return None;
        }
        let key = Key::of(cx, place);
        let entry = self.0.blocks.get(&key);
        let current = entry
            .as_ref()
            .filter(|entry| entry.block.version == place.located.content_version);
        let Some(current) = current else {
            self.want(db, cx, place, key, entry);
            return None;
        };
        self.0.counts.hits.fetch_add(1, Ordering::Relaxed);
        let block = Arc::clone(&current.block);
        let vectors: Vec<Option<Halfvec>> = asked.queries.iter().map(|query| query.vector.clone()).collect();
        let version = block.version;
        let scan = move || {
            let nearest = |vector: Option<Halfvec>| vector.map(|vector| block.nearest(&vector, count));
            vectors.into_iter().map(nearest).collect()
        };
        let chunks = match usize::try_from(chunks).unwrap_or(0) < LONG_SCAN {
            true => scan(),
            false => tokio::task::spawn_blocking(scan).await.ok()?,
        };
        Some(Proposal { version, chunks })
    }

    /// Counts a search of a store that is not in memory as it is, and has it loaded if it is time to.
    fn want(&self, db: &Db, cx: &TenantContext, place: &Place, key: Key, before: Option<Entry>) {
        let Inner {
            options,
            searches,
            counts,
            loading,
            ..
        } = &*self.0;
        let is_due = match &before {
            Some(entry) => {
                counts.stale.fetch_add(1, Ordering::Relaxed);
                entry.loaded_at.elapsed() >= entry.took * REST
            }
            None => {
                counts.misses.fetch_add(1, Ordering::Relaxed);
                let counted = searches.get_with(key, Arc::default);
                counted.fetch_add(1, Ordering::Relaxed) + 1 >= options.after_searches
            }
        };
        let dimensions = place.embedder.card().dimensions;
        let chunks = usize::try_from(place.located.chunk_count).unwrap_or(usize::MAX);
        if !is_due || Block::bytes_of(dimensions, chunks) > options.bytes {
            return;
        }
        if !loading.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            return;
        }
        let wanted = Wanted {
            store_id: key.store_id,
            model_id: key.model_id,
            dimensions,
            most_bytes: options.bytes,
        };
        let (this, db, cx) = (self.clone(), db.clone(), cx.clone());
        let loading = Loading(self.clone(), key);
        tokio::spawn(async move {
            let _loading = loading;
            let before = before.map(|entry| entry.block);
            if let Err(error) = this.fetch(&db, &cx, key, wanted, before).await {
                tracing::warn!(%error, store = %key.store_id, "vectors were not loaded into memory");
            }
        });
    }

    async fn fetch(
        &self,
        db: &Db,
        cx: &TenantContext,
        key: Key,
        wanted: Wanted,
        before: Option<Arc<Block>>,
    ) -> Result<(), Error> {
        let _slot = self.0.slots.acquire().await.map_err(Error::internal)?;
        let started = Instant::now();
        let is_renewal = before.is_some();
        let mut tx = db.tenant(cx).await?;
        let loaded = load(&mut tx, wanted, before).await?;
        tx.commit().await?;
        let Some(block) = loaded else {
            self.0.blocks.invalidate(&key);
            return Ok(());
        };
        let Inner { blocks, counts, .. } = &*self.0;
        let counter = if is_renewal {
            &counts.renewals
        } else {
            &counts.loads
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            block: Arc::new(block),
            loaded_at: Instant::now(),
            took: started.elapsed(),
        };
        blocks.insert(key, entry);
        // Makes room now rather than some time.
        blocks.run_pending_tasks();
        Ok(())
    }
}

/// A store is being loaded until this is dropped.
struct Loading(Accelerator, Key);

impl Drop for Loading {
    fn drop(&mut self) {
        let Self(accelerator, key) = self;
        let mut loading = accelerator
            .0
            .loading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loading.remove(key);
    }
}

/// Weights have 32 bits, and stores may have gigabytes.
fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
