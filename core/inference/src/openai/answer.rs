//! A streamed answer, event by event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use insula_core::Result;
use insula_core::model::{ChatEvent, FinishReason, TokenUsage};
use reqwest::Response;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::failure::Provider;
use super::response::{self, CallIndexes};
use super::sse::{Sse, SseError};

/// Once the model has finished, usage and the end of the stream should follow at once. Nobody waits longer.
const TAIL: Duration = Duration::from_secs(3);

/// How long the end of the body is awaited, so that the connection can be used again.
const DRAIN: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The answer is complete; only the end of the body is missing.
    Draining,
    Over,
}

/// Reads a provider's stream. Dropping it drops the connection, which is how a provider learns that nobody
/// listens any more.
pub(super) struct Answer {
    sse: Sse,
    provider: Arc<Provider>,
    first_by: Instant,
    end: Instant,
    between: Duration,
    begun: bool,
    phase: Phase,
    ready: VecDeque<ChatEvent>,
    calls: CallIndexes,
    /// Held back until the stream ends, as some providers send content after it.
    finish: Option<FinishReason>,
    usage: Option<TokenUsage>,
}

impl Answer {
    pub(super) fn new(
        response: Response,
        provider: Arc<Provider>,
        first_by: Instant,
        end: Instant,
        between: Duration,
    ) -> Self {
        Self {
            sse: Sse::new(response.bytes_stream()),
            provider,
            first_by,
            end,
            between,
            begun: false,
            phase: Phase::Reading,
            ready: VecDeque::new(),
            calls: CallIndexes::default(),
            finish: None,
            usage: None,
        }
    }

    /// The next event. After an error or the end, always `None`.
    pub(super) async fn next(&mut self) -> Option<Result<ChatEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
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
            Err(_) if self.begun => self.provider.timed_out("continue its answer"),
            Err(_) => self.provider.timed_out("begin to answer"),
        };
        // What goes wrong after the finish reason costs at most the usage.
        let Some(reason) = self.finish else {
            return Err(failure);
        };
        self.close(reason, Phase::Over);
        Ok(())
    }

    /// How long to wait for the next line.
    fn patience(&self) -> Instant {
        let now = Instant::now();
        if self.finish.is_some() {
            self.end.min(now + self.between.min(TAIL))
        } else if self.begun {
            self.end.min(now + self.between)
        } else {
            self.first_by
        }
    }

    fn failed(&self, error: SseError) -> insula_core::Error {
        match error {
            SseError::TooLong => self.provider.broken("sent an event that is too long"),
            SseError::NotText => self.provider.broken("sent an answer that is not text"),
            SseError::Transport(error) => match error.downcast::<reqwest::Error>() {
                Ok(error) => self.provider.unreachable(error),
                Err(_) => self.provider.truncated(),
            },
        }
    }

    fn accept(&mut self, data: &str) -> Result<()> {
        if data.trim() == "[DONE]" {
            let unsaid = if self.calls.any() {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            };
            self.close(self.finish.unwrap_or(unsaid), Phase::Draining);
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(data)
            .map_err(|_| self.provider.broken("sent a piece of an answer that is not JSON"))?;
        if let Some(error) = response::error(&chunk) {
            return Err(self.provider.reported(error));
        }
        self.usage = response::usage(&chunk).or(self.usage);
        let Some(choice) = response::choice(&chunk) else {
            return Ok(());
        };
        let delta = &choice["delta"];
        let text = |name: &str| response::text(&delta[name]).filter(|text| !text.is_empty());
        self.ready.extend(text("content").map(ChatEvent::Content));
        self.ready.extend(text("refusal").map(ChatEvent::Refusal));
        let calls = response::deltas(delta, &mut self.calls);
        if !calls.is_empty() {
            self.ready.push_back(ChatEvent::ToolCalls(calls));
        }
        // Thinking aloud is not passed on, but it shows that the model is at work.
        let thinks = ["reasoning_content", "reasoning"]
            .iter()
            .any(|name| text(name).is_some());
        self.begun |= thinks || !self.ready.is_empty();
        self.finish = response::finish_reason(choice).or(self.finish);
        Ok(())
    }

    fn close(&mut self, reason: FinishReason, phase: Phase) {
        self.ready.push_back(ChatEvent::Finish(reason));
        self.ready.extend(self.usage.map(ChatEvent::Usage));
        self.phase = phase;
    }

    async fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        while let Ok(Some(Ok(_))) = timeout_at(until, self.sse.next_line()).await {}
        self.phase = Phase::Over;
    }
}
