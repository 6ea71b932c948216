//! What comes back event by event.

use insula_core::Result;
use insula_core::model::{ChatEvent, TokenUsage, ToolCallDelta};
use serde::Deserialize;
use serde_json::Value;

use super::response;
use crate::upstream::{Dialect, Progress, Provider};

/// Most content blocks of one answer; more are a provider gone mad.
const BLOCKS: usize = 10_000;

/// Reads the events of one answer.
#[derive(Debug)]
pub(super) struct Events {
    answer_tool: Option<&'static str>,
    /// What each content block is, by its index.
    blocks: Vec<Block>,
    calls: u32,
    usage: TokenUsage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Text, or the arguments of the answer tool.
    Said,
    /// A tool call: its place among the calls, and whether arguments have come.
    Call { index: u32, begun: bool },
    /// Thinking, and what is not known.
    Other,
}

/// An event as it is documented. The type within repeats the event's name, which therefore is not read.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Value,
    },
    ContentBlockStart {
        index: usize,
        content_block: Value,
    },
    ContentBlockDelta {
        index: usize,
        delta: Delta,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        #[serde(default)]
        delta: Value,
        #[serde(default)]
        usage: Value,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, and what is still to be invented.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
    partial_json: Option<String>,
}

impl Events {
    pub(super) fn new(answer_tool: Option<&'static str>) -> Self {
        Self {
            answer_tool,
            blocks: Vec::new(),
            calls: 0,
            usage: TokenUsage::default(),
        }
    }

    fn start(
        &mut self,
        at: usize,
        block: &Value,
        provider: &Provider,
        progress: &mut Progress,
    ) -> Result<()> {
        if at >= BLOCKS {
            return Err(provider.broken("sent an answer of too many pieces"));
        }
        let name = block["name"].as_str().unwrap_or_default();
        let kind = match block["type"].as_str() {
            Some("text") => {
                say(block["text"].as_str().unwrap_or_default().to_owned(), progress);
                Block::Said
            }
            Some("tool_use") if self.answer_tool == Some(name) => Block::Said,
            Some("tool_use") => {
                let index = self.calls;
                self.calls += 1;
                let id = block["id"].as_str().unwrap_or_default();
                progress.ready.push_back(ChatEvent::ToolCalls(vec![ToolCallDelta {
                    index,
                    id: Some(id.to_owned()),
                    name: Some(name.to_owned()),
                    arguments: String::new(),
                }]));
                Block::Call { index, begun: false }
            }
            _ => Block::Other,
        };
        if self.blocks.len() <= at {
            self.blocks.resize(at + 1, Block::Other);
        }
        self.blocks[at] = kind;
        Ok(())
    }

    fn go_on(&mut self, at: usize, delta: Delta, progress: &mut Progress) {
        let text = delta.text.or(delta.partial_json).unwrap_or_default();
        match self.blocks.get_mut(at) {
            Some(Block::Said) => say(text, progress),
            Some(Block::Call { index, begun }) if !text.is_empty() => {
                *begun = true;
                progress.ready.push_back(arguments(*index, text));
            }
            _ => {}
        }
    }

    /// Clients read arguments as JSON; a call without any had nothing to stream.
    fn stop(&mut self, at: usize, progress: &mut Progress) {
        if let Some(Block::Call {
            index,
            begun: begun @ false,
        }) = self.blocks.get_mut(at)
        {
            *begun = true;
            progress.ready.push_back(arguments(*index, "{}".to_owned()));
        }
    }

    fn count(&mut self, usage: &Value, progress: &mut Progress) {
        if let Some(usage) = response::usage(usage, self.usage) {
            self.usage = usage;
            progress.usage = Some(usage);
        }
    }
}

fn say(text: String, progress: &mut Progress) {
    if !text.is_empty() {
        progress.ready.push_back(ChatEvent::Content(text));
    }
}

fn arguments(index: u32, arguments: String) -> ChatEvent {
    ChatEvent::ToolCalls(vec![ToolCallDelta {
        index,
        id: None,
        name: None,
        arguments,
    }])
}

impl Dialect for Events {
    fn accept(&mut self, data: &[u8], provider: &Provider, progress: &mut Progress) -> Result<()> {
        let event = serde_json::from_slice(data)
            .map_err(|_| provider.broken("sent a piece of an answer that cannot be read"))?;
        match event {
            Event::MessageStart { message } => self.count(&message["usage"], progress),
            Event::ContentBlockStart { index, content_block } => {
                progress.begun = true;
                self.start(index, &content_block, provider, progress)?;
            }
            Event::ContentBlockDelta { index, delta } => {
                progress.begun = true;
                self.go_on(index, delta, progress);
            }
            Event::ContentBlockStop { index } => self.stop(index, progress),
            Event::MessageDelta { delta, usage } => {
                self.count(&usage, progress);
                if let Some(reason) = delta["stop_reason"].as_str() {
                    let reason = response::settle(response::finish_reason(reason), self.calls > 0);
                    progress.finish = Some(reason);
                }
            }
            Event::MessageStop if progress.finish.is_some() => progress.done = true,
            Event::MessageStop => return Err(provider.truncated()),
            Event::Error { error } => return Err(provider.reported(&error)),
            Event::Other => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
