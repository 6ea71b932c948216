//! A conversation in Anthropic's words.

use insula_core::model::{ChatMessage, Image, Role};
use insula_core::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};

/// A turn of one side; what the same side says next belongs to it.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Debug, Serialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Value,
    },
    ToolResult {
        tool_use_id: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        content: &'a str,
    },
}

#[derive(Debug, Serialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
}

/// The instructions, which stand apart, and the turns.
///
/// Instructions in the middle of a conversation are moved to the others. A call's arguments that are not a JSON
/// object cannot be expressed and are an [`Error::Invalid`].
pub(super) fn turns(messages: &[ChatMessage]) -> Result<(Vec<&str>, Vec<Turn<'_>>)> {
    let mut system = Vec::new();
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for message in messages {
        let text = message.content.as_deref().unwrap_or_default();
        let (role, blocks) = match message.role {
            Role::System => {
                system.extend(Some(text).filter(|text| !text.trim().is_empty()));
                continue;
            }
            Role::User => (
                "user",
                message.images.iter().map(image).chain(said(text)).collect(),
            ),
            Role::Assistant => ("assistant", assistant(message, text)?),
            Role::Tool => {
                let tool_use_id = message.tool_call_id.as_deref().unwrap_or_default();
                let result = Block::ToolResult {
                    tool_use_id,
                    content: text,
                };
                ("user", vec![result])
            }
        };
        // Turns must alternate, and none may be empty.
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.extend(blocks),
            None if blocks.is_empty() => {}
            None => turns.push(Turn {
                role,
                content: blocks,
            }),
        }
    }
    // Instructions alone are no conversation for this API; to others they are.
    if turns.is_empty() {
        let content: Vec<_> = system.drain(..).map(|text| Block::Text { text }).collect();
        if content.is_empty() {
            return Err(Error::invalid("messages", "must have some text for this model."));
        }
        turns.push(Turn {
            role: "user",
            content,
        });
    }
    // An answer that the model is to continue may not end in white space.
    if let Some(Turn {
        role: "assistant",
        content,
    }) = turns.last_mut()
        && let Some(Block::Text { text }) = content.last_mut()
    {
        *text = text.trim_end();
    }
    Ok((system, turns))
}

/// This API wants images before what is asked about them.
fn image(image: &Image) -> Block<'_> {
    let inline = image
        .url
        .strip_prefix("data:")
        .and_then(|data| data.split_once(";base64,"));
    Block::Image {
        source: match inline {
            Some((media_type, data)) => Source::Base64 { media_type, data },
            None => Source::Url { url: &image.url },
        },
    }
}

/// Blank text is refused.
fn said(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text { text })
}

fn assistant<'a>(message: &'a ChatMessage, text: &'a str) -> Result<Vec<Block<'a>>> {
    let mut blocks: Vec<_> = said(text).into_iter().collect();
    for call in &message.tool_calls {
        let input = match call.arguments.trim() {
            "" => json!({}),
            arguments => serde_json::from_str(arguments)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| {
                    let message = format!(
                        "The arguments of the tool call '{}' must be a JSON object for this model.",
                        call.id
                    );
                    Error::invalid("messages", message)
                })?,
        };
        blocks.push(Block::ToolUse {
            id: &call.id,
            name: &call.name,
            input,
        });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use insula_core::model::ToolCall;

    use super::*;

    fn call(arguments: &str) -> ChatMessage {
        ChatMessage {
            tool_calls: vec![ToolCall {
                id: "t1".into(),
                name: "f".into(),
                arguments: arguments.into(),
            }],
            ..ChatMessage::text(Role::Assistant, "")
        }
    }

    fn result(id: &str, text: &str) -> ChatMessage {
        ChatMessage {
            tool_call_id: Some(id.into()),
            ..ChatMessage::text(Role::Tool, text)
        }
    }

    fn wire(messages: &[ChatMessage]) -> (Vec<&str>, Value) {
        let (system, turns) = turns(messages).expect("turns");
        (system, serde_json::to_value(turns).expect("JSON"))
    }

    #[test]
    fn images_go_before_the_text() {
        let image = |url: &str| Image {
            url: url.into(),
            detail: None,
        };
        let message = ChatMessage {
            images: vec![
                image("data:image/png;base64,iVBOR"),
                image("https://example.com/a.png"),
            ],
            ..ChatMessage::text(Role::User, "what?")
        };
        let messages = [message];
        let (_, turns) = wire(&messages);
        let expected = json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "text", "text": "what?"},
        ]);
        assert_eq!(turns[0]["content"], expected);
    }

    #[test]
    fn turns_alternate_and_instructions_stand_apart() {
        let text = ChatMessage::text;
        let messages = [
            text(Role::System, "be short"),
            text(Role::User, "a"),
            text(Role::User, "b"),
            text(Role::System, "be kind"),
            text(Role::User, " "),
            text(Role::Assistant, "c  "),
        ];
        let (system, turns) = wire(&messages);
        assert_eq!(system, ["be short", "be kind"]);
        let expected = json!([
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
        ]);
        assert_eq!(turns, expected);
    }

    #[test]
    fn results_of_several_calls_are_one_turn() {
        let messages = [
            ChatMessage::text(Role::User, "weather?"),
            call("{\"city\":\"Basra\"}"),
            result("t1", "sunny"),
            result("t2", ""),
            ChatMessage::text(Role::User, "and?"),
        ];
        let (_, turns) = wire(&messages);
        assert_eq!(
            turns[1]["content"],
            json!([{"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Basra"}}])
        );
        assert_eq!(
            turns[2]["content"],
            json!([{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
                   {"type": "tool_result", "tool_use_id": "t2"},
                   {"type": "text", "text": "and?"}])
        );
    }

    #[test]
    fn arguments_must_be_an_object() {
        assert!(turns(&[call("")]).is_ok());
        for arguments in ["{", "[1]", "\"x\""] {
            let error = turns(&[call(arguments)]).expect_err("no object").to_string();
            assert!(error.contains("t1"), "{error}");
        }
    }

    #[test]
    fn instructions_alone_become_a_question() {
        let messages = [ChatMessage::text(Role::System, "hello")];
        let (system, turns) = wire(&messages);
        assert!(system.is_empty());
        assert_eq!(turns[0]["role"], "user");
    }
}
