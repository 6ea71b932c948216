//! What is sent.

use insula_core::model::{ChatMessage, ChatRequest, Role};
use serde::Serialize;
use serde_json::Value;

use super::TokenLimitField;

/// The body of `POST /chat/completions`. What is not set is left to the provider.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    tools: &'a [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: Role,
    /// Always there, if need be as `null`: some providers refuse messages without it.
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &'a ChatRequest, stream: bool, limit: TokenLimitField) -> Self {
        let options = &request.options;
        let max = |field| options.max_tokens.filter(|_| field == limit);
        Self {
            model: &request.model,
            messages: request.messages.iter().map(message).collect(),
            max_tokens: max(TokenLimitField::MaxTokens),
            max_completion_tokens: max(TokenLimitField::MaxCompletionTokens),
            temperature: options.temperature,
            top_p: options.top_p,
            stop: &options.stop,
            presence_penalty: options.presence_penalty,
            frequency_penalty: options.frequency_penalty,
            seed: options.seed,
            tools: &options.tools,
            tool_choice: options.tool_choice.as_ref(),
            parallel_tool_calls: options.parallel_tool_calls,
            response_format: options.response_format.as_ref(),
            user: options.user.as_deref(),
            stream: stream.then_some(true),
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
        }
    }
}

fn message(message: &ChatMessage) -> Message<'_> {
    let calls = message.tool_calls.iter().map(|call| Call {
        id: &call.id,
        r#type: "function",
        function: Function {
            name: &call.name,
            arguments: &call.arguments,
        },
    });
    Message {
        role: message.role,
        content: message.content.as_deref(),
        name: message.name.as_deref(),
        tool_calls: calls.collect(),
        tool_call_id: message.tool_call_id.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use insula_core::model::{ChatOptions, ToolCall};
    use serde_json::json;

    use super::*;

    fn wire(messages: Vec<ChatMessage>, options: ChatOptions, stream: bool, limit: TokenLimitField) -> Value {
        let request = ChatRequest {
            model: "m".into(),
            messages,
            options,
            passages: Vec::new(),
            grounded: false,
        };
        serde_json::to_value(Body::new(&request, stream, limit)).expect("JSON")
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let body = wire(
            vec![ChatMessage::text(Role::User, "hi")],
            ChatOptions::default(),
            false,
            TokenLimitField::MaxTokens,
        );
        assert_eq!(
            body,
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        );
    }

    #[test]
    fn streams_ask_for_usage() {
        let body = wire(
            Vec::new(),
            ChatOptions::default(),
            true,
            TokenLimitField::MaxTokens,
        );
        assert_eq!(body["stream"], true);
        assert_eq!(body["stream_options"], json!({"include_usage": true}));
    }

    #[test]
    fn the_token_limit_goes_by_its_right_name() {
        let options = || ChatOptions {
            max_tokens: Some(5),
            ..ChatOptions::default()
        };
        let body = wire(Vec::new(), options(), false, TokenLimitField::MaxTokens);
        assert_eq!(
            (&body["max_tokens"], &body["max_completion_tokens"]),
            (&json!(5), &Value::Null)
        );
        let body = wire(Vec::new(), options(), false, TokenLimitField::MaxCompletionTokens);
        assert_eq!(
            (&body["max_tokens"], &body["max_completion_tokens"]),
            (&Value::Null, &json!(5))
        );
    }

    #[test]
    fn tools_and_their_results_pass_through() {
        let call = ToolCall {
            id: "c1".into(),
            name: "f".into(),
            arguments: "{\"a\":1}".into(),
        };
        let asked = ChatMessage {
            content: None,
            tool_calls: vec![call],
            ..ChatMessage::text(Role::Assistant, "")
        };
        let result = ChatMessage {
            tool_call_id: Some("c1".into()),
            ..ChatMessage::text(Role::Tool, "2")
        };
        let options = ChatOptions {
            tools: vec![json!({"type": "function", "function": {"name": "f"}})],
            tool_choice: Some(json!("required")),
            response_format: Some(json!({"type": "json_object"})),
            stop: vec!["END".into()],
            ..ChatOptions::default()
        };
        let body = wire(vec![asked, result], options, false, TokenLimitField::MaxTokens);
        let function = json!({"name": "f", "arguments": "{\"a\":1}"});
        assert_eq!(
            body["messages"],
            json!([
                {"role": "assistant", "content": null,
                 "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
                {"role": "tool", "content": "2", "tool_call_id": "c1"},
            ])
        );
        assert_eq!(body["tool_choice"], "required");
        assert_eq!(body["tools"][0]["function"]["name"], "f");
        assert_eq!(body["response_format"]["type"], "json_object");
        assert_eq!(body["stop"], json!(["END"]));
    }
}
