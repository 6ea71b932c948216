//! A real HTTP server that answers as it is told.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::Value;
use tokio::net::TcpListener;

/// One thing that a streaming server does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends this.
    Bytes(String),
    /// Waits.
    Sleep(Duration),
    /// Waits for ever.
    Hang,
    /// Ends the body properly.
    End,
    /// Breaks the connection.
    Cut,
}

impl Step {
    /// Sends an event with this data.
    pub(crate) fn event(data: Value) -> Self {
        Self::Bytes(format!("data: {data}\n\n"))
    }
}

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug, Clone)]
enum Script {
    Stream(Vec<Step>),
    Json(u16, Value),
}

/// A server on a port of its own, alive as long as the test's runtime.
pub(crate) struct Upstream {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Option<Seen>>,
    headers: Mutex<HeaderMap>,
    hung_up: AtomicBool,
}

/// Notices that a response body is no longer wanted.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.hung_up.store(true, Ordering::SeqCst);
    }
}

impl Upstream {
    /// Answers with server-sent events.
    pub(crate) async fn stream(steps: Vec<Step>) -> Self {
        Self::start(Script::Stream(steps)).await
    }

    /// Answers with a status and a body.
    pub(crate) async fn json(status: u16, body: Value) -> Self {
        Self::start(Script::Json(status, body)).await
    }

    /// A port on which nobody listens.
    pub(crate) async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        Self {
            url,
            shared: Arc::default(),
        }
    }

    pub(crate) fn with_header(self, name: &'static str, value: &'static str) -> Self {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        self.shared.headers.lock().expect("lock").insert(name, value);
        self
    }

    /// The last request.
    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().expect("lock").clone().expect("a request")
    }

    /// Whether a streaming response has been given up or is over.
    pub(crate) fn hung_up(&self) -> bool {
        self.shared.hung_up.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait_for_hang_up(&self) {
        let wait = async {
            while !self.hung_up() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .expect("the provider notices");
    }

    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let app = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let (state, script) = (Arc::clone(&state), script.clone());
            async move {
                let body = serde_json::from_slice(&body).expect("JSON");
                let seen = Seen {
                    path: uri.path().to_owned(),
                    headers,
                    body,
                };
                *state.seen.lock().expect("lock") = Some(seen);
                respond(script, state)
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }
}

fn respond(script: Script, state: Arc<Shared>) -> Result<Response, Infallible> {
    let headers = state.headers.lock().expect("lock").clone();
    Ok(match script {
        Script::Json(status, body) => {
            let status = StatusCode::from_u16(status).expect("status");
            let json = [("content-type", "application/json")];
            (status, headers, json, body.to_string()).into_response()
        }
        Script::Stream(steps) => {
            let body = Body::from_stream(play(steps, Alive(state)));
            let events = [("content-type", "text/event-stream; charset=utf-8")];
            (events, headers, body).into_response()
        }
    })
}

fn play(steps: Vec<Step>, alive: Alive) -> impl futures::Stream<Item = std::io::Result<String>> + Send {
    stream::unfold((steps.into_iter(), alive), |(mut steps, alive)| async move {
        loop {
            match steps.next()? {
                Step::Bytes(text) => return Some((Ok(text), (steps, alive))),
                Step::Sleep(time) => tokio::time::sleep(time).await,
                Step::Hang => std::future::pending().await,
                Step::End => return None,
                Step::Cut => {
                    // Let what was sent before leave first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    return Some((Err(std::io::Error::other("cut")), (steps, alive)));
                }
            }
        }
    })
}
