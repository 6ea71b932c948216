//! Embedding what is not embedded yet.

use std::collections::{HashMap, HashSet};

use insula_tenancy::job::Lease;
use uuid::Uuid;

use super::ready::{Embedded, embed_key};
use super::reuse;
use crate::model::Embedder;
use crate::pg::Halfvec;
use crate::text::chunk::ChunkDraft;
use crate::worker::{Failure, report};
use crate::{Error, Services, metering};

/// How many chunks are handed to the embedder at once: enough for full batches, few enough that a lost lease is noticed
/// and that memory stays bounded.
const EMBED_AT_ONCE: usize = 128;
/// What a watcher is told.
const STAGE: &str = "embedding";
/// How many texts are looked up at once.
const LOOK_UP_AT_ONCE: usize = 4096;

/// The vectors of `drafts` by a model: taken over where the tenant has the same text embedded already (in another file,
/// another store, or an attempt of this job that did not live), computed for the rest.
///
/// # Errors
/// When the model or the database fails; what was computed until then is staged.
pub(super) async fn embed(
    services: &Services,
    lease: &Lease,
    model_id: i32,
    embedder: &dyn Embedder,
    drafts: &[ChunkDraft],
) -> Result<Vec<Embedded>, Failure> {
    let dimensions = embedder.card().dimensions;
    let keys: Vec<Uuid> = drafts
        .iter()
        .map(|draft| embed_key(&draft.embed_text()))
        .collect();
    let mut known: HashMap<Uuid, Halfvec> = HashMap::new();
    for some in keys.chunks(LOOK_UP_AT_ONCE) {
        let mut tx = services.db.tenant(&lease.cx).await?;
        known.extend(reuse::vectors(&mut tx, model_id, dimensions, some).await?);
        tx.commit().await?;
    }
    // Each text once, where it first occurs.
    let mut missing: Vec<usize> = Vec::new();
    let mut seen = HashSet::new();
    for (position, key) in keys.iter().enumerate() {
        if !known.contains_key(key) && seen.insert(*key) {
            missing.push(position);
        }
    }
    let mut left = missing.len();
    report(services, lease, STAGE, drafts.len() - left, drafts.len()).await?;
    for part in missing.chunks(EMBED_AT_ONCE) {
        let texts = part
            .iter()
            .map(|position| drafts[*position].embed_text())
            .collect();
        let computed = metering::embed(services, &lease.cx, embedder, texts)
            .await?
            .vectors;
        if computed.len() != part.len() {
            let message = "the embedder returned another number of vectors than it was given texts";
            return Err(Error::internal(message).into());
        }
        let fresh: Vec<(Uuid, Halfvec)> = part
            .iter()
            .zip(&computed)
            .map(|(position, vector)| (keys[*position], Halfvec::new(vector)))
            .collect();
        left -= part.len();
        // The last batch is about to be written for good.
        if left > 0 {
            let mut tx = services.db.tenant(&lease.cx).await?;
            reuse::stage(&mut tx, lease.id, model_id, &fresh).await?;
            tx.commit().await?;
        }
        known.extend(fresh);
        report(services, lease, STAGE, drafts.len() - left, drafts.len()).await?;
    }
    keys.into_iter()
        .map(|key| {
            let vector = known.get(&key).cloned();
            let vector = vector.ok_or_else(|| Error::internal("a chunk was left without a vector"))?;
            Ok(Embedded {
                vector,
                embed_key: Some(key),
            })
        })
        .collect()
}
