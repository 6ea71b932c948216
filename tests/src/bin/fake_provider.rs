//! An OpenAI-compatible provider that does what the model's name says, for tests. Prints its address.
//!
//! | model | what it does |
//! |---|---|
//! | `ok` | answers `Hello from the provider [1].` |
//! | `slow` | streams a word every 20 ms, for a minute |
//! | `cut` | streams two words, then cuts the connection |
//! | `short` | streams two words, then ends cleanly, without a finish reason and `[DONE]` |
//! | `garbage` | streams a word, then an event that is no JSON |
//! | `hang` | takes the request and never answers |
//! | `error-500`, `limit-429`, `bad-400` | answers so |
//! | `tools` | calls a function |
//!
//! `GET /counts` tells per model how many calls came and how many callers left before the end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const WORDS: [&str; 5] = ["Hello ", "from ", "the ", "provider ", "[1]."];

#[derive(Default, Serialize)]
struct Count {
    requests: u32,
    aborted: u32,
    body: Value,
    authorization: Option<String>,
}

type Counts = Arc<Mutex<BTreeMap<String, Count>>>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let counts = Counts::default();
    let app = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/counts", get(tell))
        .with_state(counts);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    axum::serve(listener, app).await
}

async fn tell(State(counts): State<Counts>) -> Response {
    let counts = counts.lock().map(|counts| json!(*counts)).unwrap_or_default();
    reply(StatusCode::OK, &counts)
}

/// Counts a caller who leaves, unless the answer was finished before.
struct Caller {
    counts: Counts,
    model: String,
    finished: bool,
}

impl Caller {
    fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.finished
            && let Ok(mut counts) = self.counts.lock()
        {
            counts.entry(std::mem::take(&mut self.model)).or_default().aborted += 1;
        }
    }
}

async fn complete(State(counts): State<Counts>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "not JSON");
    };
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let streamed = body["stream"] == true;
    let with_usage = body["stream_options"]["include_usage"] == true;
    if let Ok(mut counts) = counts.lock() {
        let count = counts.entry(model.clone()).or_default();
        count.requests += 1;
        count.authorization = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        count.body = body;
    }
    let mut caller = Caller {
        counts,
        model: model.clone(),
        finished: false,
    };
    match (model.as_str(), streamed) {
        ("hang", _) => {
            std::future::pending::<()>().await;
        }
        ("slow" | "cut" | "short" | "garbage", true) | ("ok" | "tools", true) => {
            return events(stream_of(&model, with_usage), caller);
        }
        _ => {}
    }
    caller.finish();
    match model.as_str() {
        "error-500" => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "secret-inner-detail: the backend fell over",
        ),
        "limit-429" => {
            let mut response = error(StatusCode::TOO_MANY_REQUESTS, "slow down");
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("7"));
            response
        }
        "bad-400" => error(StatusCode::BAD_REQUEST, "the provider does not like this request"),
        "tools" => reply(
            StatusCode::OK,
            &whole(
                json!({"role": "assistant", "content": null, "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Basra\"}"}}
                ]}),
                "tool_calls",
            ),
        ),
        _ => reply(
            StatusCode::OK,
            &whole(json!({"role": "assistant", "content": WORDS.concat()}), "stop"),
        ),
    }
}

fn whole(message: Value, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-upstream", "object": "chat.completion", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
    })
}

/// A piece of a stream; `None` cuts the connection.
type Piece = Option<String>;

fn chunk(delta: Value, finish_reason: Value) -> Piece {
    data(json!({
        "id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }))
}

fn word(text: &str) -> Piece {
    chunk(json!({"content": text}), Value::Null)
}

fn tool_call(call: Value) -> Piece {
    chunk(json!({"tool_calls": [call]}), Value::Null)
}

fn done() -> Piece {
    Some("data: [DONE]\n\n".into())
}

fn stream_of(model: &str, with_usage: bool) -> Vec<Piece> {
    let mut pieces = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    match model {
        "slow" => pieces.extend((0..3000).map(|_| word("word "))),
        "cut" => pieces.extend([word("Two "), word("words "), None]),
        "short" => pieces.extend([word("Two "), word("words ")]),
        "garbage" => pieces.extend([word("One "), Some("data: {not json\n\n".into())]),
        "tools" => pieces.extend([
            tool_call(json!({"index": 0, "id": "call_1", "type": "function",
                             "function": {"name": "weather", "arguments": ""}})),
            tool_call(json!({"index": 0, "function": {"arguments": "{\"city\":"}})),
            tool_call(json!({"index": 0, "function": {"arguments": "\"Basra\"}"}})),
            chunk(json!({}), json!("tool_calls")),
            done(),
        ]),
        _ => {
            pieces.extend(WORDS.iter().map(|text| word(text)));
            pieces.push(chunk(json!({}), json!("stop")));
            if with_usage {
                let usage = json!({"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16});
                pieces.push(data(json!({
                    "id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": 1,
                    "model": "upstream-name", "choices": [], "usage": usage,
                })));
            }
            pieces.push(done());
        }
    }
    pieces
}

fn data(value: Value) -> Piece {
    Some(format!("data: {value}\n\n"))
}

fn events(pieces: Vec<Piece>, caller: Caller) -> Response {
    let body = Body::from_stream(paced(pieces, caller));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// The pieces, each in a packet of its own.
fn paced(pieces: Vec<Piece>, caller: Caller) -> impl Stream<Item = Result<String, io::Error>> {
    let pause = if caller.model == "slow" {
        Duration::from_millis(20)
    } else {
        Duration::from_millis(1)
    };
    stream::unfold(
        (pieces.into_iter(), caller),
        move |(mut pieces, mut caller)| async move {
            let Some(piece) = pieces.next() else {
                caller.finish();
                return None;
            };
            tokio::time::sleep(pause).await;
            let piece = piece.ok_or_else(|| {
                caller.finish();
                io::Error::other("cut on purpose")
            });
            Some((piece, (pieces, caller)))
        },
    )
}

fn error(status: StatusCode, message: &str) -> Response {
    reply(
        status,
        &json!({"error": {"message": message, "type": "server_error", "param": null, "code": null}}),
    )
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let body: Result<_, Infallible> = Ok(body.to_string());
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
