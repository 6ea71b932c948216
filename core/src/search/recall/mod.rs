//! How much of the nearest chunks searches really find.
//!
//! Some searches are made again, exactly, in the background: one at a time, and most of the time none. A store that turns out to
//! find too little looks at more candidates from then on. Of a search only its vector is used, and it is kept nowhere: neither
//! it nor what was found is written down, only how many of ten were right.

mod measured;
mod store;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use insula_tenancy::{ChunkId, Db, TenantContext, TenantId, VectorStoreId};
use moka::sync::Cache;
use tokio::sync::mpsc;

pub(super) use self::store::find;

use super::Place;
use super::queries::Asked;
use super::rank::{Proposals, oversample};
use crate::Result;
use crate::pg::Halfvec;

/// Searches that may wait, over all stores. Beyond, the newest are not compared.
const WAITING: usize = 256;
/// Searches of one store that may wait.
const WAITING_PER_STORE: usize = 4;
/// At most one part in so many of the time is spent on comparing.
const REST: u32 = 20;
/// Stores whose searches are counted.
const COUNTED: u64 = 10_000;
/// A store that nobody searches for this long is compared again at its next search.
const IDLE: Duration = Duration::from_secs(3600);

/// How recall is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecallOptions {
    /// One search of a store in so many is compared, the first one among them; 0: none.
    pub every: u64,
    /// The share of the ten nearest that a store is to find, 0..=1.
    pub target: f64,
    /// Comparisons of a store before it is judged by them.
    pub judged_after: i64,
}

impl Default for RecallOptions {
    fn default() -> Self {
        Self {
            every: 100,
            target: 0.98,
            judged_after: 20,
        }
    }
}

/// What was measured by this server so far, over all tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecallFigures {
    /// Searches that were compared.
    pub samples: u64,
    /// Of those, how many found less than the target asks for.
    pub below: u64,
    /// Neighbours that they found.
    pub found: u64,
    /// Neighbours that there were to find.
    pub wanted: u64,
    /// How often a store was given more candidates.
    pub raised: u64,
    /// Searches that were not compared, as too many waited.
    pub dropped: u64,
}

/// A search to compare.
struct Sample {
    cx: TenantContext,
    about: Sampled,
}

/// What is compared.
pub(super) struct Sampled {
    pub(super) store_id: VectorStoreId,
    pub(super) model_id: i32,
    pub(super) dimensions: usize,
    pub(super) vector: Halfvec,
    /// The candidates that were proposed from memory.
    pub(super) proposed: Option<Vec<ChunkId>>,
    /// How many candidates the first stage had otherwise.
    pub(super) candidates: i64,
}

type StoreKey = (TenantId, VectorStoreId);

#[derive(Default)]
struct Counts {
    samples: AtomicU64,
    below: AtomicU64,
    found: AtomicU64,
    wanted: AtomicU64,
    raised: AtomicU64,
    dropped: AtomicU64,
}

/// Takes searches and compares them in the background. A clone is one reference more.
#[derive(Clone)]
pub struct Recall {
    options: RecallOptions,
    searches: Cache<StoreKey, Arc<AtomicU64>>,
    waiting: Arc<Mutex<HashMap<StoreKey, usize>>>,
    samples: mpsc::Sender<Sample>,
    counts: Arc<Counts>,
}

impl Recall {
    /// Starts comparing. It ends when the last clone is dropped, after what it was given.
    pub fn start(db: Db, options: RecallOptions) -> Self {
        let (samples, mut given) = mpsc::channel::<Sample>(WAITING);
        let (waiting, counts) = (Arc::<Mutex<HashMap<_, _>>>::default(), Arc::<Counts>::default());
        let (left, counted) = (Arc::clone(&waiting), Arc::clone(&counts));
        tokio::spawn(async move {
            while let Some(sample) = given.recv().await {
                let started = Instant::now();
                let key = (sample.cx.tenant_id(), sample.about.store_id);
                if let Err(error) = compare(&db, &sample, options, &counted).await {
                    tracing::warn!(%error, store = %key.1, "a search was not compared");
                }
                leave(&left, key);
                tokio::time::sleep(started.elapsed() * REST).await;
            }
        });
        Self {
            options,
            searches: Cache::builder().max_capacity(COUNTED).time_to_idle(IDLE).build(),
            waiting,
            samples,
            counts,
        }
    }

    /// What was measured so far.
    pub fn figures(&self) -> RecallFigures {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RecallFigures {
            samples: count(&self.counts.samples),
            below: count(&self.counts.below),
            found: count(&self.counts.found),
            wanted: count(&self.counts.wanted),
            raised: count(&self.counts.raised),
            dropped: count(&self.counts.dropped),
        }
    }

    /// Has a search of a store compared, if it is its turn. Never waits.
    pub(super) fn record(&self, cx: &TenantContext, place: &Place, asked: &Asked, proposals: &Proposals) {
        let key = (cx.tenant_id(), place.id);
        let wants = self.options.every > 0 && !is_exact(place);
        let vector = asked.queries.iter().enumerate().find_map(|(number, query)| {
            let vector = query.vector.clone()?;
            Some((number, vector))
        });
        let Some((number, vector)) = vector.filter(|_| wants) else {
            return;
        };
        let searches = self.searches.get_with(key, Arc::default);
        if !searches
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(self.options.every)
        {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_store = waiting.entry(key).or_default();
        let proposed = proposals
            .get(&place.id)
            .and_then(|proposal| proposal.of_query(number));
        let sample = Sample {
            cx: cx.clone(),
            about: Sampled {
                store_id: place.id,
                model_id: place.located.embedding_model_id,
                dimensions: place.embedder.card().dimensions,
                vector,
                proposed: proposed.map(|proposed| proposed.chunks.to_vec()),
                candidates: oversample(place),
            },
        };
        if *of_store < WAITING_PER_STORE && self.samples.try_send(sample).is_ok() {
            *of_store += 1;
        } else {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            if *of_store == 0 {
                waiting.remove(&key);
            }
        }
    }
}

/// One search of the store waits less.
fn leave(waiting: &Mutex<HashMap<StoreKey, usize>>, key: StoreKey) {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(count) = waiting.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            waiting.remove(&key);
        }
    }
}

/// Whether the model's own number of candidates is all chunks, so that there is nothing to measure.
fn is_exact(place: &Place) -> bool {
    place.located.candidates.is_none() && place.located.chunk_count <= oversample(place)
}

/// Makes a search again, with all chunks, and notes how much of that it had found.
async fn compare(db: &Db, sample: &Sample, options: RecallOptions, counts: &Counts) -> Result<()> {
    let about = &sample.about;
    let mut tx = db.tenant_in_passing(&sample.cx).await?;
    let (found, wanted) = store::compare(&mut tx, about).await?;
    if wanted == 0 {
        return Ok(());
    }
    let add = |counter: &AtomicU64, n: i64| {
        counter.fetch_add(u64::try_from(n).unwrap_or(0), Ordering::Relaxed);
    };
    add(&counts.samples, 1);
    add(&counts.found, found);
    add(&counts.wanted, wanted);
    if (found as f64) < options.target * wanted as f64 {
        add(&counts.below, 1);
    }
    let Some(before) = store::lock(&mut tx, about).await? else {
        return Ok(());
    };
    let mut after = before.and((found, wanted));
    // What was proposed from memory does not say how good the first stage is.
    if about.proposed.is_none() && after.is_too_low(options) {
        after = after.with_more_candidates(about.candidates);
        add(&counts.raised, 1);
        tracing::info!(store = %about.store_id, candidates = after.candidates, "a store looks at more candidates");
    }
    store::write(&mut tx, about, &after).await?;
    Ok(tx.commit().await?)
}
