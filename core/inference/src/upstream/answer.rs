//! A streamed answer, event by event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use insula_core::model::{ChatEvent, ChatStream, FinishReason, TokenUsage};
use insula_core::{Error, Result};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::failure::Provider;
use super::sse::{Sse, SseError};
use super::{Timeouts, Upstream};

/// Once the model has finished, usage and the end of the stream should follow at once. Nobody waits longer.
const TAIL: Duration = Duration::from_secs(3);

/// How long the end of the body is awaited, so that the connection can be used again.
const DRAIN: Duration = Duration::from_millis(250);

/// What the data of a stream's events means.
pub(crate) trait Dialect: Send + 'static {
    /// Notes what one event says.
    fn accept(&mut self, data: &[u8], provider: &Provider, progress: &mut Progress) -> Result<()>;
}

/// What a stream has said so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// To be handed on.
    pub(crate) ready: VecDeque<ChatEvent>,
    /// The model is at work, even if nothing can be handed on yet.
    pub(crate) begun: bool,
    /// Held back until the stream ends, as some providers send content after it.
    pub(crate) finish: Option<FinishReason>,
    /// What the call has cost; the last word counts.
    pub(crate) usage: Option<TokenUsage>,
    /// The provider has said that nothing follows. Needs `finish`.
    pub(crate) done: bool,
}

/// When a call's patience ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// For the first event.
    pub(crate) first: Instant,
    end: Instant,
    between: Duration,
}

impl Deadlines {
    /// Of a call that begins now.
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        let now = Instant::now();
        let end = now + timeouts.total;
        Self {
            first: end.min(now + timeouts.first_token),
            end,
            between: timeouts.between_chunks,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The answer is complete; only the end of the body is missing.
    Draining,
    Over,
}

/// Reads a provider's stream. Dropping it drops the connection, which is how a provider learns that nobody
/// listens any more.
pub(crate) struct Answer<D> {
    sse: Sse,
    provider: Arc<Provider>,
    deadlines: Deadlines,
    phase: Phase,
    dialect: D,
    progress: Progress,
}

impl<D: Dialect> Answer<D> {
    /// Waits for the first event, so that a failure before it still is an error of the call.
    pub(crate) async fn begin(
        response: Response,
        upstream: &Upstream,
        deadlines: Deadlines,
        dialect: D,
    ) -> Result<ChatStream> {
        let mut answer = Self {
            sse: Sse::new(response.bytes_stream()),
            provider: Arc::clone(upstream.provider()),
            deadlines,
            phase: Phase::Reading,
            dialect,
            progress: Progress::default(),
        };
        let first = answer
            .next()
            .await
            .unwrap_or_else(|| Err(answer.provider.truncated()))?;
        let rest = stream::unfold(answer, |mut answer| async move {
            let event = answer.next().await?;
            Some((event, answer))
        });
        Ok(Box::pin(stream::iter([Ok::<_, Error>(first)]).chain(rest)))
    }

    /// The next event. After an error or the end, always `None`.
    async fn next(&mut self) -> Option<Result<ChatEvent>> {
        loop {
            if let Some(event) = self.progress.ready.pop_front() {
                return Some(Ok(event));
            }
            match self.phase {
                Phase::Over => return None,
                Phase::Draining => self.drain().await,
                Phase::Reading => {
                    if let Err(error) = self.read().await {
                        self.phase = Phase::Over;
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    /// Reads one line and notes what it says.
    async fn read(&mut self) -> Result<()> {
        let failure = match timeout_at(self.patience(), self.sse.next_line()).await {
            Ok(Some(Ok(None))) => return Ok(()),
            Ok(Some(Ok(Some(data)))) => return self.accept(&data),
            Ok(Some(Err(error))) => self.failed(error),
            Ok(None) => self.provider.truncated(),
            Err(_) if self.progress.begun => self.provider.timed_out("continue its answer"),
            Err(_) => self.provider.timed_out("begin to answer"),
        };
        // What goes wrong after the finish reason costs at most the usage.
        let Some(reason) = self.progress.finish else {
            return Err(failure);
        };
        self.close(reason, Phase::Over);
        Ok(())
    }

    /// How long to wait for the next line.
    fn patience(&self) -> Instant {
        let Deadlines { first, end, between } = self.deadlines;
        if self.progress.finish.is_some() {
            end.min(Instant::now() + between.min(TAIL))
        } else if self.progress.begun {
            end.min(Instant::now() + between)
        } else {
            first
        }
    }

    fn failed(&self, error: SseError) -> Error {
        match error {
            SseError::TooLong => self.provider.broken("sent an event that is too long"),
            SseError::Transport(error) => self.provider.unreachable(error),
        }
    }

    fn accept(&mut self, data: &[u8]) -> Result<()> {
        self.dialect.accept(data, &self.provider, &mut self.progress)?;
        if self.progress.done {
            let reason = self.progress.finish.unwrap_or(FinishReason::Stop);
            self.close(reason, Phase::Draining);
        }
        Ok(())
    }

    fn close(&mut self, reason: FinishReason, phase: Phase) {
        self.progress.ready.push_back(ChatEvent::Finish(reason));
        self.progress
            .ready
            .extend(self.progress.usage.map(ChatEvent::Usage));
        self.phase = phase;
    }

    async fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        while let Ok(Some(Ok(_))) = timeout_at(until, self.sse.next_line()).await {}
        self.phase = Phase::Over;
    }
}
