//! Items to the messages that a chat model reads.

use std::collections::BTreeSet;

use super::item::{Item, Message, Part, Speaker};
use crate::model::{ChatMessage, Image, Role, ToolCall};
use crate::{Error, Result};

/// The messages of a conversation, oldest first.
///
/// # Errors
/// [`Error::Invalid`] for a function's output without its call, or a call without its output: models refuse both.
pub(super) fn messages(items: &[Item]) -> Result<Vec<ChatMessage>> {
    check_pairs(items)?;
    let mut messages: Vec<ChatMessage> = Vec::new();
    for item in items {
        match item {
            Item::Message(message) => messages.push(said(message)),
            Item::FunctionCall(call) => {
                let call = ToolCall {
                    id: call.call_id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                };
                // Calls are part of what the assistant said, and one message with all calls of a turn.
                match messages.last_mut() {
                    Some(last) if last.role == Role::Assistant => last.tool_calls.push(call),
                    _ => messages.push(ChatMessage {
                        content: None,
                        tool_calls: vec![call],
                        ..ChatMessage::text(Role::Assistant, "")
                    }),
                }
            }
            Item::FunctionCallOutput(output) => messages.push(ChatMessage {
                tool_call_id: Some(output.call_id.clone()),
                ..ChatMessage::text(Role::Tool, output.output.clone())
            }),
            // What was found then is not before the model any more; it can search again.
            Item::FileSearchCall(_) => {}
        }
    }
    Ok(messages)
}

fn said(message: &Message) -> ChatMessage {
    let role = match message.role {
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
        Speaker::System | Speaker::Developer => Role::System,
    };
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for part in &message.content {
        match part {
            Part::InputText { text } | Part::OutputText { text, .. } => texts.push(text.as_str()),
            Part::Refusal { refusal } => texts.push(refusal),
            Part::InputImage { image_url, detail } => images.push(Image {
                url: image_url.clone(),
                detail: detail.clone(),
            }),
        }
    }
    ChatMessage {
        images,
        ..ChatMessage::text(role, texts.join("\n"))
    }
}

fn check_pairs(items: &[Item]) -> Result<()> {
    let mut open = BTreeSet::new();
    for item in items {
        match item {
            Item::FunctionCall(call) => {
                open.insert(call.call_id.as_str());
            }
            Item::FunctionCallOutput(output) if !open.remove(output.call_id.as_str()) => {
                return Err(Error::invalid(
                    "input",
                    format!(
                        "No tool call found for function call output with call_id {}.",
                        output.call_id
                    ),
                ));
            }
            _ => {}
        }
    }
    match open.first() {
        Some(call_id) => Err(Error::invalid(
            "input",
            format!("No tool output found for function call {call_id}."),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Item {
        Item::message(Speaker::User, vec![Part::InputText { text: text.into() }])
    }

    fn call(id: &str) -> Item {
        Item::function_call(id.into(), "f".into(), "{}".into())
    }

    fn output(id: &str) -> Item {
        Item::function_call_output(id.into(), "42".into())
    }

    #[test]
    fn calls_of_a_turn_are_one_message_with_what_was_said() {
        let answer = Part::OutputText {
            text: "Wait.".into(),
            annotations: vec![],
        };
        let items = [
            user("q"),
            Item::file_search_call(vec!["q".into()]),
            Item::message(Speaker::Assistant, vec![answer]),
            call("a"),
            call("b"),
            output("b"),
            output("a"),
            call("c"),
            output("c"),
        ];
        let messages = messages(&items).unwrap();
        let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
        let expected = [
            Role::User,
            Role::Assistant,
            Role::Tool,
            Role::Tool,
            Role::Assistant,
            Role::Tool,
        ];
        assert_eq!(roles, expected);
        assert_eq!(messages[1].content.as_deref(), Some("Wait."));
        assert_eq!(messages[1].tool_calls.len(), 2);
        assert_eq!((&messages[4].content, messages[4].tool_calls.len()), (&None, 1));
        assert_eq!(messages[5].tool_call_id.as_deref(), Some("c"));
    }

    #[test]
    fn half_of_a_call_is_refused() {
        for items in [
            vec![user("q"), output("a")],
            vec![call("a")],
            vec![output("a"), call("a")],
        ] {
            assert!(
                matches!(messages(&items), Err(Error::Invalid { param: Some(param), .. }) if param == "input")
            );
        }
    }
}
