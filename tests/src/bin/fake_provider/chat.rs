//! Chat in OpenAI's format.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::counts::{Caller, Counts};
use crate::{Piece, data, error, events, failure, obliging, passing_failure, reply};

/// The words of every answer.
pub(crate) const WORDS: [&str; 5] = ["Hello ", "from ", "the ", "provider ", "[1]."];

/// A line of 100 MB, in packets.
const FLOOD: (usize, usize) = (1600, 64 * 1024);

pub(crate) async fn complete(
    State(counts): State<Counts>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "not JSON");
    };
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    answer(&counts, &model, &uri, &headers, body).await
}

/// As Azure has it: the model in the path, the key in a header of its own, a version in the query.
pub(crate) async fn complete_deployment(
    State(counts): State<Counts>,
    Path(model): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !headers.contains_key("api-key") {
        return error(StatusCode::UNAUTHORIZED, "Access denied due to missing key.");
    }
    if !query.iter().any(|(name, _)| name == "api-version") {
        return error(StatusCode::NOT_FOUND, "Resource not found");
    }
    match serde_json::from_slice(&body) {
        Ok(body) => answer(&counts, &model, &uri, &headers, body).await,
        Err(_) => error(StatusCode::BAD_REQUEST, "not JSON"),
    }
}

async fn answer(counts: &Counts, model: &str, uri: &Uri, headers: &HeaderMap, body: Value) -> Response {
    let streamed = body["stream"] == true;
    let with_usage = body["stream_options"]["include_usage"] == true;
    let obliges = model == "obliging";
    let called = match obliges {
        true => obliging::call(&body),
        false => search(model, &body),
    };
    let said = obliges.then(|| obliging::text(&body));
    let mut caller = counts.arrived(model, uri, headers, body);
    let mut name = model.split('-');
    match (name.next(), name.next().and_then(|ms| ms.parse().ok())) {
        (Some("hang"), _) => std::future::pending::<()>().await,
        (Some("late"), Some(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
        _ => {}
    }
    if let Some(failure) = failure(model).or_else(|| passing_failure(model, caller.number())) {
        caller.finish();
        return failure;
    }
    if streamed {
        return match (called, said) {
            (Some(call), _) => stream_call(call, with_usage, caller),
            (None, Some(said)) => stream_text(&said, with_usage, caller),
            (None, None) => stream(model, with_usage, caller),
        };
    }
    caller.finish();
    for _ in WORDS {
        caller.produced();
    }
    if let Some(call) = called {
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        return reply(StatusCode::OK, &whole(model, message, "tool_calls"));
    }
    if model == "tools" {
        let call = json!({"id": "call_1", "type": "function",
                          "function": {"name": "weather", "arguments": "{\"city\":\"Basra\"}"}});
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        return reply(StatusCode::OK, &whole(model, message, "tool_calls"));
    }
    let content = said.unwrap_or_else(|| WORDS.concat());
    let message = json!({"role": "assistant", "content": content});
    let mut whole = whole(model, message, "stop");
    if model == "odd" {
        whole["choices"][0]["finish_reason"] = json!("eos_token");
        whole["service_tier"] = json!("turbo");
    }
    reply(StatusCode::OK, &whole)
}

/// The search that a model makes if it is offered one: `agent` once, `agent-again` as long as it is offered. It looks for what
/// the user said last.
fn search(model: &str, body: &Value) -> Option<Value> {
    let messages = body["messages"].as_array()?;
    let again = match model {
        "agent" => false,
        "agent-again" => true,
        _ => return None,
    };
    let has_searched = messages.iter().any(|message| message["role"] == "tool");
    let mut tools = body["tools"].as_array()?.iter();
    let tool = tools.find(|tool| {
        tool["function"]["parameters"]["properties"]
            .get("queries")
            .is_some()
    })?;
    if has_searched && !again {
        return None;
    }
    let said = messages.iter().rev().find(|message| message["role"] == "user")?;
    let arguments = json!({"queries": [said["content"]]}).to_string();
    let id = format!("call_{}", messages.len());
    let function = json!({"name": tool["function"]["name"], "arguments": arguments});
    Some(json!({"id": id, "type": "function", "function": function}))
}

/// A call of a function, in two pieces.
fn stream_call(call: Value, with_usage: bool, caller: Caller) -> Response {
    let role = data(&chunk(json!({"role": "assistant", "content": ""}), Value::Null));
    let arguments = call["function"]["arguments"].clone();
    let begun = json!({"index": 0, "id": call["id"], "type": "function",
                       "function": {"name": call["function"]["name"], "arguments": ""}});
    let mut pieces = vec![role, tool_call(begun)];
    pieces.push(tool_call(
        json!({"index": 0, "function": {"arguments": arguments}}),
    ));
    pieces.push(data(&chunk(json!({}), json!("tool_calls"))));
    pieces.extend(ending(3, with_usage).into_iter().skip(1));
    events(pieces, Duration::from_millis(1), caller)
}

/// A text, word by word.
fn stream_text(text: &str, with_usage: bool, caller: Caller) -> Response {
    let role = data(&chunk(json!({"role": "assistant", "content": ""}), Value::Null));
    let words: Vec<Piece> = text.split_inclusive(' ').map(word).collect();
    let ending = ending(words.len(), with_usage);
    let pieces = std::iter::once(role).chain(words).chain(ending);
    events(pieces, Duration::from_millis(1), caller)
}

fn usage(tokens: usize) -> Value {
    json!({"prompt_tokens": 11, "completion_tokens": tokens, "total_tokens": 11 + tokens})
}

fn whole(model: &str, message: Value, finish_reason: &str) -> Value {
    let mut whole = json!({
        "id": "chatcmpl-upstream", "object": "chat.completion", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
    });
    if model != "no-usage" {
        whole["usage"] = usage(WORDS.len());
    }
    whole
}

fn chunk(delta: Value, finish_reason: Value) -> Value {
    json!({
        "id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
}

fn word(text: &str) -> Piece {
    Piece::Word(format!(
        "data: {}\n\n",
        chunk(json!({"content": text}), Value::Null)
    ))
}

fn tool_call(call: Value) -> Piece {
    data(&chunk(json!({"tool_calls": [call]}), Value::Null))
}

fn done() -> Piece {
    Piece::Bytes("data: [DONE]\n\n".into())
}

/// The last pieces of an answer of `words` words.
fn ending(words: usize, with_usage: bool) -> Vec<Piece> {
    let mut pieces = vec![data(&chunk(json!({}), json!("stop")))];
    if with_usage {
        let mut last = chunk(json!({}), Value::Null);
        last["choices"] = json!([]);
        last["usage"] = usage(words);
        pieces.push(data(&last));
    }
    pieces.push(done());
    pieces
}

fn stream(model: &str, with_usage: bool, caller: Caller) -> Response {
    let role = data(&chunk(json!({"role": "assistant", "content": ""}), Value::Null));
    let words = || WORDS.iter().map(|text| word(text));
    let mut pause = Duration::from_millis(1);
    let pieces: Box<dyn Iterator<Item = Piece> + Send> = match model {
        "slow" => {
            pause = Duration::from_millis(20);
            Box::new((0..3000).map(|_| word("word ")))
        }
        "cut" => Box::new([word("Two "), word("words "), Piece::Cut].into_iter()),
        "short" => Box::new([word("Two "), word("words ")].into_iter()),
        "garbage" => Box::new([word("One "), Piece::Bytes("data: {not json\n\n".into())].into_iter()),
        "flood" => {
            pause = Duration::ZERO;
            let (packets, bytes) = FLOOD;
            let line = std::iter::repeat_with(move || Piece::Bytes("x".repeat(bytes))).take(packets);
            let begin = [word("One "), Piece::Bytes("data: ".into())];
            Box::new(begin.into_iter().chain(line))
        }
        "tools" => Box::new(
            [
                tool_call(json!({"index": 0, "id": "call_1", "type": "function",
                                 "function": {"name": "weather", "arguments": ""}})),
                tool_call(json!({"index": 0, "function": {"arguments": "{\"city\":"}})),
                tool_call(json!({"index": 0, "function": {"arguments": "\"Basra\"}"}})),
                data(&chunk(json!({}), json!("tool_calls"))),
                done(),
            ]
            .into_iter(),
        ),
        "odd" => {
            let mut last = chunk(json!({}), json!("eos_token"));
            last["service_tier"] = json!("turbo");
            Box::new(words().chain([data(&last), done()]))
        }
        "no-usage" => Box::new(words().chain(ending(0, false))),
        "no-done" => Box::new(words().chain([data(&chunk(json!({}), json!("stop")))])),
        "usage-each" => Box::new(each_with_usage().chain([done()])),
        "usage-last" => {
            let mut last = chunk(json!({}), json!("stop"));
            last["usage"] = usage(WORDS.len());
            Box::new(words().chain([data(&last), done()]))
        }
        "two-choices" => Box::new(
            words()
                .flat_map(|word| [word, other_choice()])
                .chain(ending(WORDS.len(), with_usage)),
        ),
        _ => match pace(model) {
            Some((count, every)) => {
                pause = every;
                let words = (0..count).map(|_| word("word "));
                Box::new(words.chain(ending(count, with_usage)))
            }
            None => Box::new(words().chain(ending(WORDS.len(), with_usage))),
        },
    };
    events(std::iter::once(role).chain(pieces), pause, caller)
}

/// Of `paced-N-MS`: how many words, and how long between them.
fn pace(model: &str) -> Option<(usize, Duration)> {
    let (count, every) = model.strip_prefix("paced-")?.split_once('-')?;
    Some((count.parse().ok()?, Duration::from_millis(every.parse().ok()?)))
}

/// As vLLM does when it is asked for usage all along.
fn each_with_usage() -> impl Iterator<Item = Piece> {
    WORDS.iter().enumerate().map(|(n, text)| {
        let last = n + 1 == WORDS.len();
        let reason = if last { json!("stop") } else { Value::Null };
        let mut chunk = chunk(json!({"content": text}), reason);
        chunk["usage"] = usage(n + 1);
        Piece::Word(format!("data: {chunk}\n\n"))
    })
}

fn other_choice() -> Piece {
    let mut chunk = chunk(json!({"content": "WRONG "}), Value::Null);
    chunk["choices"][0]["index"] = json!(1);
    data(&chunk)
}
