//! How much of the old model's answers the new one gives.

use std::sync::Arc;

use insula_tenancy::{ChunkId, TenantContext};

use super::vectors::{self, StoredChunk};
use super::{Migration, Side};
use crate::model::Embedder;
use crate::pg::Halfvec;
use crate::route::tenant;
use crate::text::chunk::embed_texts;
use crate::text::sentence::sentences;
use crate::{Error, Result, Services, metering};

/// Queries that are asked: the first sentences of so many chunks.
const QUERIES: i64 = 50;

/// One query's chunk, and its vector by each model.
struct Query {
    of: ChunkId,
    old: Halfvec,
    new: Halfvec,
}

/// The mean share of ten nearest chunks that both models agree on, over sentences of the store's own chunks; a chunk is
/// not counted for its own sentence, which both would find. `None` when there is nothing to compare.
pub(super) async fn overlap(
    services: &Services,
    cx: &TenantContext,
    migration: &Migration,
) -> Result<Option<f64>> {
    let model = async |name| tenant::find_loaded_embedder(services, cx, name).await;
    let (Some(old), Some(new)) = (
        model(&migration.from_model).await?,
        model(&migration.to_model).await?,
    ) else {
        return Ok(None);
    };
    let store_id = migration.vector_store_id;
    let mut tx = services.db.tenant(cx).await?;
    let sample = vectors::sample(&mut tx, store_id, QUERIES).await?;
    tx.commit().await?;

    let mut shares = Vec::new();
    for query in queries(services, cx, &old, &new, sample).await? {
        let mut tx = services.db.tenant(cx).await?;
        let mut nearest = async |side: Side, vector: &Halfvec| {
            vectors::nearest(&mut tx, store_id, side, vector, query.of).await
        };
        let by_old = nearest(migration.from(), &query.old).await?;
        let by_new = nearest(migration.to(), &query.new).await?;
        tx.commit().await?;
        shares.extend(share(&by_old, &by_new));
    }
    Ok((!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64))
}

async fn queries(
    services: &Services,
    cx: &TenantContext,
    old: &Arc<dyn Embedder>,
    new: &Arc<dyn Embedder>,
    sample: Vec<StoredChunk>,
) -> Result<Vec<Query>> {
    let (ids, texts) = {
        let models = [Arc::clone(old), Arc::clone(new)];
        let cut = move || {
            sample
                .iter()
                .filter_map(|chunk| Some((chunk.id, question(&chunk.content, &models)?)))
                .unzip::<_, _, Vec<ChunkId>, Vec<String>>()
        };
        tokio::task::spawn_blocking(cut).await.map_err(Error::internal)?
    };
    let embed = async |model: &Arc<dyn Embedder>| {
        let embedded = metering::embed(services, cx, model.as_ref(), texts.clone()).await?;
        Ok::<_, Error>(embedded.vectors)
    };
    let (by_old, by_new) = (embed(old).await?, embed(new).await?);
    let queries = std::iter::zip(ids, std::iter::zip(by_old, by_new));
    Ok(queries
        .map(|(of, (old, new))| Query {
            of,
            old: Halfvec::new(&old),
            new: Halfvec::new(&new),
        })
        .collect())
}

/// The first sentence, as far as every model can read it.
fn question(content: &str, models: &[Arc<dyn Embedder>]) -> Option<String> {
    let mut question = sentences(content).into_iter().next()?.text;
    for model in models {
        let pieces = embed_texts(&[], &question, model.counter(), model.card().max_tokens);
        question = pieces.into_iter().next()?;
    }
    Some(question)
}

/// Which part of two answers is the same. `None` for two empty ones.
fn share(a: &[ChunkId], b: &[ChunkId]) -> Option<f64> {
    let most = a.len().max(b.len());
    let both = a.iter().filter(|id| b.contains(id)).count();
    (most > 0).then(|| both as f64 / most as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_count() {
        let ids: Vec<ChunkId> = (0..4).map(|_| ChunkId::generate()).collect();
        assert_eq!(share(&ids[..2], &[ids[1], ids[0]]), Some(1.0));
        assert_eq!(share(&ids[..2], &ids[1..3]), Some(0.5));
        assert_eq!(share(&ids[..2], &ids[2..]), Some(0.0));
        assert_eq!(share(&ids, &ids[..1]), Some(0.25));
        assert_eq!(share(&[], &[]), None);
    }
}
