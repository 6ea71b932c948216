//! What is sent.

use insula_core::model::{ChatMessage, ChatRequest, Role};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ChatOption, Quirks, SystemRole, TokenLimitField};

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
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    /// Always there, if need be as `null`: some providers refuse messages without it.
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

/// A text, which everybody understands, or parts, where there are images.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Debug, Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
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
    pub(super) fn new(request: &'a ChatRequest, stream: bool, quirks: &'a Quirks) -> Self {
        let options = &request.options;
        let max = |field| options.max_tokens.filter(|_| field == quirks.token_limit_field);
        let sends = |option| quirks.sends(option);
        Self {
            model: &request.model,
            messages: request
                .messages
                .iter()
                .map(|one| message(one, quirks.system_role))
                .collect(),
            max_tokens: max(TokenLimitField::MaxTokens),
            max_completion_tokens: max(TokenLimitField::MaxCompletionTokens),
            temperature: options.temperature.filter(|_| sends(ChatOption::Temperature)),
            top_p: options
                .top_p
                .filter(|&p| sends(ChatOption::TopP) && !(quirks.top_p_below_one && p >= 1.0)),
            stop: Some(options.stop.as_slice())
                .filter(|_| sends(ChatOption::Stop))
                .unwrap_or_default(),
            presence_penalty: options
                .presence_penalty
                .filter(|_| sends(ChatOption::PresencePenalty)),
            frequency_penalty: options
                .frequency_penalty
                .filter(|_| sends(ChatOption::FrequencyPenalty)),
            seed: options.seed.filter(|_| sends(ChatOption::Seed)),
            tools: &options.tools,
            tool_choice: options
                .tool_choice
                .as_ref()
                .filter(|_| sends(ChatOption::ToolChoice)),
            parallel_tool_calls: options
                .parallel_tool_calls
                .filter(|_| sends(ChatOption::ParallelToolCalls)),
            response_format: options
                .response_format
                .as_ref()
                .filter(|_| sends(ChatOption::ResponseFormat)),
            user: options.user.as_deref().filter(|_| sends(ChatOption::User)),
            stream: stream.then_some(true),
            stream_options: (stream && quirks.stream_usage).then_some(StreamOptions { include_usage: true }),
            extra: &quirks.extra_body,
        }
    }
}

fn message(message: &ChatMessage, system: SystemRole) -> Message<'_> {
    let calls = message.tool_calls.iter().map(|call| Call {
        id: &call.id,
        r#type: "function",
        function: Function {
            name: &call.name,
            arguments: &call.arguments,
        },
    });
    let role = match (message.role, system) {
        (Role::System, SystemRole::System) => "system",
        (Role::System, SystemRole::Developer) => "developer",
        (Role::User, _) => "user",
        (Role::Assistant, _) => "assistant",
        (Role::Tool, _) => "tool",
    };
    Message {
        role,
        content: content(message),
        name: message.name.as_deref(),
        tool_calls: calls.collect(),
        tool_call_id: message.tool_call_id.as_deref(),
    }
}

fn content(message: &ChatMessage) -> Option<Content<'_>> {
    let text = message.content.as_deref();
    if message.images.is_empty() {
        return text.map(Content::Text);
    }
    let text = text
        .filter(|text| !text.is_empty())
        .map(|text| Part::Text { text });
    let images = message.images.iter().map(|image| Part::ImageUrl {
        image_url: ImageUrl {
            url: &image.url,
            detail: image.detail.as_deref(),
        },
    });
    Some(Content::Parts(text.into_iter().chain(images).collect()))
}

#[cfg(test)]
mod tests {
    use insula_core::model::{ChatOptions, Image, ToolCall};
    use serde_json::json;

    use super::super::Flavour;
    use super::*;

    fn wire(messages: Vec<ChatMessage>, options: ChatOptions, stream: bool, quirks: &Quirks) -> Value {
        let request = ChatRequest {
            model: "m".into(),
            messages,
            options,
            passages: Vec::new(),
            grounded: false,
        };
        serde_json::to_value(Body::new(&request, stream, quirks)).expect("JSON")
    }

    #[test]
    fn images_make_parts() {
        let image = |detail: Option<&str>| Image {
            url: "https://example.com/a.png".into(),
            detail: detail.map(str::to_owned),
        };
        let message = ChatMessage {
            images: vec![image(None), image(Some("low"))],
            ..ChatMessage::text(Role::User, "what?")
        };
        let body = wire(vec![message], ChatOptions::default(), false, &Quirks::default());
        let expected = json!([
            {"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        ]);
        assert_eq!(body["messages"][0]["content"], expected);
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let body = wire(
            vec![ChatMessage::text(Role::User, "hi")],
            ChatOptions::default(),
            false,
            &Quirks::default(),
        );
        assert_eq!(
            body,
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        );
    }

    #[test]
    fn streams_ask_for_usage() {
        let body = wire(Vec::new(), ChatOptions::default(), true, &Quirks::default());
        assert_eq!(body["stream"], true);
        assert_eq!(body["stream_options"], json!({"include_usage": true}));
    }

    #[test]
    fn the_token_limit_goes_by_its_right_name() {
        let options = || ChatOptions {
            max_tokens: Some(5),
            ..ChatOptions::default()
        };
        let body = wire(Vec::new(), options(), false, &Quirks::default());
        assert_eq!(
            (&body["max_tokens"], &body["max_completion_tokens"]),
            (&json!(5), &Value::Null)
        );
        let body = wire(Vec::new(), options(), false, &Quirks::of(Flavour::Openai));
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
        let body = wire(vec![asked, result], options, false, &Quirks::default());
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

    #[test]
    fn quirks_change_what_is_sent() {
        let options = ChatOptions {
            seed: Some(1),
            top_p: Some(1.0),
            parallel_tool_calls: Some(false),
            ..ChatOptions::default()
        };
        let quirks = Quirks {
            system_role: SystemRole::Developer,
            unsupported: vec![ChatOption::Seed, ChatOption::ParallelToolCalls],
            stream_usage: false,
            top_p_below_one: true,
            extra_body: Map::from_iter([("reasoning_effort".to_owned(), json!("low"))]),
            ..Quirks::default()
        };
        let body = wire(
            vec![ChatMessage::text(Role::System, "be short")],
            options,
            true,
            &quirks,
        );
        assert_eq!(
            body,
            json!({"model": "m", "messages": [{"role": "developer", "content": "be short"}], "stream": true,
                   "reasoning_effort": "low"})
        );
    }
}
