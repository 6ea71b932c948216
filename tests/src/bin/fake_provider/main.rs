//! A provider that does what the model's name says, for tests. Prints its address.
//!
//! `fake-provider` listens on a port of this machine, `fake-provider PATH` on a unix socket.
//!
//! | `/v1/chat/completions` | what it does |
//! |---|---|
//! | `ok` | answers `Hello from the provider [1].` |
//! | `paced-N-MS` | streams N words, one every MS milliseconds |
//! | `late-MS` | answers as `ok`, but MS milliseconds later |
//! | `slow` | streams a word every 20 ms, for a minute |
//! | `no-usage` | as `ok`, but never says what it cost |
//! | `odd` | as `ok`, with a finish reason and a service tier that OpenAI does not have |
//! | `usage-each`, `usage-last` | says it in every piece, or in the one with the finish reason |
//! | `two-choices` | streams another choice between the words |
//! | `no-done` | streams all, but no `[DONE]` |
//! | `cut` | streams two words, then cuts the connection |
//! | `short` | streams two words, then ends cleanly, without a finish reason and `[DONE]` |
//! | `garbage` | streams a word, then an event that is no JSON |
//! | `flood` | streams a word, then a line of 100 MB |
//! | `html` | answers with a page |
//! | `hang` | takes the request and never answers |
//! | `error-500`, `error-503`, `limit-429`, `bad-400` | answers so |
//! | `mend-N` | answers 500 to the first N calls, then as `ok` |
//! | `wait-MS` | answers the first call 429 and asks for so many milliseconds, then as `ok` |
//! | `too-long` | refuses as OpenAI does when the prompt exceeds the context |
//! | `tools` | calls a function |
//! | `agent`, `agent-again` | calls the search that it is offered, once or as long as it is offered |
//! | `obliging` | calls each function that it is offered once, answers JSON as the schema wants it, else repeats what it heard last |
//!
//! `/openai/deployments/MODEL/…` is the same as Azure has it: with `api-version` and the header `api-key`.
//!
//! | `/v1/messages` (Anthropic) | |
//! |---|---|
//! | `ok`, `tools`, `hang`, `cut`, `no-usage` | as above |
//! | `overloaded` | answers 529 |
//! | `overloaded-midway` | streams two words, then an error event |
//!
//! | `/v1/embeddings` | |
//! |---|---|
//! | `embed-N` | vectors of N dimensions, packed if asked |
//! | `floats-N` | the same, never packed and not of length 1 |
//! | `wrong-N` | vectors of one dimension more |
//! | `error-500`, `limit-429`, `hang` | as above |
//!
//! `/v1/rerank` scores documents by the words that they share with the query (`half`: only half of them), `/v1/moderations`
//! finds `hate`.
//!
//! `GET /counts` tells per model how many calls came, how many callers left before the end, how many words were
//! produced, and what the last call looked like.

mod anthropic;
#[expect(clippy::disallowed_types, reason = "a provider has error shapes of its own")]
mod chat;
mod counts;
mod embed;
mod judge;
mod obliging;

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::{self, Stream};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UnixListener};

use self::counts::{Caller, Counts};

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = Router::new()
        .route("/v1/chat/completions", post(chat::complete))
        .route(
            "/openai/deployments/{model}/chat/completions",
            post(chat::complete_deployment),
        )
        .route("/v1/messages", post(anthropic::complete))
        .route("/v1/embeddings", post(embed::embed))
        .route("/v1/rerank", post(judge::rerank))
        .route("/v1/moderations", post(judge::moderate))
        .route("/counts", get(tell))
        .with_state(Counts::default());
    match std::env::args_os().nth(1) {
        Some(path) => {
            let listener = UnixListener::bind(&path)?;
            announce(&path.to_string_lossy())?;
            axum::serve(listener, app).await
        }
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(&listener.local_addr()?.to_string())?;
            axum::serve(listener, app).await
        }
    }
}

fn announce(address: &str) -> io::Result<()> {
    println!("{address}");
    io::stdout().flush()
}

async fn tell(State(counts): State<Counts>) -> Response {
    reply(StatusCode::OK, &counts.tell())
}

/// What a stream does next.
enum Piece {
    /// Sends this.
    Bytes(String),
    /// Sends this, which holds a word of the answer.
    Word(String),
    /// Cuts the connection.
    Cut,
}

/// An event with this data.
fn data(value: &Value) -> Piece {
    Piece::Bytes(format!("data: {value}\n\n"))
}

/// A stream of these pieces, each in a packet of its own, `pause` apart.
fn events(
    pieces: impl IntoIterator<Item = Piece, IntoIter: Send + 'static>,
    pause: Duration,
    caller: Caller,
) -> Response {
    let body = Body::from_stream(paced(pieces.into_iter(), pause, caller));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn paced(
    pieces: impl Iterator<Item = Piece> + Send + 'static,
    pause: Duration,
    caller: Caller,
) -> impl Stream<Item = Result<String, io::Error>> {
    stream::unfold((pieces, caller), move |(mut pieces, mut caller)| async move {
        let Some(piece) = pieces.next() else {
            caller.finish();
            return None;
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let sent = match piece {
            Piece::Bytes(text) => Ok(text),
            Piece::Word(text) => {
                caller.produced();
                Ok(text)
            }
            Piece::Cut => {
                caller.finish();
                Err(io::Error::other("cut on purpose"))
            }
        };
        Some((sent, (pieces, caller)))
    })
}

/// The answer to a call of a model that comes right with time.
fn passing_failure(model: &str, call: u64) -> Option<Response> {
    let (kind, number) = model.split_once('-')?;
    let number: u64 = number.parse().ok()?;
    match kind {
        "mend" if call <= number => Some(error(StatusCode::INTERNAL_SERVER_ERROR, "not yet")),
        "wait" if call <= 1 => {
            let mut response = error(StatusCode::TOO_MANY_REQUESTS, "in a moment");
            let headers = response.headers_mut();
            headers.insert("retry-after-ms", HeaderValue::from(number));
            Some(response)
        }
        _ => None,
    }
}

/// The answer of a model whose name is a failure.
fn failure(model: &str) -> Option<Response> {
    Some(match model {
        "error-500" => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "secret-inner-detail: the backend fell over",
        ),
        "error-503" => error(StatusCode::SERVICE_UNAVAILABLE, "loading the model"),
        "limit-429" => {
            let mut response = error(StatusCode::TOO_MANY_REQUESTS, "slow down");
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
            response
        }
        "bad-400" => error(StatusCode::BAD_REQUEST, "the provider does not like this request"),
        "too-long" => reply(
            StatusCode::BAD_REQUEST,
            &json!({"error": {"message": "This model's maximum context length is 8 tokens.",
                    "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}),
        ),
        "html" => {
            let page = "<!doctype html><title>Welcome</title>";
            ([(header::CONTENT_TYPE, "text/html")], page).into_response()
        }
        _ => return None,
    })
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
