//! What all providers behind HTTP have in common: one request, its failures, and streams with bounds.

mod answer;
mod failure;
mod sse;

use std::sync::Arc;

use insula_core::Result;
pub use insula_core::route::Timeouts;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use self::answer::{Answer, Deadlines, Dialect, Progress};
pub(crate) use self::failure::Provider;

/// Largest error body that is looked at, in bytes.
const ERROR_BYTES: usize = 64 * 1024;

/// A configured header cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("provider '{provider}': {what} cannot be sent as an HTTP header")]
pub struct HeaderError {
    provider: String,
    what: String,
}

/// How a key is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone in a header of this name.
    Named(HeaderName),
}

/// A provider as it is called. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    client: reqwest::Client,
    provider: Arc<Provider>,
    headers: HeaderMap,
    key_header: KeyHeader,
    timeouts: Timeouts,
}

impl Upstream {
    /// Connects to nothing. The values of `headers` are treated as secrets.
    pub(crate) fn new(
        name: String,
        client: reqwest::Client,
        headers: &[(String, SecretString)],
        key_header: KeyHeader,
        timeouts: Timeouts,
    ) -> Result<Self, HeaderError> {
        let mut sent = HeaderMap::new();
        sent.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (header, value) in headers {
            let refused = || HeaderError {
                provider: name.clone(),
                what: header.clone(),
            };
            let header = HeaderName::try_from(header).map_err(|_| refused())?;
            sent.insert(header, secret_value(value.expose_secret()).ok_or_else(refused)?);
        }
        let secrets = headers.iter().map(|(_, value)| value.clone()).collect();
        Ok(Self {
            client,
            provider: Arc::new(Provider::new(name, secrets)),
            headers: sent,
            key_header,
            timeouts,
        })
    }

    /// The same with this key.
    pub(crate) fn with_key(&self, key: &SecretString) -> Result<Self, HeaderError> {
        let mut upstream = self.clone();
        let (name, value) = match &self.key_header {
            KeyHeader::Bearer => (
                reqwest::header::AUTHORIZATION,
                secret_value(&format!("Bearer {}", key.expose_secret())),
            ),
            KeyHeader::Named(name) => (name.clone(), secret_value(key.expose_secret())),
        };
        let value = value.ok_or_else(|| HeaderError {
            provider: self.provider.name().to_owned(),
            what: "the API key".to_owned(),
        })?;
        upstream.headers.insert(name, value);
        upstream.provider = Arc::new(self.provider.with_secret(key.clone()));
        Ok(upstream)
    }

    /// The same with other bounds in time.
    pub(crate) fn with_timeouts(&self, timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            ..self.clone()
        }
    }

    pub(crate) fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Sends a JSON body and returns the answer if its status is a success.
    pub(crate) async fn post(&self, url: Url, body: Vec<u8>) -> Result<Response> {
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = Some(body.into());
        let call = self.client.execute(request);
        let response = call.await.map_err(|error| self.provider.unreachable(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // The status says enough when the body cannot be read.
        let body = read(response, ERROR_BYTES).await.unwrap_or_default();
        Err(self.provider.refused(status, &headers, &body))
    }

    /// A body of at most `limit` bytes.
    pub(crate) async fn read(&self, response: Response, limit: usize) -> Result<Vec<u8>> {
        read(response, limit).await.map_err(|error| match error {
            ReadError::TooLarge => self.provider.broken("sent an answer that is too large"),
            ReadError::Transport(error) => self.provider.unreachable(error),
        })
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

/// What the answer to a request for a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Events, or nobody knows: some servers name no type, or text.
    Events,
    /// Some providers answer in one piece although a stream was asked for.
    Json,
    /// A page, a picture: not from a model.
    Other,
}

impl Form {
    pub(crate) fn of(response: &Response) -> Self {
        let Some(value) = response.headers().get(CONTENT_TYPE) else {
            return Self::Events;
        };
        let essence = value
            .to_str()
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "" | "text/event-stream" | "text/plain" | "application/octet-stream" => Self::Events,
            "application/json" => Self::Json,
            _ => Self::Other,
        }
    }
}
