//! Several servers of one embedding model as one embedder.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::capability::Needs;
use super::health::{Wait, now};
use super::journey::{Circumstances, Journey, Step};
use super::own_keys::OwnKeys;
use super::rule::RouteFacts;
use super::table::Routes;
use super::{Route, RouteKind};
use crate::model::{EmbedPurpose, EmbeddedBy, Embedder, EmbedderCard, Embeddings, TokenCounter};
use crate::{Error, Result};

/// An embedder whose servers are the targets of a route, chosen and spared as for conversations. It follows the routes over
/// reloads; its card stays as it was when the server started.
pub struct RoutedEmbedder {
    routes: Routes,
    card: EmbedderCard,
    counter: Arc<dyn TokenCounter>,
    facts: RouteFacts,
}

impl RoutedEmbedder {
    /// The embedder of a route; `None` if the route does something else.
    pub fn new(routes: &Routes, route: &Route) -> Option<Self> {
        let RouteKind::Embeddings(card) = &route.kind else {
            return None;
        };
        Some(Self {
            routes: routes.clone(),
            card: card.clone(),
            counter: Arc::clone(&route.targets.first()?.counter),
            facts: RouteFacts::default(),
        })
    }

    /// The same for calls of which this is known.
    pub fn of(self, facts: RouteFacts) -> Self {
        Self { facts, ..self }
    }
}

#[async_trait]
impl Embedder for RoutedEmbedder {
    fn card(&self) -> &EmbedderCard {
        &self.card
    }

    fn counter(&self) -> &dyn TokenCounter {
        &*self.counter
    }

    async fn embed(&self, texts: Vec<String>, purpose: EmbedPurpose) -> Result<Embeddings> {
        let route = self.routes.find(&self.card.id);
        let route = route.ok_or_else(|| Error::internal(format!("there is no route '{}'", self.card.id)))?;
        let no_keys = OwnKeys::none();
        let circumstances = Circumstances {
            facts: &self.facts,
            needs: Needs::default(),
            wait: Wait::Whole,
            prompt_tokens: None,
            own_keys: &no_keys,
        };
        let mut journey = Journey::begin(&route, circumstances)?;
        loop {
            match journey.next(now(), &mut rand::random::<f64>) {
                Step::Try(attempt) => {
                    let begun = Instant::now();
                    let vectors = match attempt.target.embedder() {
                        Some(embedder) => embedder.embed(texts.clone(), purpose).await,
                        None => Err(Error::internal("a target of an embeddings route cannot embed")),
                    };
                    let took = begun.elapsed();
                    match vectors {
                        Ok(vectors) => {
                            let target = attempt.target;
                            let by = EmbeddedBy {
                                provider: Arc::clone(&target.provider),
                                upstream_model: Arc::clone(&target.upstream_model),
                                prices: target.prices.clone(),
                            };
                            journey.done(attempt, took);
                            return Ok(Embeddings {
                                by: Some(by),
                                ..vectors
                            });
                        }
                        Err(error) => {
                            if !journey.failed(attempt, error, took, now()) {
                                return Err(journey.over().error);
                            }
                        }
                    }
                }
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::Over => return Err(journey.over().error),
            }
        }
    }
}
