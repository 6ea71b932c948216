//! The pieces of a streamed answer.

use insula_core::Result;
use insula_core::model::{ChatEvent, FinishReason};
use serde::Deserialize;
use serde_json::Value;

use super::response::{self, CallIndexes};
use crate::upstream::{Dialect, Progress, Provider};

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    calls: CallIndexes,
    /// The choice that is being read: the first to appear. Only one was asked for.
    choice: Option<u64>,
}

impl Dialect for Chunks {
    fn accept(&mut self, data: &[u8], provider: &Provider, progress: &mut Progress) -> Result<()> {
        if data.trim_ascii() == b"[DONE]" {
            return self.done(provider, progress);
        }
        // Nearly every chunk is as it should be, and then nothing but its text is copied.
        match serde_json::from_slice::<Usual>(data) {
            Ok(usual) => self.usual(usual, provider, progress),
            Err(_) => {
                let chunk = serde_json::from_slice(data)
                    .map_err(|_| provider.broken("sent a piece of an answer that is not JSON"))?;
                self.odd(&chunk, provider, progress)
            }
        }
    }
}

impl Chunks {
    fn done(&self, provider: &Provider, progress: &mut Progress) -> Result<()> {
        if self.choice.is_none() {
            return Err(provider.broken("sent an answer without a choice"));
        }
        let unsaid = if self.calls.any() {
            FinishReason::ToolCalls
        } else {
            FinishReason::Stop
        };
        progress.finish.get_or_insert(unsaid);
        progress.done = true;
        Ok(())
    }

    fn usual(&mut self, chunk: Usual, provider: &Provider, progress: &mut Progress) -> Result<()> {
        if let Some(error) = &chunk.error {
            return Err(provider.reported(error));
        }
        if let Some(usage) = &chunk.usage {
            progress.usage = response::token_usage(usage).or(progress.usage);
        }
        let choices = chunk.choices.unwrap_or_default();
        let Some(choice) = choices
            .into_iter()
            .find(|choice| self.is_ours(choice.index.unwrap_or(0)))
        else {
            return Ok(());
        };
        let delta = choice.delta.unwrap_or_default();
        let said = Said {
            content: delta.content,
            refusal: delta.refusal,
            thinks: [delta.reasoning_content, delta.reasoning]
                .iter()
                .flatten()
                .any(|text| !text.is_empty()),
            calls: delta.tool_calls.as_ref(),
            finish: choice.finish_reason.as_deref().and_then(response::reason),
        };
        self.note(said, progress);
        Ok(())
    }

    /// Read leniently: any field may be missing or of a type that nobody foresaw.
    fn odd(&mut self, chunk: &Value, provider: &Provider, progress: &mut Progress) -> Result<()> {
        if let Some(error) = response::error(chunk) {
            return Err(provider.reported(error));
        }
        progress.usage = response::usage(chunk).or(progress.usage);
        let choices = chunk.get("choices").and_then(Value::as_array);
        let Some(choice) = choices.into_iter().flatten().find(|choice| {
            let index = choice.get("index").and_then(Value::as_u64);
            self.is_ours(index.unwrap_or(0))
        }) else {
            return Ok(());
        };
        let delta = &choice["delta"];
        let said = Said {
            content: response::text(&delta["content"]),
            refusal: response::text(&delta["refusal"]),
            thinks: ["reasoning_content", "reasoning"]
                .iter()
                .any(|name| response::text(&delta[*name]).is_some_and(|text| !text.is_empty())),
            calls: delta.get("tool_calls"),
            finish: response::finish_reason(choice),
        };
        self.note(said, progress);
        Ok(())
    }

    fn is_ours(&mut self, index: u64) -> bool {
        *self.choice.get_or_insert(index) == index
    }

    fn note(&mut self, said: Said<'_>, progress: &mut Progress) {
        let full = |text: &String| !text.is_empty();
        progress
            .ready
            .extend(said.content.filter(full).map(ChatEvent::Content));
        progress
            .ready
            .extend(said.refusal.filter(full).map(ChatEvent::Refusal));
        if let Some(calls) = said.calls {
            let calls = response::deltas(calls, &mut self.calls);
            if !calls.is_empty() {
                progress.ready.push_back(ChatEvent::ToolCalls(calls));
            }
        }
        // Thinking aloud is not passed on, but it shows that the model is at work.
        progress.begun |= said.thinks || !progress.ready.is_empty();
        progress.finish = said.finish.or(progress.finish);
    }
}

/// What one chunk says about our choice.
struct Said<'a> {
    content: Option<String>,
    refusal: Option<String>,
    thinks: bool,
    calls: Option<&'a Value>,
    finish: Option<FinishReason>,
}

/// A chunk as OpenAI documents it.
#[derive(Deserialize)]
struct Usual {
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    tool_calls: Option<Value>,
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
