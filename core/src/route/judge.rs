//! Several servers of one model that scores texts.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;

use super::rule::RouteFacts;
use super::walk::walk;
use super::{Route, RouteKind, Target};
use crate::model::{Moderated, Moderator, Reranked, Reranker};
use crate::{Error, Result};

/// A model whose servers are the targets of a route, chosen and spared as for conversations.
pub struct RoutedJudge {
    route: Arc<Route>,
    facts: RouteFacts,
}

impl RoutedJudge {
    /// The model of a route, for calls of which this is known; `None` if the route does something else.
    pub fn new(route: Arc<Route>, kind: &RouteKind, facts: RouteFacts) -> Option<Self> {
        (route.kind == *kind).then_some(Self { route, facts })
    }
}

#[async_trait]
impl Reranker for RoutedJudge {
    async fn rerank(&self, query: &str, documents: &[String]) -> Result<Reranked> {
        let call = |target: &Target| {
            let reranker = target.reranker().cloned();
            async move {
                match reranker {
                    Some(reranker) => reranker.rerank(query, documents).await,
                    None => Err(Error::internal("a target of a rerank route cannot rerank")),
                }
            }
            .boxed()
        };
        let (reranked, by) = walk(&self.route, &self.facts, call).await?;
        Ok(Reranked {
            by: Some(by),
            ..reranked
        })
    }
}

#[async_trait]
impl Moderator for RoutedJudge {
    async fn moderate(&self, texts: &[String]) -> Result<Moderated> {
        let call = |target: &Target| {
            let moderator = target.moderator().cloned();
            async move {
                match moderator {
                    Some(moderator) => moderator.moderate(texts).await,
                    None => Err(Error::internal("a target of a moderations route cannot moderate")),
                }
            }
            .boxed()
        };
        let (moderated, by) = walk(&self.route, &self.facts, call).await?;
        Ok(Moderated {
            by: Some(by),
            ..moderated
        })
    }
}
