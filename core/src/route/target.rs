//! Where a call can go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::health::Health;
use super::price::Prices;
use super::rule::Condition;
use crate::model::{ChatModel, Embedder, Moderator, Reranker, TokenCounter};

/// How long a target may take. The provider's client keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To a connection, TLS included.
    pub connect: Duration,
    /// From the call to the first event of a stream.
    pub first_token: Duration,
    /// Between two lines of a stream.
    pub between_chunks: Duration,
    /// The whole call.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(60),
            between_chunks: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// Who answers at a target.
#[derive(Clone)]
pub enum TargetModel {
    /// A chat model.
    Chat(Arc<dyn ChatModel>),
    /// One server of an embedding model.
    Embeddings(Arc<dyn Embedder>),
    /// One server of a model that ranks documents.
    Rerank(Arc<dyn Reranker>),
    /// One server of a model that finds what should not be in a text.
    Moderations(Arc<dyn Moderator>),
}

/// A model at a provider.
#[derive(Clone)]
pub struct Target {
    /// For people: `provider/upstream_model`.
    pub name: Arc<str>,
    /// The operator's name of the provider.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub upstream_model: Arc<str>,
    /// Whether what is sent to it stays on this machine.
    pub local: bool,
    /// Its share under [`super::Strategy::Weighted`].
    pub weight: u32,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Which calls it is for. A target whose condition holds goes before those that have none.
    pub condition: Condition,
    /// What its tokens cost.
    pub prices: Prices,
    /// Counts tokens as its model does, near enough, for when the provider does not say.
    pub counter: Arc<dyn TokenCounter>,
    /// What it is, in full: two targets with the same origin share their health, also over a reload.
    pub origin: Arc<str>,
    /// Whether it can be called.
    pub health: Arc<Health>,
    /// Who answers.
    pub model: TargetModel,
}

impl Target {
    /// The chat model, if it is one.
    pub fn chat(&self) -> Option<&Arc<dyn ChatModel>> {
        match &self.model {
            TargetModel::Chat(model) => Some(model),
            _ => None,
        }
    }

    /// The embedder, if it is one.
    pub fn embedder(&self) -> Option<&Arc<dyn Embedder>> {
        match &self.model {
            TargetModel::Embeddings(embedder) => Some(embedder),
            _ => None,
        }
    }

    /// What ranks documents, if it does.
    pub fn reranker(&self) -> Option<&Arc<dyn Reranker>> {
        match &self.model {
            TargetModel::Rerank(reranker) => Some(reranker),
            _ => None,
        }
    }

    /// What finds what should not be there, if it does.
    pub fn moderator(&self) -> Option<&Arc<dyn Moderator>> {
        match &self.model {
            TargetModel::Moderations(moderator) => Some(moderator),
            _ => None,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("local", &self.local)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}
