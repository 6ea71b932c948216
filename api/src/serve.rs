//! The accept loop.
//!
//! axum's own `serve` sets no header timeout and no `TCP_NODELAY`; without the first a few idle sockets hold a
//! server for ever, without the second every token of a stream can wait 40 ms for a delayed ACK.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// How long a client may take to send a request's head. A kept-alive connection that is idle for as long
    /// is closed too, so behind a load balancer this must be longer than the balancer's idle timeout.
    pub header_read_timeout: Duration,
    /// Connections open at once; further ones wait in the kernel's backlog.
    pub max_connections: usize,
    /// How long requests in flight, streams included, may go on after shutdown begins.
    pub shutdown_grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// Largest request head.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// Serves `router` (HTTP/1.1, and HTTP/2 by prior knowledge) until `shutdown` completes; then closes the
/// listener and idle connections, and waits for what is in flight up to the grace period.
///
/// The peer's address is in the request's extensions as [`ConnectInfo`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let builder = connection_builder(&options);
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let graceful = GracefulShutdown::new();
    // Dropping the set at the end of this function cuts what is left.
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);

    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (stream, peer, slot) = accepted?;
        let connection = handle(
            stream,
            peer,
            builder.clone(),
            router.clone(),
            graceful.watcher(),
            options.header_read_timeout,
        );
        connections.spawn(async move {
            connection.await;
            drop(slot);
        });
    }

    drop(listener);
    let open = graceful.count();
    tracing::info!(connections = open, grace = ?options.shutdown_grace, "no longer accepting; finishing requests");
    if tokio::time::timeout(options.shutdown_grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("grace period over; cutting the connections that are left");
    }
    Ok(())
}

fn connection_builder(options: &ServeOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_read_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES)
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Waits for a free slot, then for a connection.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream, peer, slot)),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Mostly "too many open files": it passes when connections close, and retrying at once would
                // only burn the processor.
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Serves one connection to its end.
async fn handle(
    stream: TcpStream,
    peer: SocketAddr,
    builder: Builder<TokioExecutor>,
    router: Router,
    watcher: Watcher,
    first_request_within: Duration,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    // hyper's header timeout starts once the protocol is known, which takes a client that says something.
    // Until the first request is there, this flag and the sleep below stand in for it.
    let seen = Arc::new(AtomicBool::new(false));
    let service = {
        let seen = seen.clone();
        hyper::service::service_fn(move |request: http::Request<Incoming>| {
            seen.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        })
    };
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let mut connection = std::pin::pin!(watcher.watch(connection));
    let result = tokio::select! {
        result = &mut connection => result,
        () = tokio::time::sleep(first_request_within) => {
            if !seen.load(Ordering::Relaxed) {
                tracing::debug!(%peer, "closed: no request came");
                return;
            }
            connection.await
        }
    };
    if let Err(error) = result {
        // A client that leaves, or sends what is not HTTP: everyday events.
        tracing::debug!(%peer, %error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    struct Running {
        addr: SocketAddr,
        stop: oneshot::Sender<()>,
        served: tokio::task::JoinHandle<io::Result<()>>,
    }

    async fn start(router: Router, options: ServeOptions) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, router, options, async move {
            let _ = stopped.await;
        }));
        Running { addr, stop, served }
    }

    fn short() -> ServeOptions {
        ServeOptions {
            header_read_timeout: Duration::from_millis(200),
            ..ServeOptions::default()
        }
    }

    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut text))
            .await
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn clients_that_send_nothing_or_little_are_closed() {
        let running = start(Router::new(), short()).await;
        for head in [
            "",
            "P",
            "PRI * HTTP/2.0\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ",
        ] {
            let begin = Instant::now();
            let mut stream = TcpStream::connect(running.addr).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            rest(&mut stream).await;
            assert!(begin.elapsed() < Duration::from_secs(2), "{head:?} was let stand");
        }
    }

    #[tokio::test]
    async fn a_request_in_flight_outlives_the_listener_and_a_new_one_is_refused() {
        let (entered_tx, mut entered) = tokio::sync::mpsc::channel(1);
        let router = Router::new().route(
            "/slow",
            get(move || async move {
                entered_tx.send(()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
                "finished"
            }),
        );
        let running = start(router, ServeOptions::default()).await;
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        entered.recv().await.unwrap();
        running.stop.send(()).unwrap();
        let answer = rest(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished"),
            "{answer}"
        );
        assert!(
            answer.to_ascii_lowercase().contains("connection: close"),
            "{answer}"
        );
        running.served.await.unwrap().unwrap();
        assert!(TcpStream::connect(running.addr).await.is_err());
    }

    #[tokio::test]
    async fn the_grace_period_ends() {
        let router = Router::new().route("/never", get(std::future::pending::<()>));
        let options = ServeOptions {
            shutdown_grace: Duration::from_millis(100),
            ..ServeOptions::default()
        };
        let running = start(router, options).await;
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        stream
            .write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        running.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(3), running.served)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(rest(&mut stream).await, "");
    }

    #[tokio::test]
    async fn a_slow_answer_is_not_taken_for_a_slow_client() {
        let router = Router::new().route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(600)).await;
                "finished"
            }),
        );
        let running = start(router, short()).await;
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        assert!(rest(&mut stream).await.ends_with("finished"));
    }

    #[tokio::test]
    async fn connections_above_the_limit_wait_for_a_slot() {
        let options = ServeOptions {
            max_connections: 1,
            ..short()
        };
        let running = start(Router::new().route("/", get(|| async { "ok" })), options).await;
        let idle = TcpStream::connect(running.addr).await.unwrap();
        let begin = Instant::now();
        let mut second = TcpStream::connect(running.addr).await.unwrap();
        second
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        assert!(rest(&mut second).await.ends_with("ok"));
        assert!(
            begin.elapsed() >= Duration::from_millis(150),
            "served beside a connection that held the only slot"
        );
        drop(idle);
    }

    #[tokio::test]
    async fn http_2_by_prior_knowledge_is_spoken() {
        let running = start(
            Router::new().route("/", get(|| async { "ok" })),
            ServeOptions::default(),
        )
        .await;
        let stream = TcpStream::connect(running.addr).await.unwrap();
        let mut stream = stream;
        // Preface and an empty SETTINGS frame; the server answers with its own SETTINGS.
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        let mut head = [0u8; 9];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head[3], 4, "not a SETTINGS frame: {head:?}");
    }
}
