//! A query becomes ranked chunks.
//!
//! Every store is searched exactly: a scan over one bit per dimension picks candidates, or one in the server's memory over a byte
//! (`accelerate/`); their full vectors rank them;
//! BM25 ranks the same chunks by their words; what each half says is added up into the chance that a chunk answers (see
//! `blend.rs`). How much the vector half counts depends on whether the embedding model can read the language of the query.

mod accelerate;
mod answer;
mod arrange;
mod blend;
mod fetch;
mod filter;
mod filter_json;
mod index;
mod narrow;
mod queries;
mod rank;
mod reading;
mod recall;
mod recommend;
mod request;
mod rewrite;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use insula_tenancy::{TenantContext, VectorStoreId};

pub use accelerate::{Accelerator, AcceleratorFigures, AcceleratorOptions};
pub use answer::{Hit, Neighbour, RecallMode, ScoreParts, SearchResponse, SearchedStore, Timings};
pub use blend::Weights;
pub use filter::{Comparison, Filter};
pub use index::{IndexMode, MeasuredRecall, StoreIndex, index};
pub use reading::{ReadableFile, embedding_model, read, stores};
pub use recall::{Recall, RecallFigures, RecallOptions};
pub use request::{Arrangement, Detail, Examples, Recency, SearchRequest};
pub use rewrite::rewrite;

use crate::judge::Ranker;
use crate::metering::Reading;
use crate::model::Embedder;
use crate::pg::Halfvec;
use crate::route::tenant;
use crate::search_analytics::Searched;
use crate::text::highlight;
use crate::vector_store::{self, Located};
use crate::{Error, Result, Services};

use self::queries::Asked;

/// How often chunks are ranked when some of them are gone before their texts are fetched.
const LOOKS: usize = 3;

/// A store that is searched.
struct Place {
    id: VectorStoreId,
    located: Located,
    embedder: Arc<dyn Embedder>,
}

/// Searches vector stores, within the bounds of the caller.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or example, or one outside the bounds; [`Error::Invalid`] for values out of range, a
/// query longer than a model's window, or an expired store.
pub async fn search(
    services: &Services,
    cx: &TenantContext,
    request: SearchRequest,
) -> Result<SearchResponse> {
    request.check()?;
    let filter = narrow::filters(cx, request.filter.as_ref())?;
    let mut timings = Timings::default();

    let started = Instant::now();
    let places = locate(services, cx, &request).await?;
    let like = match &request.recommend {
        Some(examples) => Some(recommend::vector(services, cx, &places, examples).await?),
        None => None,
    };
    timings.locate = started.elapsed();
    timings.database += timings.locate;
    let ranker = match &request.ranker {
        Some(name) => Some(find_ranker(services, cx, name).await?),
        None => None,
    };

    let started = Instant::now();
    let asked = ask(services, cx, &places, &request, like).await?;
    timings.embed = started.elapsed();

    let started = Instant::now();
    let mut proposals = rank::propose(services, cx, &places, &asked, &request, filter.as_ref()).await;
    timings.scan = started.elapsed();

    let started = Instant::now();
    let mut tx = services.db.tenant(cx).await?;
    let mut hits = Vec::new();
    for _ in 0..LOOKS {
        let found = rank::rank(
            &mut tx,
            &places,
            &asked,
            &request,
            filter.as_ref(),
            &mut proposals,
        );
        let ranked = found.await?;
        let recency = request.arrangement.recency.as_ref();
        let dated = recency.and_then(|recency| recency.attribute.as_deref());
        hits = fetch::fetch(&mut tx, &ranked, dated).await?;
        // A file whose passages were replaced between the two statements: the new ones are there by now.
        if hits.len() == ranked.len() {
            break;
        }
    }
    if let Some(examples) = &request.recommend {
        hits.retain(|hit| !examples.names(hit.chunk_id));
    }
    let vectors = match request.arrangement.diversity > 0.0 {
        true => rank::vectors_of(&mut tx, &places, &hits).await?,
        false => HashMap::new(),
    };
    for place in &places {
        store::note_use(&mut tx, place.id).await?;
    }
    tx.commit().await?;
    timings.database += started.elapsed();

    let started = Instant::now();
    let mut reranking = Reading::default();
    if let Some(ranker) = &ranker {
        reranking = rerank(services, cx, ranker, &request, &mut hits).await?;
        timings.rerank = started.elapsed();
    }
    let candidates = hits.len();
    let arranged = arrange::arrange(hits, &request.arrangement, request.score_threshold, &vectors);
    let (mut hits, has_more) = cut(arranged, &request);

    let started = Instant::now();
    if request.detail.neighbours > 0 && !hits.is_empty() {
        let mut tx = services.db.tenant(cx).await?;
        fetch::fetch_neighbours(&mut tx, &mut hits, request.detail.neighbours).await?;
        tx.commit().await?;
        timings.database += started.elapsed();
    }
    if request.detail.highlights {
        for hit in &mut hits {
            hit.highlights = highlight::find(&hit.content, &hit.language, &request.queries);
        }
    }
    record(services, cx, &request, &hits).await;
    if filter.is_none() {
        for place in &places {
            if let Some(asked) = asked.get(&place.located.embedding_model_id) {
                services.recall.record(cx, place, asked, &proposals);
            }
        }
    }
    Ok(SearchResponse {
        hits,
        has_more,
        stores: searched(places, &asked, &proposals),
        candidates,
        reranking,
        timings,
    })
}

/// Finds the stores and their models.
async fn locate(services: &Services, cx: &TenantContext, request: &SearchRequest) -> Result<Vec<Place>> {
    let mut found = Vec::with_capacity(request.vector_store_ids.len());
    let mut tx = services.db.tenant(cx).await?;
    for (place, id) in request.vector_store_ids.iter().enumerate() {
        let about = |error| request.about_store(place, error);
        narrow::check_store(cx, *id).map_err(about)?;
        let located = vector_store::locate(&mut tx, *id).await.map_err(about)?;
        if located.expired {
            return Err(about(vector_store::expired()));
        }
        found.push((*id, located));
    }
    tx.commit().await?;
    let mut places: Vec<Place> = Vec::with_capacity(found.len());
    for (id, located) in found {
        let same = |place: &&Place| place.located.embedding_model_id == located.embedding_model_id;
        let embedder = match places.iter().find(same) {
            Some(place) => Arc::clone(&place.embedder),
            None => tenant::embedder_of(services, cx, &located.embedding_model).await?,
        };
        places.push(Place {
            id,
            located,
            embedder,
        });
    }
    Ok(places)
}

/// Puts the queries in the form of each model.
async fn ask(
    services: &Services,
    cx: &TenantContext,
    places: &[Place],
    request: &SearchRequest,
    like: Option<Halfvec>,
) -> Result<BTreeMap<i32, Asked>> {
    let terms = queries::terms(&request.queries);
    let mut asked = BTreeMap::new();
    for place in places {
        let model_id = place.located.embedding_model_id;
        if asked.contains_key(&model_id) {
            continue;
        }
        let embedder = place.embedder.as_ref();
        let (queries, weights) = (&request.queries, request.weights);
        let of_model = queries::ask(services, cx, embedder, queries, &terms, weights, like.clone()).await?;
        asked.insert(model_id, of_model);
    }
    Ok(asked)
}

/// The page that was asked for, and whether there is another one.
fn cut(hits: Vec<Hit>, request: &SearchRequest) -> (Vec<Hit>, bool) {
    let end = request.offset + request.max_results;
    let has_more = hits.len() as i64 > end && end < request::REACH;
    let page = hits
        .into_iter()
        .skip(usize::try_from(request.offset).unwrap_or(0))
        .take(usize::try_from(request.max_results).unwrap_or(0));
    (page.collect(), has_more)
}

/// Notes what was searched for. What was found is not lost because it cannot be noted.
async fn record(services: &Services, cx: &TenantContext, request: &SearchRequest, hits: &[Hit]) {
    // Who turns a page does not search again.
    if request.offset > 0 {
        return;
    }
    let Ok(settings) = services.policies.of(&services.db, cx).await else {
        return;
    };
    for id in &request.vector_store_ids {
        let of_store = || hits.iter().filter(|hit| hit.vector_store_id == *id);
        if of_store().next().is_none() && !hits.is_empty() {
            // Others had better answers: that is not to say that it lacks any.
            continue;
        }
        let searched = Searched {
            vector_store_id: *id,
            query: request.queries.first().cloned(),
            hits: of_store().count(),
            top_score: of_store().map(|hit| hit.score).max_by(f64::total_cmp),
        };
        services.searches.record(cx, &settings, searched);
    }
}

/// What is told of the stores.
fn searched(
    places: Vec<Place>,
    asked: &BTreeMap<i32, Asked>,
    proposals: &rank::Proposals,
) -> Vec<SearchedStore> {
    let mut told = Vec::with_capacity(places.len());
    let mut models: Vec<i32> = Vec::new();
    for place in places {
        let model_id = place.located.embedding_model_id;
        let is_first = !models.contains(&model_id);
        models.push(model_id);
        let asked = asked.get(&model_id);
        let reading = asked.filter(|_| is_first).map(|asked| asked.reading.clone());
        told.push(SearchedStore {
            id: place.id,
            mode: RecallMode::Exact,
            accelerated: proposals.contains_key(&place.id),
            scanned: place.located.chunk_count,
            embedding_model: place.located.embedding_model,
            reading: reading.unwrap_or_default(),
            vector_shares: asked
                .map(|asked| asked.queries.iter().map(|query| query.share).collect())
                .unwrap_or_default(),
            vector_weight: asked.map_or(1.0, |asked| asked.trust),
        });
    }
    told
}

async fn find_ranker(services: &Services, cx: &TenantContext, name: &str) -> Result<Ranker> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Ranker::find(services, cx, name).await.map_err(|error| match error {
        Error::NotFound { .. } => Error::invalid(
            "ranking_options.ranker",
            format!("Invalid value for 'ranking_options.ranker': there is no ranker or rerank model '{shown}'."),
        ),
        error => error,
    })
}

/// Scores hits anew, by what a model makes of them and the first query. What that took.
async fn rerank(
    services: &Services,
    cx: &TenantContext,
    ranker: &Ranker,
    request: &SearchRequest,
    hits: &mut [Hit],
) -> Result<Reading> {
    let texts = hits.iter().map(|hit| hit.content.clone()).collect();
    let query = request.queries.first().map_or("", String::as_str);
    let (scores, reading) = ranker.score(services, cx, query, texts).await?;
    for (hit, score) in hits.iter_mut().zip(scores) {
        hit.score = score.clamp(0.0, 1.0);
        hit.parts.rerank_score = Some(score);
    }
    Ok(reading)
}
