//! Passages that are wanted, or unwanted, as a query.

use insula_tenancy::{ChunkId, TenantContext, VectorStoreId};

use super::request::Examples;
use super::{Place, fetch, narrow};
use crate::pg::Halfvec;
use crate::{Error, Result, Services};

impl Examples {
    /// Whether the passage is one of them.
    pub(super) fn names(&self, id: ChunkId) -> bool {
        self.positive.contains(&id) || self.negative.contains(&id)
    }
}

/// What is like the positive examples and unlike the negative ones: the mean of the former, as far again from the mean of the
/// latter.
///
/// # Errors
/// [`Error::NotFound`] for a passage that is in none of the stores, or outside the caller's bounds; [`Error::Invalid`] for
/// stores of several models, and for examples that cancel each other out.
pub(super) async fn vector(
    services: &Services,
    cx: &TenantContext,
    places: &[Place],
    examples: &Examples,
) -> Result<Halfvec> {
    let Some(first) = places.first() else {
        return Err(Error::internal("a search without a store"));
    };
    let model_id = first.located.embedding_model_id;
    if let Some(other) = places
        .iter()
        .position(|place| place.located.embedding_model_id != model_id)
    {
        return Err(Error::invalid(
            format!("vector_store_ids[{other}]"),
            "Passages can be recommended only from stores that have the same embedding model.",
        ));
    }
    let stores: Vec<VectorStoreId> = places.iter().map(|place| place.id).collect();
    let ids: Vec<ChunkId> = examples
        .positive
        .iter()
        .chain(&examples.negative)
        .copied()
        .collect();
    // The request's own filter is about the answers; the caller's bounds are about everything.
    let bounds = narrow::filters(cx, None)?;
    let dimensions = first.embedder.card().dimensions;
    let mut tx = services.db.tenant(cx).await?;
    let open = fetch::find_chunks(&mut tx, &stores, &ids, bounds.as_ref()).await?;
    let vectors = fetch::fetch_vectors(&mut tx, model_id, dimensions, &ids).await?;
    tx.commit().await?;
    let find = |id: &ChunkId| {
        let found = vectors.iter().find(|(found, _)| found == id);
        found.filter(|_| open.contains(id)).map(|(_, vector)| vector)
    };
    let mean = |name: &str, ids: &[ChunkId]| {
        let mut sum = vec![0.0f32; dimensions];
        for (place, id) in ids.iter().enumerate() {
            let vector = find(id).ok_or_else(|| {
                Error::not_found("chunk in this vector store", id).about(format!("recommend.{name}[{place}]"))
            })?;
            sum.iter_mut()
                .zip(vector.values())
                .for_each(|(sum, value)| *sum += value);
        }
        sum.iter_mut().for_each(|value| *value /= ids.len().max(1) as f32);
        Ok::<_, Error>(sum)
    };
    let liked = mean("positive", &examples.positive)?;
    let disliked = mean("negative", &examples.negative)?;
    let wanted: Vec<f32> = match examples.negative.is_empty() {
        true => liked,
        false => liked
            .iter()
            .zip(&disliked)
            .map(|(liked, not)| 2.0 * liked - not)
            .collect(),
    };
    unit(&wanted).ok_or_else(|| {
        Error::invalid(
            "recommend",
            "These examples cancel each other out: nothing is like all of them.",
        )
    })
}

fn unit(vector: &[f32]) -> Option<Halfvec> {
    let length = vector
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt();
    let unit: Vec<f32> = vector
        .iter()
        .map(|value| (f64::from(*value) / length) as f32)
        .collect();
    (length > 1e-3).then(|| Halfvec::new(&unit))
}
