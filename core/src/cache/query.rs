//! Vectors of queries: people ask the same thing again, and page through what they found.

use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::TenantContext;
use moka::sync::Cache;

use super::{Key, KeyBuilder};

/// Vectors that nobody asks for are forgotten after this long.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// What an entry takes besides its vector, in bytes.
const OVERHEAD: usize = 128;

/// The vectors of queries of late, per tenant and embedding model. Bounded in bytes.
#[derive(Clone)]
pub struct QueryEmbeddings {
    cache: Cache<Key, Arc<[f32]>>,
}

impl QueryEmbeddings {
    /// A cache of at most `bytes`; 0 keeps nothing.
    pub fn new(bytes: u64) -> Self {
        let weigh = |_: &Key, vector: &Arc<[f32]>| {
            u32::try_from(OVERHEAD + vector.len() * size_of::<f32>()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(weigh)
            .time_to_idle(IDLE)
            .build();
        Self { cache }
    }

    /// The vector of a query of this tenant's, if it is remembered.
    pub fn find(&self, cx: &TenantContext, model: &str, query: &str) -> Option<Arc<[f32]>> {
        self.cache.get(&key(cx, model, query))
    }

    /// Remembers a vector.
    pub fn keep(&self, cx: &TenantContext, model: &str, query: &str, vector: &[f32]) {
        self.cache.insert(key(cx, model, query), vector.into());
    }
}

fn key(cx: &TenantContext, model: &str, query: &str) -> Key {
    KeyBuilder::new(cx, "query").part(model).part(query).finish()
}
