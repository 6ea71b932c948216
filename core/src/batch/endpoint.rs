//! What the lines of a batch call.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::{Scope, TenantContext};
use uuid::Uuid;

use crate::{Error, Services};

/// An endpoint that batches can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callable {
    /// Conversations.
    ChatCompletions,
    /// Texts to go on from.
    Completions,
    /// Texts to vectors.
    Embeddings,
    /// Responses.
    Responses,
}

impl Callable {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
    ];

    /// Its path, which is how clients name it.
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Responses => "/v1/responses",
        }
    }

    /// The endpoint of that path.
    pub fn find(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }

    /// What a key needs to call it.
    pub fn scope(self) -> Scope {
        match self {
            Self::ChatCompletions | Self::Completions | Self::Responses => Scope::ChatWrite,
            Self::Embeddings => Scope::EmbeddingsWrite,
        }
    }
}

/// A call of an endpoint.
#[derive(Debug, Clone)]
pub struct Call {
    /// Of which.
    pub endpoint: Callable,
    /// The id of the request.
    pub request_id: Uuid,
    /// The request's body, a JSON object.
    pub body: String,
}

/// What a call came to, as a client would get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON in one line.
    pub body: String,
    /// Whether it is better to call again later.
    pub wait: Option<Wait>,
}

/// Why to call again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A limit of the tenant's is used up: whoever has a day waits.
    Limit(Duration),
    /// As many calls as may be are under way.
    Full,
    /// This server, or a provider, is too busy.
    Busy(Duration),
}

/// The endpoints of the HTTP layer, for whoever calls them without HTTP. The same code answers: the same checks, guardrails,
/// routes, limits and ledger.
#[async_trait]
pub trait Endpoints: Send + Sync + 'static {
    /// Calls an endpoint, with the rights of `cx`. Whatever goes wrong is an answer.
    async fn call(&self, services: Services, cx: TenantContext, call: Call) -> Answered;

    /// How an error is answered.
    async fn refuse(&self, error: Error) -> Answered;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_round_trip() {
        for endpoint in Callable::ALL {
            assert_eq!(Callable::find(endpoint.path()), Some(endpoint));
        }
        assert_eq!(Callable::find("/v1/chat"), None);
    }
}
