//! What comes back, read leniently: any field may be missing, null, or of a type that nobody foresaw.

use insula_core::Result;
use insula_core::model::{ChatEvent, Completion, FinishReason, TokenUsage, ToolCall, ToolCallDelta};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::upstream::Provider;

/// Reads a whole answer.
pub(super) fn completion(provider: &Provider, body: &[u8]) -> Result<Completion> {
    // Nearly every answer is as it should be, and then nothing but its text is copied.
    if let Some(completion) = usual(body) {
        return Ok(completion);
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|_| provider.broken("sent an answer that is not JSON"))?;
    if let Some(error) = error(&body) {
        return Err(provider.reported(error));
    }
    let choice = choice(&body).ok_or_else(|| provider.broken("sent an answer without a choice"))?;
    let message = &choice["message"];
    let tool_calls: Vec<ToolCall> = deltas(&message["tool_calls"], &mut CallIndexes::default())
        .into_iter()
        .map(whole)
        .collect();
    let finish_reason = finish_reason(choice).unwrap_or(if tool_calls.is_empty() {
        FinishReason::Stop
    } else {
        FinishReason::ToolCalls
    });
    Ok(Completion {
        content: text(&message["content"]).filter(|text| !text.is_empty() || tool_calls.is_empty()),
        refusal: text(&message["refusal"]).filter(|text| !text.is_empty()),
        tool_calls,
        citations: Vec::new(),
        finish_reason: Some(finish_reason),
        usage: usage(&body),
    })
}

/// An answer as OpenAI documents it, without tool calls.
fn usual(body: &[u8]) -> Option<Completion> {
    let body: Usual = serde_json::from_slice(body).ok()?;
    let choice = body.choices.into_iter().next()?;
    if body.error.is_some() || choice.message.tool_calls.is_some() {
        return None;
    }
    let finish_reason = choice.finish_reason.as_deref().and_then(reason);
    Some(Completion {
        content: choice.message.content,
        refusal: choice.message.refusal.filter(|text| !text.is_empty()),
        tool_calls: Vec::new(),
        citations: Vec::new(),
        finish_reason: Some(finish_reason.unwrap_or(FinishReason::Stop)),
        usage: body.usage.and_then(|usage| {
            let (prompt, completion) = (usage.prompt_tokens, usage.completion_tokens);
            prompt.or(completion)?;
            Some(TokenUsage {
                prompt_tokens: prompt.unwrap_or(0),
                completion_tokens: completion.unwrap_or(0),
                cached_tokens: usage
                    .prompt_tokens_details
                    .and_then(|of| of.cached_tokens)
                    .unwrap_or(0),
                reasoning_tokens: usage
                    .completion_tokens_details
                    .and_then(|of| of.reasoning_tokens)
                    .unwrap_or(0),
            })
        }),
    })
}

#[derive(Deserialize)]
struct Usual {
    choices: Vec<UsualChoice>,
    usage: Option<UsualUsage>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct UsualChoice {
    message: UsualMessage,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct UsualMessage {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct UsualUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<UsualDetails>,
    completion_tokens_details: Option<UsualDetails>,
}

#[derive(Deserialize)]
struct UsualDetails {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

/// A whole answer as the events of a stream.
pub(super) fn events(completion: Completion) -> Vec<ChatEvent> {
    let mut events = Vec::new();
    events.extend(
        completion
            .content
            .filter(|text| !text.is_empty())
            .map(ChatEvent::Content),
    );
    events.extend(completion.refusal.map(ChatEvent::Refusal));
    if !completion.tool_calls.is_empty() {
        let calls = completion
            .tool_calls
            .into_iter()
            .zip(0..)
            .map(|(call, index)| ToolCallDelta {
                index,
                id: Some(call.id),
                name: Some(call.name),
                arguments: call.arguments,
            });
        events.push(ChatEvent::ToolCalls(calls.collect()));
    }
    events.push(ChatEvent::Finish(
        completion.finish_reason.unwrap_or(FinishReason::Stop),
    ));
    events.extend(completion.usage.map(ChatEvent::Usage));
    events
}

/// The error object that stands where an answer should, if one does.
pub(super) fn error(body: &Value) -> Option<&Value> {
    body.get("error").filter(|error| !error.is_null())
}

/// The first choice; there should be no others, as only one is ever asked for.
fn choice(body: &Value) -> Option<&Value> {
    body.get("choices")?.as_array()?.first()
}

/// Why generation ended, if it did. Words that nobody knows mean that the model was done.
pub(super) fn finish_reason(choice: &Value) -> Option<FinishReason> {
    reason(choice.get("finish_reason")?.as_str()?)
}

/// What a finish reason means. Nothing is not one.
pub(super) fn reason(reason: &str) -> Option<FinishReason> {
    Some(match reason {
        "" => return None,
        "length" | "max_tokens" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    })
}

/// Text, given as a string or as parts.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(
            parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect(),
        ),
        _ => None,
    }
}

/// What the call cost, wherever the answer says so.
pub(super) fn usage(body: &Value) -> Option<TokenUsage> {
    token_usage(body.get("usage")?)
}

/// The numbers of a usage object.
pub(super) fn token_usage(usage: &Value) -> Option<TokenUsage> {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let (prompt, completion) = (count("/prompt_tokens"), count("/completion_tokens"));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    Some(TokenUsage {
        prompt_tokens: prompt.unwrap_or(0),
        completion_tokens: completion.unwrap_or(0),
        cached_tokens: count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
        reasoning_tokens: count("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
    })
}

/// Which tool calls have been seen, for providers that do not number them.
#[derive(Debug, Default)]
pub(super) struct CallIndexes {
    next: u32,
    last_id: Option<String>,
}

impl CallIndexes {
    /// Whether any call has been seen.
    pub(super) fn any(&self) -> bool {
        self.next > 0
    }

    fn index(&mut self, given: Option<u32>, id: Option<&str>) -> u32 {
        let unnumbered = match id {
            Some(id) if self.last_id.as_deref() != Some(id) => self.next,
            _ => self.next.saturating_sub(1),
        };
        let index = given.unwrap_or(unnumbered);
        if let Some(id) = id {
            self.last_id = Some(id.to_owned());
        }
        self.next = self.next.max(index.saturating_add(1));
        index
    }
}

/// The pieces in the `tool_calls` of a message or delta, at most one per index.
pub(super) fn deltas(calls: &Value, indexes: &mut CallIndexes) -> Vec<ToolCallDelta> {
    let mut deltas: Vec<ToolCallDelta> = Vec::new();
    for call in calls.as_array().into_iter().flatten() {
        let word = |value: Option<&Value>| value?.as_str().filter(|word| !word.is_empty()).map(str::to_owned);
        let function = call.get("function");
        let id = word(call.get("id"));
        let given = call
            .get("index")
            .and_then(Value::as_u64)
            .and_then(|index| u32::try_from(index).ok());
        let index = indexes.index(given, id.as_deref());
        let name = word(function.and_then(|function| function.get("name")));
        let arguments = match function.and_then(|function| function.get("arguments")) {
            Some(Value::String(arguments)) => arguments.clone(),
            Some(arguments @ Value::Object(_)) => arguments.to_string(),
            _ => String::new(),
        };
        match deltas.iter_mut().find(|delta| delta.index == index) {
            Some(delta) => delta.arguments.push_str(&arguments),
            None => deltas.push(ToolCallDelta {
                index,
                id,
                name,
                arguments,
            }),
        }
    }
    deltas
}

fn whole(delta: ToolCallDelta) -> ToolCall {
    ToolCall {
        id: delta.id.unwrap_or_else(|| format!("call_{}", delta.index)),
        name: delta.name.unwrap_or_default(),
        arguments: delta.arguments,
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
