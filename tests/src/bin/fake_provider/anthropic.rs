//! Chat in Anthropic's format.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::chat::WORDS;
use crate::counts::Counts;
use crate::{Piece, events, failure, reply};

fn refuse(status: u16, kind: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    reply(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": message}}),
    )
}

pub(crate) async fn complete(
    State(counts): State<Counts>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return refuse(400, "invalid_request_error", "not JSON");
    };
    if !headers.contains_key("anthropic-version") {
        return refuse(
            400,
            "invalid_request_error",
            "anthropic-version: header is required",
        );
    }
    if !headers.contains_key("x-api-key") {
        return refuse(401, "authentication_error", "x-api-key header is required");
    }
    if let Some(wrong) = wrong(&body) {
        return refuse(400, "invalid_request_error", &wrong);
    }
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let streamed = body["stream"] == true;
    let mut caller = counts.arrived(&model, &uri, &headers, body);
    if model == "hang" {
        std::future::pending::<()>().await;
    }
    if streamed && model != "overloaded" && failure(&model).is_none() {
        return events(stream(&model), Duration::from_millis(1), caller);
    }
    caller.finish();
    if model == "overloaded" {
        return refuse(529, "overloaded_error", "Overloaded");
    }
    if let Some(failure) = failure(&model) {
        return failure;
    }
    let (content, reason) = match model.as_str() {
        "tools" => (
            json!([{"type": "text", "text": "Let me see."},
                   {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Basra"}}]),
            "tool_use",
        ),
        _ => (json!([{"type": "text", "text": WORDS.concat()}]), "end_turn"),
    };
    reply(
        StatusCode::OK,
        &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "upstream-name",
                "content": content, "stop_reason": reason, "stop_sequence": null,
                "usage": {"input_tokens": 8, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 2,
                          "output_tokens": 5}}),
    )
}

/// What the real one refuses, as far as a translation may get it wrong.
fn wrong(body: &Value) -> Option<String> {
    if !body["max_tokens"].is_u64() {
        return Some("max_tokens: Field required".into());
    }
    let Some(messages) = body["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
    else {
        return Some("messages: at least one message is required".into());
    };
    let mut before = "assistant";
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        if !["user", "assistant"].contains(&role) || role == before {
            return Some(format!("messages: unexpected role \"{role}\""));
        }
        before = role;
        let blocks = message["content"].as_array();
        if blocks.is_none_or(|blocks| blocks.is_empty() || blocks.iter().any(|block| block["text"] == "")) {
            return Some("messages: text content blocks must be non-empty".into());
        }
    }
    None
}

fn event(value: Value) -> String {
    format!(
        "event: {}\ndata: {value}\n\n",
        value["type"].as_str().unwrap_or_default()
    )
}

fn say(value: Value) -> Piece {
    Piece::Bytes(event(value))
}

fn text(text: &str) -> Piece {
    Piece::Word(event(
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
    ))
}

fn stream(model: &str) -> Vec<Piece> {
    let mut pieces = vec![
        say(
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
                   "content": [], "model": "upstream-name", "stop_reason": null,
                   "usage": {"input_tokens": 8, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 2,
                             "output_tokens": 1}}}),
        ),
        say(
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
        say(json!({"type": "ping"})),
    ];
    match model {
        "cut" => pieces.extend([text("Two "), text("words "), Piece::Cut]),
        "overloaded-midway" => pieces.extend([
            text("Two "),
            text("words "),
            say(json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})),
        ]),
        "tools" => {
            let input = |json: &str| {
                say(json!({"type": "content_block_delta", "index": 1,
                           "delta": {"type": "input_json_delta", "partial_json": json}}))
            };
            pieces.extend([
                text("Let me see."),
                say(json!({"type": "content_block_stop", "index": 0})),
                say(json!({"type": "content_block_start", "index": 1,
                           "content_block": {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}})),
                input(""),
                input("{\"city\":"),
                input(" \"Basra\"}"),
                say(json!({"type": "content_block_stop", "index": 1})),
            ]);
            pieces.extend(ending("tool_use"));
        }
        _ => {
            pieces.extend(WORDS.iter().map(|word| text(word)));
            pieces.push(say(json!({"type": "content_block_stop", "index": 0})));
            pieces.extend(ending("end_turn"));
        }
    }
    pieces
}

fn ending(reason: &str) -> [Piece; 2] {
    [
        say(
            json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
                   "usage": {"output_tokens": 5}}),
        ),
        say(json!({"type": "message_stop"})),
    ]
}
