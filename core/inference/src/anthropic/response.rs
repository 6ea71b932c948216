//! What comes back in one piece.

use insula_core::Result;
use insula_core::model::{Completion, FinishReason, TokenUsage, ToolCall};
use serde_json::Value;

use crate::upstream::Provider;

/// Reads a whole answer. The arguments of `answer_tool` are its text.
pub(super) fn completion(provider: &Provider, body: &[u8], answer_tool: Option<&str>) -> Result<Completion> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| provider.broken("sent an answer that is not JSON"))?;
    if body["type"] == "error" {
        return Err(provider.reported(&body["error"]));
    }
    let blocks = body["content"]
        .as_array()
        .ok_or_else(|| provider.broken("sent an answer without content"))?;
    let mut completion = Completion {
        usage: usage(&body["usage"], TokenUsage::default()),
        ..Completion::default()
    };
    let mut text: Option<String> = None;
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => {
                let part = block["text"].as_str().unwrap_or_default();
                text.get_or_insert_default().push_str(part);
            }
            Some("tool_use") if block["name"].as_str() == answer_tool && answer_tool.is_some() => {
                text.get_or_insert_default().push_str(&block["input"].to_string());
            }
            Some("tool_use") => completion.tool_calls.push(tool_call(block)),
            // Thinking is not passed on.
            _ => {}
        }
    }
    completion.content = text.filter(|text| !text.is_empty() || completion.tool_calls.is_empty());
    let reason = body["stop_reason"]
        .as_str()
        .map_or(FinishReason::Stop, finish_reason);
    completion.finish_reason = Some(settle(reason, !completion.tool_calls.is_empty()));
    Ok(completion)
}

fn tool_call(block: &Value) -> ToolCall {
    let word = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
    let input = &block["input"];
    ToolCall {
        id: word("id"),
        name: word("name"),
        arguments: if input.is_object() {
            input.to_string()
        } else {
            "{}".to_owned()
        },
    }
}

/// What a stop reason means. Words that nobody knows mean that the model was done.
pub(super) fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

/// A call of the answer tool is no call to the client.
pub(super) fn settle(reason: FinishReason, calls: bool) -> FinishReason {
    match reason {
        FinishReason::ToolCalls if !calls => FinishReason::Stop,
        reason => reason,
    }
}

/// The numbers of a usage object on top of those that are known; each is a sum so far. `None` if it has none.
///
/// What was written to the cache or read from it is part of the prompt, as in OpenAI's count.
pub(super) fn usage(usage: &Value, known: TokenUsage) -> Option<TokenUsage> {
    let count = |name: &str| usage[name].as_u64();
    let input = count("input_tokens").map(|input| {
        let written = count("cache_creation_input_tokens").unwrap_or(0);
        let read = count("cache_read_input_tokens").unwrap_or(0);
        (input.saturating_add(written).saturating_add(read), read)
    });
    let output = count("output_tokens");
    if input.is_none() && output.is_none() {
        return None;
    }
    let (prompt_tokens, cached_tokens) = input.unwrap_or((known.prompt_tokens, known.cached_tokens));
    Some(TokenUsage {
        prompt_tokens,
        cached_tokens,
        completion_tokens: output.unwrap_or(known.completion_tokens),
        reasoning_tokens: usage["output_tokens_details"]["thinking_tokens"]
            .as_u64()
            .unwrap_or(known.reasoning_tokens),
    })
}

#[cfg(test)]
mod tests {
    use insula_core::Error;
    use serde_json::json;

    use super::*;

    fn read(body: &Value, tool: Option<&str>) -> Result<Completion> {
        let provider = Provider::new("acme".into(), Vec::new());
        completion(&provider, body.to_string().as_bytes(), tool)
    }

    fn answer(content: Value, reason: &str) -> Value {
        json!({"type": "message", "role": "assistant", "content": content, "stop_reason": reason,
               "usage": {"input_tokens": 5, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3,
                         "output_tokens": 7}})
    }

    #[test]
    fn text_and_usage() {
        let content = json!([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"},
                             {"type": "text", "text": "b"}]);
        let completion = read(&answer(content, "end_turn"), None).expect("an answer");
        assert_eq!(completion.content.as_deref(), Some("ab"));
        assert_eq!(completion.finish_reason, Some(FinishReason::Stop));
        let usage = TokenUsage {
            prompt_tokens: 10,
            completion_tokens: 7,
            cached_tokens: 3,
            reasoning_tokens: 0,
        };
        assert_eq!(completion.usage, Some(usage));
    }

    #[test]
    fn calls_of_tools() {
        let content = json!([{"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
                             {"type": "tool_use", "id": "t2", "name": "g", "input": {}}]);
        let completion = read(&answer(content, "tool_use"), None).expect("an answer");
        assert_eq!(completion.content, None);
        assert_eq!(completion.finish_reason, Some(FinishReason::ToolCalls));
        let calls: Vec<_> = completion
            .tool_calls
            .iter()
            .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
            .collect();
        assert_eq!(calls, [("t1", "f", "{\"x\":1}"), ("t2", "g", "{}")]);
    }

    #[test]
    fn the_answer_tool_is_the_answer() {
        let content = json!([{"type": "tool_use", "id": "t1", "name": "answer", "input": {"x": 1}}]);
        let completion = read(&answer(content, "tool_use"), Some("answer")).expect("an answer");
        assert_eq!(completion.content.as_deref(), Some("{\"x\":1}"));
        assert!(completion.tool_calls.is_empty());
        assert_eq!(completion.finish_reason, Some(FinishReason::Stop));
    }

    #[test]
    fn stop_reasons() {
        for (reason, expected) in [
            ("end_turn", FinishReason::Stop),
            ("stop_sequence", FinishReason::Stop),
            ("pause_turn", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("model_context_window_exceeded", FinishReason::Length),
            ("refusal", FinishReason::ContentFilter),
            ("something new", FinishReason::Stop),
        ] {
            let completion = read(&answer(json!([]), reason), None).expect("an answer");
            assert_eq!(completion.finish_reason, Some(expected), "{reason}");
        }
    }

    #[test]
    fn anything_else_is_an_upstream_failure() {
        let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "no"}});
        assert!(matches!(
            read(&overloaded, None),
            Err(Error::Upstream {
                status: Some(529),
                ..
            })
        ));
        for body in [json!({}), json!("hello"), json!({"content": "hello"})] {
            assert!(matches!(read(&body, None), Err(Error::Upstream { .. })), "{body}");
        }
    }
}
