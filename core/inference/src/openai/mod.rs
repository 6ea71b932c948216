//! Models behind OpenAI's wire format: OpenAI itself, Azure, vLLM, llama.cpp, Ollama, TGI, OpenRouter and many
//! others.

mod address;
mod chunk;
mod embed;
mod judge;
mod quirks;
mod request;
mod response;
mod vectors;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use insula_core::model::{ChatModel, ChatRequest, ChatStream, Completion};
use insula_core::{Error, Result};
use reqwest::Response;
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};

pub(crate) use self::address::{Address, MODEL};
use self::chunk::Chunks;
pub use self::embed::{RemoteEmbedder, RemoteModel};
pub(crate) use self::judge::RemoteJudge;
pub(crate) use self::quirks::OUR_FIELDS;
pub use self::quirks::{ChatOption, Flavour, Quirks, SystemRole, TokenLimitField};
use crate::upstream::{Answer, Deadlines, Form, Upstream};
pub use crate::upstream::{HeaderError, KeyHeader, Timeouts};

/// Largest answer read in one piece, in bytes.
const COMPLETION_BYTES: usize = 16 * 1024 * 1024;

/// A [`ChatModel`] that forwards to a provider. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct OpenAiCompatible {
    upstream: Upstream,
    address: Address,
    quirks: Arc<Quirks>,
}

impl OpenAiCompatible {
    pub(crate) fn new(upstream: Upstream, address: Address, quirks: Arc<Quirks>) -> Self {
        Self {
            upstream,
            address,
            quirks,
        }
    }

    /// Sends the request and returns the answer if its status is a success.
    async fn send(&self, request: &ChatRequest, stream: bool) -> Result<Response> {
        let body = request::Body::new(request, stream, &self.quirks);
        let body = serde_json::to_vec(&body).map_err(Error::internal)?;
        self.upstream.post(self.address.of(&request.model), body).await
    }

    async fn read_completion(&self, response: Response) -> Result<Completion> {
        let body = self.upstream.read(response, COMPLETION_BYTES).await?;
        response::completion(self.upstream.provider(), &body)
    }
}

#[async_trait]
impl ChatModel for OpenAiCompatible {
    fn with_key(&self, key: &SecretString) -> Result<Option<Arc<dyn ChatModel>>> {
        let upstream = self.upstream.with_key(key).map_err(Error::internal)?;
        Ok(Some(Arc::new(Self {
            upstream,
            ..self.clone()
        })))
    }

    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        let call = async { self.read_completion(self.send(request, false).await?).await };
        let deadline = Instant::now() + self.upstream.timeouts().total;
        timeout_at(deadline, call)
            .await
            .map_err(|_| self.upstream.provider().timed_out("answer"))?
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream> {
        let provider = self.upstream.provider();
        let deadlines = Deadlines::new(self.upstream.timeouts());
        let late = |_| provider.timed_out("begin to answer");
        let response = timeout_at(deadlines.first, self.send(request, true))
            .await
            .map_err(late)??;
        match Form::of(&response) {
            Form::Events => Answer::begin(response, &self.upstream, deadlines, Chunks::default()).await,
            Form::Json => {
                let completion = timeout_at(deadlines.first, self.read_completion(response))
                    .await
                    .map_err(late)??;
                Ok(Box::pin(stream::iter(
                    response::events(completion).into_iter().map(Ok),
                )))
            }
            Form::Other => Err(provider.broken("sent something that is not an answer")),
        }
    }
}
