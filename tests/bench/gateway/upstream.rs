//! What the gateways stand before: a server that answers chat at once, in a process of its own, so that what it costs is
//! not counted as a gateway's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;

/// Tokens of an answer.
const TOKENS: u64 = 80;
/// Until the first token of a paced stream.
const PACED_FIRST: Duration = Duration::from_millis(20);
/// Between two tokens of a paced stream.
const PACED_NEXT: Duration = Duration::from_millis(10);
/// What precedes the moment at which a token was sent, in nanoseconds since 1970.
pub(super) const STAMP: &str = "\"@";

/// Model whose streams take their time.
pub(super) const PACED: &str = "paced";
/// Model that answers with status 500.
pub(super) const FAILING: &str = "failing";
/// Model whose streams begin and go on without end, one token a minute.
pub(super) const ENDLESS: &str = "endless";

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(default)]
    stream: bool,
}

/// Serves until the process is ended; prints the address first.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service_fn(answer));
        // A client that leaves is no failure.
        tokio::spawn(async move { connection.await.ok() });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let Ok(asked) = serde_json::from_slice::<Asked>(&body) else {
        return Ok(json(
            StatusCode::BAD_REQUEST,
            r#"{"error":{"message":"not a chat"}}"#.into(),
        ));
    };
    if asked.model == FAILING {
        let error = r#"{"error":{"message":"out of order","type":"server_error"}}"#;
        return Ok(json(StatusCode::INTERNAL_SERVER_ERROR, error.into()));
    }
    let prompt = body.len() as u64 / 4;
    if !asked.stream {
        return Ok(json(StatusCode::OK, whole(&asked.model, prompt)));
    }
    let pace = match asked.model.as_str() {
        PACED => Some((PACED_FIRST, PACED_NEXT)),
        ENDLESS => Some((Duration::ZERO, Duration::from_secs(60))),
        _ => None,
    };
    let frames = pieces(asked.model, prompt, pace).map(|piece| Ok(Frame::data(Bytes::from(piece))));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
    Ok(response)
}

fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Full::from(body).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn usage(prompt: u64) -> String {
    let total = prompt + TOKENS;
    format!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{TOKENS},"total_tokens":{total}}}"#)
}

fn whole(model: &str, prompt: u64) -> String {
    let content = "lorem ".repeat(TOKENS as usize);
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}],"usage":{}}}"#,
        usage(prompt)
    )
}

/// The events of a stream. Every token says when it was sent.
fn pieces(model: String, prompt: u64, pace: Option<(Duration, Duration)>) -> impl Stream<Item = String> {
    let model: Arc<str> = model.into();
    stream::unfold(0, move |sent| {
        let model = Arc::clone(&model);
        async move {
            if sent > TOKENS {
                return None;
            }
            if let Some((first, next)) = pace
                && sent < TOKENS
            {
                tokio::time::sleep(if sent == 0 { first } else { next }).await;
            }
            let piece = if sent < TOKENS {
                let token = format!(r#"{{"content":"@{} w"}}"#, nanos_since_1970());
                chunk(
                    &model,
                    &format!(r#"{{"index":0,"delta":{token},"finish_reason":null}}"#),
                    "",
                )
            } else {
                let finish = chunk(&model, r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, "");
                let usage = chunk(&model, "", &format!(r#","usage":{}"#, usage(prompt)));
                format!("{finish}{usage}data: [DONE]\n\n")
            };
            Some((piece, sent + 1))
        }
    })
}

fn chunk(model: &str, choices: &str, more: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"{model}\",\"choices\":[{choices}]{more}}}\n\n"
    )
}

/// What the clock says, the same for all processes of a machine.
pub(super) fn nanos_since_1970() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
