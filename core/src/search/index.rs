//! How a vector store is searched, and how well.

use chrono::{DateTime, Utc};
use insula_tenancy::{TenantContext, VectorStoreId};

use super::{Place, narrow, rank, recall};
use crate::route::tenant;
use crate::{Result, Services, vector_store};

/// How a store is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreIndex {
    /// The store.
    pub vector_store_id: VectorStoreId,
    /// The way.
    pub mode: IndexMode,
    /// Its chunks.
    pub chunks: i64,
    /// What searches find, once some were compared.
    pub recall: Option<MeasuredRecall>,
    /// How many chunks are compared exactly.
    pub candidates: i64,
    /// Whether this server has the vectors in memory.
    pub accelerated: bool,
}

/// How candidates are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexMode {
    /// All chunks are candidates.
    Exact,
    /// One bit per dimension of every chunk says which are.
    TwoStage,
}

/// How much searches find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredRecall {
    /// The share of the ten nearest chunks, 0..=1.
    pub at_10: f64,
    /// Searches that were compared.
    pub samples: i64,
    /// When the last one was.
    pub measured_at: DateTime<Utc>,
}

/// How the store is searched.
///
/// # Errors
/// [`crate::Error::NotFound`]; when its model is not loaded.
pub async fn index(services: &Services, cx: &TenantContext, id: VectorStoreId) -> Result<StoreIndex> {
    narrow::check_store(cx, id)?;
    let mut tx = services.db.tenant(cx).await?;
    let located = vector_store::locate(&mut tx, id).await?;
    let measured = recall::find(&mut tx, id, located.embedding_model_id).await?;
    tx.commit().await?;
    let embedder = tenant::embedder_of(services, cx, &located.embedding_model).await?;
    let place = Place {
        id,
        located,
        embedder,
    };
    let candidates = rank::oversample(&place);
    let recall = measured.and_then(|measured| {
        Some(MeasuredRecall {
            at_10: measured.recall()?,
            samples: measured.samples,
            measured_at: measured.measured_at,
        })
    });
    Ok(StoreIndex {
        vector_store_id: id,
        mode: match place.located.chunk_count <= candidates {
            true => IndexMode::Exact,
            false => IndexMode::TwoStage,
        },
        chunks: place.located.chunk_count,
        recall,
        candidates,
        accelerated: services.accelerator.holds(cx, &place),
    })
}
