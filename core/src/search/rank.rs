//! The best chunks of stores, by both halves.

use std::collections::{BTreeMap, HashMap};

use insula_tenancy::{ChunkId, TenantContext, TenantTx, VectorStoreId};

use super::accelerate::Proposal;
use super::blend::{Blend, chance};
use super::filter::CompiledFilter;
use super::queries::{Asked, Query};
use super::request::{REACH, SearchRequest};
use super::{Hit, Place, fetch, store};
use crate::pg::{Halfvec, Sparsevec};
use crate::text::terms::idf;
use crate::{Result, Services};

/// What was found in memory, by store.
pub(super) type Proposals = HashMap<VectorStoreId, Proposal>;

/// Candidates that each half contributes, unless more are wanted.
const DEPTH: i64 = 50;
/// Candidates of the 1-bit scan for each one that is wanted in the end.
const OVERSAMPLE: i64 = 4;

/// The best chunks of all stores for all queries together, with their scores; each has its best one.
pub(super) async fn rank(
    tx: &mut TenantTx,
    places: &[Place],
    asked: &BTreeMap<i32, Asked>,
    request: &SearchRequest,
    filter: Option<&CompiledFilter>,
    proposals: &mut Proposals,
) -> Result<Vec<(store::Candidate, f64)>> {
    let limit = match (&request.ranker, request.arrangement.is_any()) {
        // A model that has the last word is shown the best of all.
        (Some(_), _) => DEPTH,
        (None, true) => 2 * DEPTH,
        // One more, to learn whether there are more; examples are found, and are no answers.
        (None, false) => request.offset + request.max_results + 1 + request.examples(),
    };
    let depth = depth(request);
    let frequencies = frequencies(tx, places, asked).await?;
    let chunks: i64 = places.iter().map(|place| place.located.chunk_count).sum();
    let weigh = |term: i32| Some(idf(chunks, *frequencies.get(&term)?));
    let mut best: HashMap<ChunkId, (store::Candidate, f64)> = HashMap::new();
    for place in places {
        let card = place.embedder.card();
        let model_id = place.located.embedding_model_id;
        let Some(asked) = asked.get(&model_id) else {
            continue;
        };
        let proposal = proposals.get(&place.id);
        let mut overtaken = false;
        for (number, query) in asked.queries.iter().enumerate() {
            let look = look(query, weigh, depth, oversample(place), limit);
            let proposed = proposal.and_then(|proposal| proposal.of_query(number));
            let (id, dimensions) = (place.id, card.dimensions);
            let found = store::rank(tx, id, model_id, dimensions, &look, filter, proposed).await?;
            for candidate in found {
                overtaken |= proposed.is_some() && !candidate.accelerated;
                let score = chance(candidate.sum + look.blend.bias);
                let known = best.get(&candidate.chunk_id);
                if known.is_none_or(|(_, known)| score > *known) {
                    best.insert(candidate.chunk_id, (candidate, score));
                }
            }
        }
        if overtaken {
            // The store changed since: Postgres looked for itself.
            proposals.remove(&place.id);
        }
    }
    let mut ranked: Vec<(store::Candidate, f64)> = best.into_values().collect();
    ranked.sort_by(|(a, first), (b, second)| second.total_cmp(first).then(a.chunk_id.cmp(&b.chunk_id)));
    ranked.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(ranked)
}

/// How many candidates each half contributes.
fn depth(request: &SearchRequest) -> i64 {
    // What is put in another order is the same for every page.
    if request.offset == 0 || request.arrangement.is_any() || request.ranker.is_some() {
        DEPTH.max(request.max_results + 1)
    } else {
        REACH + 1
    }
}

/// Candidates of the first stage: as many as the model needs, or more where that was found to be not enough.
pub(super) fn oversample(place: &Place) -> i64 {
    let own = place.embedder.card().oversample;
    let measured = place.located.candidates.map_or(own, i64::from);
    measured.max(OVERSAMPLE * DEPTH)
}

/// What the server itself can say about the nearest chunks of each store. Not which of them pass a filter.
pub(super) async fn propose(
    services: &Services,
    cx: &TenantContext,
    places: &[Place],
    asked: &BTreeMap<i32, Asked>,
    request: &SearchRequest,
    filter: Option<&CompiledFilter>,
) -> Proposals {
    let mut proposals = Proposals::new();
    if filter.is_some() {
        return proposals;
    }
    // Some more than wanted: it compares in eight bits.
    let count = usize::try_from(depth(request) * 3 / 2).unwrap_or(0);
    for place in places {
        let Some(asked) = asked.get(&place.located.embedding_model_id) else {
            continue;
        };
        let proposal = services
            .accelerator
            .propose(&services.db, cx, place, asked, count)
            .await;
        if let Some(proposal) = proposal {
            proposals.insert(place.id, proposal);
        }
    }
    proposals
}

/// A query as one store is asked it.
fn look(
    query: &Query,
    weigh: impl Fn(i32) -> Option<f32>,
    depth: i64,
    oversample: i64,
    limit: i64,
) -> store::Look {
    let (terms, most) = match &query.terms {
        Some(terms) => {
            let known = terms.terms.iter().filter_map(|term| Some((*term, weigh(*term)?)));
            (Sparsevec::new(known.collect()), terms.most(&weigh))
        }
        None => (Sparsevec::new(Vec::new()), 0.0),
    };
    // Of what the query does not have, or the stores do not know, the other half makes up for all.
    let share = match (&query.vector, terms.is_empty()) {
        (None, _) => 0.0,
        (Some(_), true) => 1.0,
        (Some(_), false) => query.share,
    };
    store::Look {
        vector: query.vector.clone(),
        terms,
        most: f64::from(most),
        blend: Blend::at(share),
        oversample: oversample.max(OVERSAMPLE * depth),
        depth,
        limit,
    }
}

/// In how many chunks of all stores together each of the terms is.
async fn frequencies(
    tx: &mut TenantTx,
    places: &[Place],
    asked: &BTreeMap<i32, Asked>,
) -> Result<HashMap<i32, i64>> {
    let queries = asked.values().flat_map(|asked| &asked.queries);
    let mut terms: Vec<i32> = queries
        .filter_map(|query| query.terms.as_ref())
        .flat_map(|terms| terms.terms.iter().copied())
        .collect();
    terms.sort_unstable();
    terms.dedup();
    if terms.is_empty() {
        return Ok(HashMap::new());
    }
    let stores: Vec<VectorStoreId> = places.iter().map(|place| place.id).collect();
    store::document_frequencies(tx, &stores, &terms).await
}

/// The vectors of hits, for comparing them with each other. Of stores with several models only those of the first: what
/// models make of texts cannot be compared.
pub(super) async fn vectors_of(
    tx: &mut TenantTx,
    places: &[Place],
    hits: &[Hit],
) -> Result<HashMap<ChunkId, Halfvec>> {
    let Some(first) = places.first() else {
        return Ok(HashMap::new());
    };
    let ids: Vec<ChunkId> = hits.iter().map(|hit| hit.chunk_id).collect();
    let (model_id, dimensions) = (first.located.embedding_model_id, first.embedder.card().dimensions);
    let vectors = fetch::fetch_vectors(tx, model_id, dimensions, &ids).await?;
    Ok(vectors.into_iter().collect())
}
