//! Items as clients send them.

use insula_core::Error;
use insula_core::response::{Input, Item, Part, Speaker};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::validate::{count, no_nul, required, unsupported};
use crate::routes::wire::TextOr;

/// Most items of one call.
const MAX_ITEMS: usize = 10_000;

/// An item of the input: a message, a function's call or its output, or what an earlier answer held.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ResponseInputItem)]
pub struct InputItem {
    /// `message` (also when absent), `function_call`, `function_call_output`, `file_search_call`, `reasoning` or
    /// `item_reference`.
    #[serde(rename = "type")]
    #[schema(example = "message")]
    pub kind: Option<String>,
    /// Who speaks: `user`, `assistant`, `system` or `developer`.
    #[schema(example = "user")]
    pub role: Option<String>,
    /// What is said: a text, or its parts.
    #[schema(value_type = Option<ContentParam>)]
    pub content: Option<TextOr<InputPart>>,
    /// Of `item_reference`: the stored item. Others are given new ids.
    #[schema(ignore)]
    id: Option<String>,
    /// Of a function's call, and its output.
    pub call_id: Option<String>,
    /// Of a function's call: the function.
    pub name: Option<String>,
    /// Of a function's call: JSON text.
    #[schema(value_type = Option<String>)]
    pub arguments: Option<Value>,
    /// What a function answered: a text, or its parts.
    #[schema(value_type = Option<ContentParam>)]
    pub output: Option<TextOr<InputPart>>,
    /// Of a search.
    #[schema(ignore)]
    queries: Option<Vec<String>>,
}

/// A text, or parts of one.
#[derive(ToSchema)]
#[schema(as = ResponseInputContent)]
#[expect(dead_code, reason = "only its schema is used: `TextOr` is read by hand")]
#[serde(untagged)]
pub(super) enum ContentParam {
    /// A text.
    Text(String),
    /// Its parts.
    Parts(Vec<InputPart>),
}

/// A part of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ResponseInputPart)]
pub struct InputPart {
    /// `input_text` or `input_image`; `output_text` or `refusal` in messages of assistants.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The text.
    pub text: Option<String>,
    /// The refusal.
    pub refusal: Option<String>,
    /// The image: `https://…`, or `data:image/…;base64,…`. Only models with the capability `vision` look at one.
    pub image_url: Option<String>,
    /// How closely to look: `auto`, `low` or `high`.
    pub detail: Option<String>,
}

/// The input in the domain's words.
pub(in crate::routes) fn convert(input: TextOr<InputItem>) -> Result<Vec<Input>, Error> {
    let items = match input {
        TextOr::Text(text) => {
            no_nul("input", &text)?;
            return Ok(vec![Input::Item(Item::message(
                Speaker::User,
                vec![Part::InputText { text }],
            ))]);
        }
        TextOr::Many(items) => items,
    };
    count("input", items.len(), 1..=MAX_ITEMS)?;
    convert_items("input", items)
}

/// Items of a list at that path. What an answer is thought to hold, but nobody can read, is left out.
pub(in crate::routes) fn convert_items(at: &str, items: Vec<InputItem>) -> Result<Vec<Input>, Error> {
    let mut converted = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        converted.extend(one(&format!("{at}[{i}]"), item)?);
    }
    Ok(converted)
}

fn one(at: &str, item: InputItem) -> Result<Option<Input>, Error> {
    let kind = item.kind.clone().or_else(|| {
        // The one kind besides messages whose `type` may be absent.
        (item.role.is_none() && item.id.is_some()).then(|| "item_reference".to_owned())
    });
    let item = match kind.as_deref() {
        None | Some("message") => message(at, item)?,
        Some("function_call") => {
            let arguments = match item.arguments {
                None => String::new(),
                Some(Value::String(text)) => text,
                Some(_) => return Err(wrong_type(&format!("{at}.arguments"), "a string")),
            };
            let arguments = stored(&format!("{at}.arguments"), arguments)?;
            let call_id = name(&format!("{at}.call_id"), item.call_id)?;
            Item::function_call(call_id, name(&format!("{at}.name"), item.name)?, arguments)
        }
        Some("function_call_output") => {
            let output_at = format!("{at}.output");
            let output = match required(&output_at, item.output)? {
                TextOr::Text(text) => stored(&output_at, text)?,
                TextOr::Many(parts) => texts(&output_at, parts)?,
            };
            Item::function_call_output(name(&format!("{at}.call_id"), item.call_id)?, output)
        }
        Some("file_search_call") => {
            let queries = item.queries.unwrap_or_default();
            for (n, query) in queries.iter().enumerate() {
                no_nul(&format!("{at}.queries[{n}]"), query)?;
            }
            Item::file_search_call(queries)
        }
        // What a model thought is of use to that model only, and it has no way to take it back.
        Some("reasoning") => return Ok(None),
        Some("item_reference") => {
            let param = format!("{at}.id");
            let id = required(&param, item.id)?.chars().take(100).collect();
            return Ok(Some(Input::Reference { id, param }));
        }
        Some(_) => return Err(unsupported(&format!("{at}.type"), "An item of this type")),
    };
    Ok(Some(Input::Item(item)))
}

fn message(at: &str, item: InputItem) -> Result<Item, Error> {
    let role_at = format!("{at}.role");
    let role = match required(&role_at, item.role)?.as_str() {
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        "system" => Speaker::System,
        "developer" => Speaker::Developer,
        _ => {
            let known = "'user', 'assistant', 'system', 'developer'";
            let message = format!("Invalid value for '{role_at}'. Supported values are: {known}.");
            return Err(Error::invalid(role_at, message));
        }
    };
    let content_at = format!("{at}.content");
    let content = match required(&content_at, item.content)? {
        TextOr::Text(text) => vec![text_part(role, stored(&content_at, text)?)],
        TextOr::Many(parts) => {
            count(&content_at, parts.len(), 1..=MAX_ITEMS)?;
            let parts = parts.into_iter().enumerate();
            parts
                .map(|(i, part)| content_part(&format!("{content_at}[{i}]"), role, part))
                .collect::<Result<_, _>>()?
        }
    };
    Ok(Item::message(role, content))
}

fn text_part(role: Speaker, text: String) -> Part {
    match role {
        Speaker::Assistant => Part::OutputText {
            text,
            annotations: Vec::new(),
        },
        _ => Part::InputText { text },
    }
}

fn content_part(at: &str, role: Speaker, part: InputPart) -> Result<Part, Error> {
    let text = |text| stored(&format!("{at}.text"), required(&format!("{at}.text"), text)?);
    match (required(&format!("{at}.type"), part.kind)?.as_str(), role) {
        ("input_text" | "output_text" | "text", _) => Ok(text_part(role, text(part.text)?)),
        ("refusal", Speaker::Assistant) => {
            let at = format!("{at}.refusal");
            Ok(Part::Refusal {
                refusal: stored(&at, required(&at, part.refusal)?)?,
            })
        }
        ("input_image", Speaker::User) => {
            let image_at = format!("{at}.image_url");
            let image_url = stored(&image_at, required(&image_at, part.image_url)?)?;
            let param = crate::routes::chat::ImageParam {
                url: Some(image_url),
                detail: part.detail,
            };
            let image = crate::routes::chat::image(at, &image_at, param)?;
            Ok(Part::InputImage {
                image_url: image.url,
                detail: image.detail,
            })
        }
        ("input_image" | "input_file" | "input_audio", _) => Err(unsupported(
            &format!("{at}.type"),
            "Content of this type, in this place,",
        )),
        _ => {
            let at = format!("{at}.type");
            let known = "'input_text', 'input_image', 'output_text', 'refusal'";
            let message = format!("Invalid value for '{at}'. Supported values are: {known}.");
            Err(Error::invalid(at, message))
        }
    }
}

/// The texts of a function's output. Models read text there and nothing else.
fn texts(at: &str, parts: Vec<InputPart>) -> Result<String, Error> {
    let mut texts = Vec::with_capacity(parts.len());
    for (i, part) in parts.into_iter().enumerate() {
        let at = format!("{at}[{i}]");
        match part.kind.as_deref() {
            Some("input_text" | "output_text" | "text") => {
                let at = format!("{at}.text");
                texts.push(stored(&at, required(&at, part.text)?)?);
            }
            _ => {
                return Err(unsupported(
                    &format!("{at}.type"),
                    "Output of a function other than text",
                ));
            }
        }
    }
    Ok(texts.join("\n"))
}

fn name(at: &str, name: Option<String>) -> Result<String, Error> {
    let name = required(at, name)?;
    crate::http::validate::name(at, &name, 256)?;
    Ok(name)
}

/// A text that can be stored.
fn stored(at: &str, text: String) -> Result<String, Error> {
    no_nul(at, &text)?;
    Ok(text)
}

pub(super) fn wrong_type(param: &str, expected: &str) -> Error {
    Error::Invalid {
        message: format!("Invalid type for '{param}': expected {expected}."),
        param: Some(param.into()),
        code: Some("invalid_type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Deserialize)]
    struct Body {
        input: TextOr<InputItem>,
    }

    fn read(input: Value) -> Result<Vec<Input>, Error> {
        let body = json!({ "input": input }).to_string();
        convert(crate::http::parse_json::<Body>(body.as_bytes())?.input)
    }

    fn items(input: Value) -> Vec<Value> {
        let bare = |input| match input {
            Input::Item(item) => {
                let mut value = serde_json::to_value(item).unwrap();
                value.as_object_mut().unwrap().remove("id");
                value.as_object_mut().unwrap().remove("status");
                value
            }
            Input::Reference { id, param } => json!([id, param]),
        };
        read(input).unwrap().into_iter().map(bare).collect()
    }

    #[test]
    fn texts_and_items_of_all_kinds_are_read() {
        let user =
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]});
        assert_eq!(items(json!("q")), std::slice::from_ref(&user));
        assert_eq!(items(json!([{"role": "user", "content": "q"}])), [user]);
        let replayed = json!([
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "id": "msg_x", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}]},
            {"type": "file_search_call", "id": "fs_1", "queries": ["q"], "status": "completed", "results": null},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": null, "status": null},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "42"}]},
            {"type": "item_reference", "id": "msg_9"},
        ]);
        let expected = [
            json!({"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "annotations": []}, {"type": "refusal", "refusal": "no"},
            ]}),
            json!({"type": "file_search_call", "queries": ["q"], "results": []}),
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
            json!({"type": "function_call_output", "call_id": "c", "output": "42"}),
            json!(["msg_9", "input[5].id"]),
        ];
        assert_eq!(items(replayed), expected);
    }

    #[test]
    fn refusals_name_the_field() {
        for (input, wanted) in [
            (json!([]), "input"),
            (json!(7), "input"),
            (json!("a\0"), "input"),
            (json!([{"role": "user"}]), "input[0].content"),
            (json!([{"content": "x"}]), "input[0].role"),
            (json!([{"role": "robot", "content": "x"}]), "input[0].role"),
            (json!([{"role": "user", "content": []}]), "input[0].content"),
            (
                json!([{"role": "user", "content": [{"text": "x"}]}]),
                "input[0].content[0].type",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_text"}]}]),
                "input[0].content[0].text",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]),
                "input[0].content[0].type",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_image", "image_url": "file:///x"}]}]),
                "input[0].content[0].image_url",
            ),
            (json!([{"type": "computer_call"}]), "input[0].type"),
            (
                json!([{"type": "function_call", "call_id": "c"}]),
                "input[0].name",
            ),
            (
                json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]),
                "input[0].arguments",
            ),
            (
                json!([{"type": "function_call_output", "output": "x"}]),
                "input[0].call_id",
            ),
            (
                json!([{"type": "function_call_output", "call_id": "c"}]),
                "input[0].output",
            ),
            (json!([{"type": "item_reference"}]), "input[0].id"),
        ] {
            match read(input.clone()) {
                Err(Error::Invalid {
                    param: Some(param), ..
                }) => assert_eq!(param, wanted, "{input}"),
                other => panic!("{input} gave {other:?}"),
            }
        }
    }
}
