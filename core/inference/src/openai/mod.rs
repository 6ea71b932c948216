//! Chat models behind OpenAI's wire format: OpenAI itself, vLLM, llama.cpp, Ollama, OpenRouter and many others.

mod answer;
mod failure;
mod request;
mod response;
mod sse;

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use insula_core::model::{ChatModel, ChatRequest, ChatStream, Completion};
use insula_core::{Error, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use self::answer::Answer;
use self::failure::Provider;

/// Largest answer read in one piece, in bytes.
const COMPLETION_BYTES: usize = 16 * 1024 * 1024;

/// Largest error body that is looked at, in bytes.
const ERROR_BYTES: usize = 64 * 1024;

pub use insula_core::route::Timeouts;

/// The name under which a provider takes the upper bound of generated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitField {
    /// What nearly everybody understands.
    MaxTokens,
    /// What OpenAI's own newer models insist on.
    MaxCompletionTokens,
}

/// Where a provider is and how to speak to it.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    /// The operator's name for it; appears in error messages.
    pub name: String,
    /// The part before `/chat/completions`, for example `https://api.openai.com/v1`.
    pub base_url: Url,
    /// Sent as a bearer token.
    pub api_key: Option<SecretString>,
    /// Further headers; their values are treated as secrets.
    pub headers: Vec<(String, SecretString)>,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// How the token limit is sent. `None`: by the host's name.
    pub token_limit_field: Option<TokenLimitField>,
}

/// A configured header cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("provider '{provider}': {what} cannot be sent as an HTTP header")]
pub struct HeaderError {
    provider: String,
    what: String,
}

/// A [`ChatModel`] that forwards to a provider. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct OpenAiCompatible {
    client: reqwest::Client,
    provider: Arc<Provider>,
    url: Url,
    headers: HeaderMap,
    timeouts: Timeouts,
    token_limit_field: TokenLimitField,
}

impl OpenAiCompatible {
    /// Checks the configuration; connects to nothing. `client` comes from [`crate::http::client`].
    pub fn new(config: OpenAiConfig, client: reqwest::Client) -> Result<Self, HeaderError> {
        let refused = |what: &str| HeaderError {
            provider: config.name.clone(),
            what: what.to_owned(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let header = HeaderName::try_from(name).map_err(|_| refused(name))?;
            headers.insert(
                header,
                secret_value(value.expose_secret()).ok_or_else(|| refused(name))?,
            );
        }
        if let Some(key) = &config.api_key {
            let bearer = format!("Bearer {}", key.expose_secret());
            headers.insert(
                AUTHORIZATION,
                secret_value(&bearer).ok_or_else(|| refused("the API key"))?,
            );
        }
        let mut url = config.base_url;
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let openai = url
            .host_str()
            .is_some_and(|host| host == "openai.com" || host.ends_with(".openai.com"));
        let by_host = if openai {
            TokenLimitField::MaxCompletionTokens
        } else {
            TokenLimitField::MaxTokens
        };
        let secrets = config
            .headers
            .into_iter()
            .map(|(_, value)| value)
            .chain(config.api_key)
            .collect();
        Ok(Self {
            client,
            provider: Arc::new(Provider::new(config.name, secrets)),
            url,
            headers,
            timeouts: config.timeouts,
            token_limit_field: config.token_limit_field.unwrap_or(by_host),
        })
    }

    /// Sends the request and returns the answer if its status is a success.
    async fn send(&self, request: &ChatRequest, stream: bool) -> Result<Response> {
        let body = request::Body::new(request, stream, self.token_limit_field);
        let call = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .json(&body)
            .send();
        let response = call.await.map_err(|error| self.provider.unreachable(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // The status says enough when the body cannot be read.
        let body = read(response, ERROR_BYTES).await.unwrap_or_default();
        Err(self.provider.refused(status, &headers, &body))
    }

    async fn read_completion(&self, response: Response) -> Result<Completion> {
        let body = read(response, COMPLETION_BYTES)
            .await
            .map_err(|error| match error {
                ReadError::TooLarge => self.provider.broken("sent an answer that is too large"),
                ReadError::Transport(error) => self.provider.unreachable(error),
            })?;
        response::completion(&self.provider, &body)
    }
}

fn secret_value(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

enum ReadError {
    TooLarge,
    Transport(reqwest::Error),
}

/// Reads a body of at most `limit` bytes.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Transport)? {
        if body.len() + chunk.len() > limit {
            return Err(ReadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Some providers answer in one piece although a stream was asked for.
fn is_json(response: &Response) -> bool {
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        value
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("application/json")
    })
}

#[async_trait]
impl ChatModel for OpenAiCompatible {
    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        let call = async { self.read_completion(self.send(request, false).await?).await };
        let deadline = Instant::now() + self.timeouts.total;
        timeout_at(deadline, call)
            .await
            .map_err(|_| self.provider.timed_out("answer"))?
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream> {
        let now = Instant::now();
        let end = now + self.timeouts.total;
        let first_by = end.min(now + self.timeouts.first_token);
        let late = |_| self.provider.timed_out("begin to answer");
        let response = timeout_at(first_by, self.send(request, true))
            .await
            .map_err(late)??;
        if is_json(&response) {
            let completion = timeout_at(first_by, self.read_completion(response))
                .await
                .map_err(late)??;
            return Ok(Box::pin(stream::iter(
                response::events(completion).into_iter().map(Ok),
            )));
        }
        let provider = Arc::clone(&self.provider);
        let mut answer = Answer::new(response, provider, first_by, end, self.timeouts.between_chunks);
        let first = answer
            .next()
            .await
            .unwrap_or_else(|| Err(self.provider.truncated()))?;
        let rest = stream::unfold(answer, |mut answer| async move {
            let event = answer.next().await?;
            Some((event, answer))
        });
        Ok(Box::pin(stream::iter([Ok::<_, Error>(first)]).chain(rest)))
    }
}
