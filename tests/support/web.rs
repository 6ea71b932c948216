//! The world outside: a web server that answers what a test tells it to, and remembers who asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server of its own on a free port of this machine.
pub struct Web {
    address: SocketAddr,
    world: Arc<World>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct World {
    replies: Mutex<BTreeMap<String, Reply>>,
    seen: Mutex<Vec<Seen>>,
}

/// What is answered under a path.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    hangs: bool,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path with its query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// Only a status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// A body of some type.
    pub fn of(content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::status(200).with("content-type", content_type);
        reply.body = body.into();
        reply
    }

    /// A page.
    pub fn html(body: impl Into<String>) -> Self {
        Self::of("text/html; charset=utf-8", body.into())
    }

    /// A redirect.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).with("location", to)
    }

    /// Takes the request and never answers.
    pub fn hang() -> Self {
        Self {
            hangs: true,
            ..Self::status(200)
        }
    }

    /// The same with a header. An `etag` is honoured.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Web {
    /// A world in which nothing is.
    pub async fn start() -> Self {
        let world = Arc::new(World::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&world));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving");
        });
        Self { address, world, task }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What is answered under a path from now on.
    pub fn put(&self, path: &str, reply: Reply) {
        let mut replies = self.world.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.insert(path.into(), reply);
    }

    /// From now on there is nothing under a path.
    pub fn remove(&self, path: &str) {
        let mut replies = self.world.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.remove(path);
    }

    /// Every request for a path so far; with the empty path, all of them.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.world.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = seen.iter().filter(|seen| path.is_empty() || seen.path == path);
        found.cloned().collect()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap_or_default();
    let reply = {
        let replies = world.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.get(&path).cloned().unwrap_or_else(|| Reply::status(404))
    };
    let asked = parts.headers.get("if-none-match").cloned();
    world
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Seen {
            method: parts.method.to_string(),
            path,
            headers: parts.headers,
            body,
        });
    if reply.hangs {
        std::future::pending::<()>().await;
    }
    let etag = reply.headers.iter().find(|(name, _)| *name == "etag");
    if let (Some((_, etag)), Some(asked)) = (etag, asked)
        && asked.to_str().is_ok_and(|asked| asked == etag)
    {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).expect("a response")
}
