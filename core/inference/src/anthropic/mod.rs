//! Chat models behind Anthropic's Messages API, translated both ways.

mod events;
mod messages;
mod request;
mod response;

use std::sync::Arc;

use async_trait::async_trait;
use insula_core::model::{ChatModel, ChatRequest, ChatStream, Completion};
use insula_core::{Error, Result};
use reqwest::Response;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use self::events::Events;
use crate::openai::{Address, ChatOption};
use crate::upstream::{Answer, Deadlines, Form, Upstream};

/// The version of the API whose words are used here; sent with every call.
pub(crate) const VERSION: &str = "2023-06-01";

/// Largest answer read in one piece, in bytes.
const COMPLETION_BYTES: usize = 16 * 1024 * 1024;

/// How JSON of a schema is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonSchema {
    /// `output_config`, which models since Claude Sonnet 4.5 understand.
    #[default]
    OutputConfig,
    /// A tool that must be called, for older models: its arguments are the answer.
    Tool,
}

/// How one account or proxy is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct AnthropicOptions {
    /// The bound of generated tokens for calls that set none, as the API insists on one.
    pub max_tokens: u32,
    /// How JSON of a schema is asked for.
    pub json_schema: JsonSchema,
    /// What is left out, for models that refuse it.
    pub unsupported: Vec<ChatOption>,
    /// Fields that every request carries besides.
    pub extra_body: Map<String, Value>,
}

impl Default for AnthropicOptions {
    fn default() -> Self {
        Self {
            max_tokens: 4096,
            json_schema: JsonSchema::default(),
            unsupported: Vec::new(),
            extra_body: Map::new(),
        }
    }
}

/// A [`ChatModel`] that forwards to Anthropic. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Anthropic {
    upstream: Upstream,
    address: Address,
    options: Arc<AnthropicOptions>,
}

impl Anthropic {
    pub(crate) fn new(upstream: Upstream, address: Address, options: Arc<AnthropicOptions>) -> Self {
        Self {
            upstream,
            address,
            options,
        }
    }

    /// Sends the request and returns the answer if its status is a success.
    async fn send(&self, request: &ChatRequest, stream: bool) -> Result<Response> {
        let body = request::Body::new(request, stream, &self.options)?;
        let body = serde_json::to_vec(&body).map_err(Error::internal)?;
        self.upstream.post(self.address.of(&request.model), body).await
    }
}

#[async_trait]
impl ChatModel for Anthropic {
    fn with_key(&self, key: &SecretString) -> Result<Option<Arc<dyn ChatModel>>> {
        let upstream = self.upstream.with_key(key).map_err(Error::internal)?;
        Ok(Some(Arc::new(Self {
            upstream,
            ..self.clone()
        })))
    }

    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        let provider = self.upstream.provider();
        let tool = request::answers_by_tool(&request.options, &self.options);
        let call = async {
            let response = self.send(request, false).await?;
            let body = self.upstream.read(response, COMPLETION_BYTES).await?;
            response::completion(provider, &body, tool)
        };
        let deadline = Instant::now() + self.upstream.timeouts().total;
        timeout_at(deadline, call)
            .await
            .map_err(|_| provider.timed_out("answer"))?
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream> {
        let provider = self.upstream.provider();
        let tool = request::answers_by_tool(&request.options, &self.options);
        let deadlines = Deadlines::new(self.upstream.timeouts());
        let response = timeout_at(deadlines.first, self.send(request, true))
            .await
            .map_err(|_| provider.timed_out("begin to answer"))??;
        match Form::of(&response) {
            Form::Events => Answer::begin(response, &self.upstream, deadlines, Events::new(tool)).await,
            Form::Json | Form::Other => Err(provider.broken("sent something that is not an answer")),
        }
    }
}
