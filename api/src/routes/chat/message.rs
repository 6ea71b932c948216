//! Messages of a conversation.

use insula_core::Error;
use insula_core::model::{ChatMessage, Image, Role, ToolCall};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::validate::{count, required, text, unsupported};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ChatCompletionRole)]
pub enum RoleParam {
    /// Instructions.
    System,
    /// Instructions, under their newer name.
    Developer,
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// The result of a call by the former `function_call`.
    Function,
}

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatCompletionRequestMessage)]
pub struct MessageParam {
    /// Who speaks.
    pub role: RoleParam,
    /// A text, or text parts. May be absent beside `tool_calls`.
    pub content: Option<Content>,
    /// Name of the participant, or of the function.
    pub name: Option<String>,
    /// What the assistant refused to say.
    pub refusal: Option<String>,
    /// Calls that the assistant made.
    pub tool_calls: Option<Vec<ToolCallParam>>,
    /// The call that a tool message answers.
    pub tool_call_id: Option<String>,
    #[schema(ignore)]
    function_call: Option<FunctionParam>,
}

/// A text, or parts of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionRequestContent)]
#[serde(untagged)]
pub enum Content {
    /// A text.
    Text(String),
    /// Parts: texts and, in messages of users, images.
    Parts(Vec<ContentPart>),
}

/// A part of a message.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatCompletionRequestContentPart)]
pub struct ContentPart {
    /// `text`, `image_url` in messages of users, or `refusal` in those of assistants.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The text.
    pub text: Option<String>,
    /// The refusal.
    pub refusal: Option<String>,
    /// The image. Only models with the capability `vision` look at one.
    pub image_url: Option<ImageParam>,
}

/// An image.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatCompletionRequestImage)]
pub struct ImageParam {
    /// Where the model's provider finds it, or the image itself as `data:image/…;base64,…`.
    pub url: Option<String>,
    /// How closely to look: `auto`, `low` or `high`.
    pub detail: Option<String>,
}

/// A call that the assistant made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatCompletionMessageToolCallParam)]
pub struct ToolCallParam {
    /// Id of the call.
    pub id: Option<String>,
    /// `function`
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What was called.
    pub function: Option<FunctionParam>,
}

/// A function and its arguments.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatCompletionFunctionCallParam)]
pub struct FunctionParam {
    /// Name of the function.
    pub name: String,
    /// Arguments, as JSON text.
    pub arguments: Option<String>,
}

// By hand, because an untagged enum loses the path and the reason of what is wrong inside it.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Content, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(parts)).map(Content::Parts)
            }
        }

        deserializer.deserialize_any(ContentVisitor)
    }
}

/// The conversation in the domain's words.
pub(super) fn convert(messages: Vec<MessageParam>) -> Result<Vec<ChatMessage>, Error> {
    messages
        .into_iter()
        .enumerate()
        .map(|(i, message)| one(&format!("messages[{i}]"), message))
        .collect()
}

fn one(at: &str, message: MessageParam) -> Result<ChatMessage, Error> {
    let MessageParam {
        role,
        content,
        name,
        refusal,
        tool_calls,
        tool_call_id,
        function_call,
    } = message;
    if let Some(name) = &name {
        text(&format!("{at}.name"), name, 256)?;
    }
    let content_at = format!("{at}.content");
    let mut images = Vec::new();
    let content = content
        .map(|content| join(&content_at, content, role, &mut images))
        .transpose()?;
    let plain = |role| -> Result<ChatMessage, Error> {
        let content = Some(required(&content_at, content.clone())?);
        Ok(ChatMessage {
            role,
            content,
            images: Vec::new(),
            name: name.clone(),
            tool_calls: Vec::new(),
            tool_call_id: None,
        })
    };
    match role {
        RoleParam::System | RoleParam::Developer => plain(Role::System),
        RoleParam::User => Ok(ChatMessage {
            images,
            ..plain(Role::User)?
        }),
        RoleParam::Tool => {
            let id = required(&format!("{at}.tool_call_id"), tool_call_id)?;
            Ok(ChatMessage {
                tool_call_id: Some(id),
                ..plain(Role::Tool)?
            })
        }
        RoleParam::Function => {
            let function = required(&format!("{at}.name"), name.as_deref())?;
            Ok(ChatMessage {
                tool_call_id: Some(former_call_id(function)),
                name: None,
                ..plain(Role::Tool)?
            })
        }
        RoleParam::Assistant => {
            let mut calls = tool_calls
                .unwrap_or_default()
                .into_iter()
                .enumerate()
                .map(|(i, call)| tool_call(&format!("{at}.tool_calls[{i}]"), call))
                .collect::<Result<Vec<_>, _>>()?;
            if let Some(FunctionParam { name, arguments }) = function_call {
                let arguments = arguments.unwrap_or_default();
                calls.push(ToolCall {
                    id: former_call_id(&name),
                    name,
                    arguments,
                });
            }
            let content = content.or(refusal);
            if content.is_none() && calls.is_empty() {
                return required(&content_at, None);
            }
            Ok(ChatMessage {
                role: Role::Assistant,
                content,
                images: Vec::new(),
                name,
                tool_calls: calls,
                tool_call_id: None,
            })
        }
    }
}

/// Former function calls had no id; the name ties the call to its result.
fn former_call_id(function: &str) -> String {
    format!("call_{function}")
}

fn tool_call(at: &str, call: ToolCallParam) -> Result<ToolCall, Error> {
    if let Some(kind) = call.kind.as_deref()
        && kind != "function"
    {
        return Err(unsupported(
            &format!("{at}.type"),
            "A tool call of a type other than 'function'",
        ));
    }
    let function = required(&format!("{at}.function"), call.function)?;
    Ok(ToolCall {
        id: required(&format!("{at}.id"), call.id)?,
        name: function.name,
        arguments: function.arguments.unwrap_or_default(),
    })
}

/// The texts of all parts, joined by newlines; images are added to `images`.
fn join(at: &str, content: Content, role: RoleParam, images: &mut Vec<Image>) -> Result<String, Error> {
    let parts = match content {
        Content::Text(text) => return Ok(text),
        Content::Parts(parts) => parts,
    };
    count(at, parts.len(), 1..=10_000)?;
    let mut texts = Vec::with_capacity(parts.len());
    for (i, part) in parts.into_iter().enumerate() {
        let at = format!("{at}[{i}]");
        match (part.kind.as_deref(), role) {
            (Some("text"), _) => texts.push(required(&format!("{at}.text"), part.text)?),
            (Some("refusal"), RoleParam::Assistant) => {
                texts.push(required(&format!("{at}.refusal"), part.refusal)?);
            }
            (Some("image_url"), RoleParam::User) => {
                let at = format!("{at}.image_url");
                images.push(image(&at, &format!("{at}.url"), required(&at, part.image_url)?)?);
            }
            (Some("image_url" | "input_audio" | "file"), _) => {
                return Err(unsupported(
                    &format!("{at}.type"),
                    "Content of this type, in this place,",
                ));
            }
            (Some(_), _) => {
                let message = format!("Invalid value for '{at}.type'. Supported values are: 'text'.");
                return Err(Error::invalid(format!("{at}.type"), message));
            }
            (None, _) => return required(&format!("{at}.type"), None),
        }
    }
    Ok(texts.join("\n"))
}

/// Nobody fetches an image here, but what is no address of one is told at once. `at` is where its detail is.
pub(in crate::routes) fn image(at: &str, url_at: &str, param: ImageParam) -> Result<Image, Error> {
    let url = required(url_at, param.url)?;
    let inline = url
        .strip_prefix("data:image/")
        .and_then(|data| data.split_once(";base64,"))
        .is_some_and(|(_, data)| !data.is_empty());
    let remote = ["https://", "http://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !inline && !remote {
        let message = format!("Invalid value for '{url_at}': expected a URL, or 'data:image/…;base64,…'.");
        return Err(Error::invalid(url_at, message));
    }
    if let Some(detail) = param.detail.as_deref()
        && !["auto", "low", "high"].contains(&detail)
    {
        let at = format!("{at}.detail");
        let message = format!("Invalid value for '{at}'. Supported values are: 'auto', 'low' and 'high'.");
        return Err(Error::invalid(at, message));
    }
    Ok(Image {
        url,
        detail: param.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Deserialize)]
    struct Body {
        messages: Vec<MessageParam>,
    }

    fn check(message: Value) -> Result<ChatMessage, Error> {
        let body = json!({"messages": [message]}).to_string();
        let mut messages = convert(crate::http::parse_json::<Body>(body.as_bytes())?.messages)?;
        Ok(messages.remove(0))
    }

    #[test]
    fn texts_and_parts_become_one_text() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let message = check(json!({"role": "user", "name": "ada", "content": parts})).unwrap();
        assert_eq!(
            (message.content.as_deref(), message.name.as_deref()),
            (Some("a\nb"), Some("ada"))
        );
        assert_eq!(
            check(json!({"role": "developer", "content": "x"})).unwrap().role,
            Role::System
        );
    }

    #[test]
    fn images_of_users_are_kept_and_others_refused() {
        let parts = |part: Value| json!([{"type": "text", "text": "what?"}, part]);
        let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
        let user = |part: Value| check(json!({"role": "user", "content": parts(part)}));
        for url in ["https://example.com/a.png", "data:image/png;base64,iVBOR"] {
            let message = user(image(url)).unwrap();
            assert_eq!(
                (message.content.as_deref(), message.images.len()),
                (Some("what?"), 1)
            );
            assert_eq!(message.images[0].url, url);
        }
        for (part, param) in [
            (
                image("file:///etc/passwd"),
                "messages[0].content[1].image_url.url",
            ),
            (
                image("data:text/html;base64,x"),
                "messages[0].content[1].image_url.url",
            ),
            (json!({"type": "image_url"}), "messages[0].content[1].image_url"),
            (
                json!({"type": "image_url", "image_url": {"url": "https://x", "detail": "huge"}}),
                "messages[0].content[1].image_url.detail",
            ),
            (json!({"type": "input_audio"}), "messages[0].content[1].type"),
        ] {
            let Err(Error::Invalid { param: found, .. }) = user(part) else {
                panic!("{param}")
            };
            assert_eq!(found.as_deref(), Some(param));
        }
        let system = json!({"role": "system", "content": parts(image("https://example.com/a.png"))});
        assert!(check(system).is_err());
    }

    #[test]
    fn tool_calls_and_their_results_are_kept() {
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let message = check(json!({"role": "assistant", "content": null, "tool_calls": [call]})).unwrap();
        let expected = ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            arguments: "{}".into(),
        };
        assert_eq!((message.content, message.tool_calls), (None, vec![expected]));
        let result = check(json!({"role": "tool", "tool_call_id": "call_1", "content": "42"})).unwrap();
        assert_eq!(
            (result.role, result.tool_call_id.as_deref()),
            (Role::Tool, Some("call_1"))
        );
    }

    #[test]
    fn former_function_calls_meet_their_results() {
        let call = json!({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}});
        let result = json!({"role": "function", "name": "f", "content": "42"});
        assert_eq!(
            Some(check(call).unwrap().tool_calls[0].id.clone()),
            check(result).unwrap().tool_call_id
        );
    }

    #[test]
    fn refusals_name_the_field() {
        for (message, wanted) in [
            (json!({"content": "x"}), "messages[0].role"),
            (json!({"role": "robot", "content": "x"}), "messages[0].role"),
            (json!({"role": 7, "content": "x"}), "messages[0].role"),
            (json!({"role": "user"}), "messages[0].content"),
            (json!({"role": "user", "content": null}), "messages[0].content"),
            (json!({"role": "user", "content": 5}), "messages[0].content"),
            (json!({"role": "user", "content": []}), "messages[0].content"),
            (
                json!({"role": "user", "content": ["x"]}),
                "messages[0].content[0]",
            ),
            (
                json!({"role": "user", "content": [{"text": "x"}]}),
                "messages[0].content[0].type",
            ),
            (
                json!({"role": "user", "content": [{"type": "text"}]}),
                "messages[0].content[0].text",
            ),
            (
                json!({"role": "user", "content": [{"type": "image_url"}]}),
                "messages[0].content[0].image_url",
            ),
            (
                json!({"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}),
                "messages[0].content[0].type",
            ),
            (json!({"role": "assistant"}), "messages[0].content"),
            (
                json!({"role": "assistant", "tool_calls": [{"id": "a"}]}),
                "messages[0].tool_calls[0].function",
            ),
            (
                json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {}}]}),
                "messages[0].tool_calls[0].type",
            ),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}),
                "messages[0].tool_calls[0].function.arguments",
            ),
            (
                json!({"role": "tool", "content": "x"}),
                "messages[0].tool_call_id",
            ),
            (json!({"role": "function", "content": "x"}), "messages[0].name"),
        ] {
            match check(message.clone()) {
                Err(Error::Invalid {
                    param: Some(param),
                    message: text,
                    ..
                }) => {
                    assert_eq!(param, wanted, "{message}");
                    assert!(!text.contains("variant") && !text.contains("struct"), "{text}");
                }
                other => panic!("{message} gave {other:?}"),
            }
        }
    }
}
