//! Embedding models behind OpenAI's wire format.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use insula_core::model::{EmbedPurpose, EmbedWork, Embedder, EmbedderCard, Embeddings, TokenCounter};
use insula_core::{Error, Result};
use serde::Serialize;
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};

use super::{Address, vectors};
use crate::upstream::Upstream;

/// Requests that people may wait for at once; more are told to come back.
const INTERACTIVE: usize = 256;

/// Requests of ingestion under way at once; more wait.
const BULK: usize = 4;

/// Requests that one call has under way at once.
const PARALLEL: usize = 4;

/// Most tokens that a request can have had, whatever a server says.
const MOST_TOKENS: u64 = u32::MAX as u64;

/// Most bytes that a number takes in JSON, its comma included.
const NUMBER_BYTES: usize = 32;

/// One model at an embedding server.
#[derive(Clone)]
pub struct RemoteModel {
    /// What is known of it. Dimensions are checked in every answer.
    pub card: EmbedderCard,
    /// What the server calls it.
    pub upstream_model: String,
    /// Counts its tokens, special tokens left out. No text above the card's `max_tokens` is sent.
    pub counter: Arc<dyn TokenCounter>,
    /// Most texts per request; at least 1.
    pub batch: usize,
    /// Whether `dimensions` is sent, for models whose vectors can be cut.
    pub send_dimensions: bool,
}

/// An [`Embedder`] that asks a server. Cheap to clone; clones share connections and bounds.
#[derive(Clone)]
pub struct RemoteEmbedder {
    upstream: Upstream,
    address: Address,
    model: Arc<RemoteModel>,
    interactive: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
    /// Tokens per second of late, as the bits of an `f64`; 0 while nothing has been measured.
    speed: Arc<AtomicU64>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

impl RemoteEmbedder {
    pub(crate) fn new(upstream: Upstream, address: Address, model: RemoteModel) -> Self {
        Self {
            upstream,
            address,
            model: Arc::new(model),
            interactive: Arc::new(Semaphore::new(INTERACTIVE)),
            bulk: Arc::new(Semaphore::new(BULK)),
            speed: Arc::default(),
        }
    }

    /// The tokens of each text; the first that is too long is an error.
    async fn measure(&self, texts: Vec<String>) -> Result<(Vec<String>, Vec<usize>)> {
        let model = Arc::clone(&self.model);
        let counted = tokio::task::spawn_blocking(move || {
            let max = model.card.max_tokens;
            let mut tokens = Vec::with_capacity(texts.len());
            for (index, text) in texts.iter().enumerate() {
                let count = model.counter.count(text);
                if count > max {
                    return Err(too_long(index, texts.len(), count, max));
                }
                tokens.push(count);
            }
            Ok((texts, tokens))
        });
        counted.await.map_err(Error::internal)?
    }

    /// One request. Its vectors, and what the server says that they cost together.
    async fn request(&self, texts: &[String], purpose: EmbedPurpose) -> Result<(Vec<Vec<f32>>, Option<u64>)> {
        let _permit = match purpose {
            EmbedPurpose::Bulk => self.bulk.acquire().await.map_err(Error::internal)?,
            EmbedPurpose::Interactive => self.interactive.try_acquire().map_err(|error| match error {
                TryAcquireError::NoPermits => Error::Overloaded {
                    message: "Too many texts are waiting to be embedded.".into(),
                    retry_after: Duration::from_secs(1),
                },
                TryAcquireError::Closed => Error::internal(error),
            })?,
        };
        let dimensions = self.model.card.dimensions;
        let body = Body {
            model: &self.model.upstream_model,
            input: texts,
            encoding_format: "base64",
            dimensions: self.model.send_dimensions.then_some(dimensions),
        };
        let body = serde_json::to_vec(&body).map_err(Error::internal)?;
        let limit = texts.len() * (dimensions * NUMBER_BYTES + 1024) + 64 * 1024;
        let call = async {
            let url = self.address.of(&self.model.upstream_model);
            let response = self.upstream.post(url, body).await?;
            let body = self.upstream.read(response, limit).await?;
            vectors::read(self.upstream.provider(), &body, texts.len(), dimensions)
        };
        let deadline = Instant::now() + self.upstream.timeouts().total;
        timeout_at(deadline, call)
            .await
            .map_err(|_| self.upstream.provider().timed_out("embed"))?
    }

    async fn batch(&self, texts: &[String], counted: &[usize], purpose: EmbedPurpose) -> Result<Embeddings> {
        let begun = Instant::now();
        let (vectors, reported) = self.request(texts, purpose).await?;
        let tokens = match reported {
            Some(total) => share(total, counted),
            None => counted.to_vec(),
        };
        let total: usize = tokens.iter().sum();
        self.note_speed(total as f64 / begun.elapsed().as_secs_f64().max(1e-6));
        Ok(Embeddings {
            vectors,
            tokens,
            by: None,
        })
    }

    fn note_speed(&self, now: f64) {
        let before = f64::from_bits(self.speed.load(Ordering::Relaxed));
        let speed = if before > 0.0 {
            before * 0.8 + now * 0.2
        } else {
            now
        };
        self.speed.store(speed.to_bits(), Ordering::Relaxed);
    }
}

/// Shares a total among texts by their counted lengths. The shares add up to the total, as far as it can be true.
fn share(total: u64, counted: &[usize]) -> Vec<usize> {
    let total = total.min(MOST_TOKENS);
    let all: u128 = counted.iter().map(|&count| count as u128 + 1).sum();
    let (mut sum, mut given) = (0_u128, 0_u128);
    counted
        .iter()
        .map(|&count| {
            sum += count as u128 + 1;
            let upto = u128::from(total) * sum / all;
            let part = upto - given;
            given = upto;
            usize::try_from(part).unwrap_or(usize::MAX)
        })
        .collect()
}

fn too_long(index: usize, texts: usize, count: usize, max: usize) -> Error {
    Error::Invalid {
        message: format!(
            "This model's maximum context length is {max} tokens, but the input has {count} tokens. \
             Please shorten or split it."
        ),
        param: Some(if texts == 1 {
            "input".into()
        } else {
            format!("input[{index}]")
        }),
        code: Some("context_length_exceeded"),
    }
}

#[async_trait]
impl Embedder for RemoteEmbedder {
    fn card(&self) -> &EmbedderCard {
        &self.model.card
    }

    fn counter(&self) -> &dyn TokenCounter {
        &*self.model.counter
    }

    async fn embed(&self, texts: Vec<String>, work: EmbedWork) -> Result<Embeddings> {
        if texts.is_empty() {
            return Ok(Embeddings::default());
        }
        let (texts, counted) = self.measure(texts).await?;
        let size = self.model.batch.max(1);
        let batches = texts.chunks(size).zip(counted.chunks(size));
        let calls: Vec<_> = batches
            .map(|(texts, counted)| self.batch(texts, counted, work.purpose))
            .collect();
        stream::iter(calls)
            .buffered(PARALLEL)
            .try_fold(Embeddings::default(), async |mut all, batch| {
                all.vectors.extend(batch.vectors);
                all.tokens.extend(batch.tokens);
                Ok(all)
            })
            .await
    }

    fn tokens_per_second(&self) -> Option<f64> {
        let speed = f64::from_bits(self.speed.load(Ordering::Relaxed));
        (speed > 0.0).then_some(speed)
    }
}

#[cfg(test)]
#[path = "embed_tests.rs"]
mod tests;
