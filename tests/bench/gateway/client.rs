//! One connection of a client, and what it asks.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::upstream::{STAMP, nanos_since_1970};

/// Some sixty words, as a question has that brings its context along.
const WORDS: usize = 60;

/// Whom to ask, and for what.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    authorization: HeaderValue,
    host: HeaderValue,
    model: String,
    stream: bool,
}

impl Target {
    pub(super) fn new(address: SocketAddr, key: &str, model: &str, stream: bool) -> Result<Self> {
        Ok(Self {
            address,
            authorization: HeaderValue::try_from(format!("Bearer {key}"))?,
            host: HeaderValue::try_from(address.to_string())?,
            model: model.to_owned(),
            stream,
        })
    }

    /// No two requests are the same, so that nothing is answered from memory.
    fn request(&self, number: u64) -> Result<Request<Full<Bytes>>> {
        let words = "lorem ipsum dolor ".repeat(WORDS / 3);
        let stream = if self.stream {
            r#","stream":true,"stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        let body = format!(
            r#"{{"model":"{}","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{number:016} {words}"}}],"temperature":0.2{stream}}}"#,
            self.model
        );
        Ok(Request::post("/v1/chat/completions")
            .header(HOST, self.host.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))?)
    }
}

/// What became of one request.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// When the first token came.
    pub(super) first: Option<Instant>,
    /// How long the other tokens were under way, in nanoseconds.
    pub(super) hops: Vec<u64>,
}

/// A connection that is used again and again.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn begin(&mut self, target: &Target, number: u64) -> Result<Response<Incoming>> {
        self.sender.ready().await?;
        let response = self.sender.send_request(target.request(number)?).await?;
        ensure!(response.status().is_success(), "status {}", response.status());
        Ok(response)
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn ask(&mut self, target: &Target, number: u64) -> Result<Answered> {
        let mut body = self.begin(target, number).await?.into_body();
        let mut answered = Answered::default();
        let mut text: Vec<u8> = Vec::new();
        let mut end: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let now = nanos_since_1970();
            let Ok(data) = frame?.into_data() else { continue };
            if !target.stream {
                continue;
            }
            text.extend_from_slice(&data);
            // Whole lines only: a stamp may be cut in two.
            let lines = text
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            for sent in stamps(std::str::from_utf8(&text[..lines])?) {
                match answered.first {
                    None => answered.first = Some(Instant::now()),
                    Some(_) => answered.hops.push(now.saturating_sub(sent)),
                }
            }
            end = text[..lines].to_vec();
            text.drain(..lines);
        }
        if target.stream {
            let end = String::from_utf8_lossy(&end);
            ensure!(end.contains("data: [DONE]"), "the stream has no end");
            answered.first.context("the stream has no token")?;
        }
        Ok(answered)
    }
}

/// When the tokens in a piece of a stream were sent.
fn stamps(text: &str) -> impl Iterator<Item = u64> {
    text.match_indices(STAMP).filter_map(|(at, _)| {
        let digits = &text[at + STAMP.len()..];
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        digits[..end].parse().ok()
    })
}
