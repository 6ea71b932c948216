//! Queries in the form that a store is asked in.

use std::collections::BTreeMap;
use std::sync::Arc;

use insula_tenancy::TenantContext;

use super::blend::{BALANCED, Weights};
use crate::metering::Reading;
use crate::model::{EmbedPurpose, Embedder};
use crate::pg::Halfvec;
use crate::text::language;
use crate::text::terms::QueryTerms;
use crate::{Error, Result, Services};

/// A query for the stores of one embedding model.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// `None`: it is not compared by meaning.
    pub(super) vector: Option<Halfvec>,
    /// Its words; `None`: it is not looked for by words.
    pub(super) terms: Option<Arc<QueryTerms>>,
    /// How much is looked for by meaning, 0..=1.
    pub(super) share: f64,
}

/// All that is looked for in the stores of one model.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) queries: Vec<Query>,
    /// What embedding took.
    pub(super) reading: Reading,
    /// How far the model can be trusted with the first query, 0..=1.
    pub(super) trust: f64,
}

/// The words of queries, which are the same in every store.
pub(super) fn terms(queries: &[String]) -> Vec<Arc<QueryTerms>> {
    queries
        .iter()
        .map(|query| Arc::new(QueryTerms::new(query, &[])))
        .collect()
}

/// Puts queries in the form of a model. `like` is a vector to compare with besides.
///
/// # Errors
/// [`Error::Invalid`] for a query that is longer than the model's window; what the model fails with.
pub(super) async fn ask(
    services: &Services,
    cx: &TenantContext,
    embedder: &dyn Embedder,
    queries: &[String],
    terms: &[Arc<QueryTerms>],
    weights: Option<Weights>,
    like: Option<Halfvec>,
) -> Result<Asked> {
    let card = embedder.card();
    let trusts: Vec<f64> = queries
        .iter()
        .map(|query| language::vector_weight(query, &card.languages))
        .collect();
    // What the caller says goes before what is guessed.
    let shares: Vec<f64> = trusts
        .iter()
        .map(|trust| weights.map_or(BALANCED * trust, |weights| weights.share()))
        .collect();
    let (vectors, reading) = embed(services, cx, embedder, queries, &shares).await?;
    let asked = shares.iter().zip(vectors).zip(terms);
    let mut asked: Vec<Query> = asked
        .map(|((share, vector), terms)| Query {
            vector: vector.map(|vector| Halfvec::new(&vector)),
            terms: (*share < 1.0).then(|| Arc::clone(terms)),
            share: *share,
        })
        .collect();
    if let Some(vector) = like {
        asked.push(Query {
            vector: Some(vector),
            terms: None,
            share: 1.0,
        });
    }
    Ok(Asked {
        queries: asked,
        reading,
        trust: trusts.first().copied().unwrap_or(1.0),
    })
}

/// Vectors of the queries that are compared by meaning, and what this took; nothing is computed for the others, nor for what
/// was asked before.
async fn embed(
    services: &Services,
    cx: &TenantContext,
    embedder: &dyn Embedder,
    queries: &[String],
    shares: &[f64],
) -> Result<(Vec<Option<Vec<f32>>>, Reading)> {
    let (cache, model) = (&services.query_embeddings, &embedder.card().id);
    let mut vectors: Vec<Option<Vec<f32>>> = Vec::with_capacity(queries.len());
    // The same query twice is one text.
    let mut lacking: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (query, share)) in queries.iter().zip(shares).enumerate() {
        let wanted = *share > 0.0;
        let known = wanted.then(|| cache.find(cx, model, query)).flatten();
        if wanted && known.is_none() {
            lacking.entry(query).or_default().push(place);
        }
        vectors.push(known.map(|vector| vector.to_vec()));
    }
    if lacking.is_empty() {
        return Ok((vectors, Reading::default()));
    }
    let texts = lacking.keys().map(|text| (*text).to_owned()).collect();
    let embedded = embedder
        .embed(texts, EmbedPurpose::Interactive.of(cx.tenant_id()))
        .await;
    let embedded = embedded.map_err(about_the_query)?;
    let reading = Reading::of(&embedded);
    for ((query, places), vector) in lacking.into_iter().zip(embedded.vectors) {
        cache.keep(cx, model, query, &vector);
        for place in places {
            vectors[place] = Some(vector.clone());
        }
    }
    Ok((vectors, reading))
}

/// The model speaks of its `input`.
fn about_the_query(error: Error) -> Error {
    match error {
        Error::Invalid { message, code, .. } => Error::Invalid {
            message,
            code,
            param: Some("query".into()),
        },
        other => other,
    }
}
