//! Several servers of one embedding model as one embedder.

use std::sync::Arc;

use super::rule::RouteFacts;
use super::table::Routes;
use super::walk::walk;
use super::{Route, RouteKind, Target};
use crate::model::{EmbedWork, Embedder, EmbedderCard, Embeddings, TokenCounter};
use crate::{Error, Result};
use async_trait::async_trait;
use futures::FutureExt;

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

    async fn embed(&self, texts: Vec<String>, work: EmbedWork) -> Result<Embeddings> {
        let route = self.routes.find(&self.card.id);
        let route = route.ok_or_else(|| Error::internal(format!("there is no route '{}'", self.card.id)))?;
        let call = |target: &Target| {
            let (embedder, texts) = (target.embedder().cloned(), texts.clone());
            async move {
                match embedder {
                    Some(embedder) => embedder.embed(texts, work).await,
                    None => Err(Error::internal("a target of an embeddings route cannot embed")),
                }
            }
            .boxed()
        };
        let (vectors, by) = walk(&route, &self.facts, call).await?;
        Ok(Embeddings {
            by: Some(by),
            ..vectors
        })
    }
}
