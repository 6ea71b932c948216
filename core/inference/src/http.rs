//! HTTP clients for providers: one for each, as connections are made differently.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;

/// How connections to a provider are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. There is no bound to their number: a burst of thousands of streams
    /// leaves thousands, and the next one finds them open.
    pub idle_timeout: Duration,
    /// Whether HTTP/2 is spoken with servers that offer it in the TLS handshake. One connection then carries all
    /// calls, as many at once as the server allows; `false` gives each call a connection.
    pub http2: bool,
    /// Whether `https` is spoken at all. Without it no root certificates are read.
    pub tls: bool,
    /// The unix socket that all connections are made to, whatever the URL's host.
    pub socket: Option<PathBuf>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            http2: true,
            tls: true,
            socket: None,
        }
    }
}

/// The client could not be built, for example because the machine has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for providers cannot be built")]
pub struct ClientError(#[from] reqwest::Error);

/// Builds a client. Clones share its connections.
///
/// It obeys no proxy variables and follows no redirects, so that keys and texts go where the configuration says
/// and nowhere else. Total time is bounded per call, not here, because streams may be long.
pub fn client(options: ClientOptions) -> Result<reqwest::Client, ClientError> {
    // Fails when a provider has been installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("insula/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(options.idle_timeout)
        .pool_max_idle_per_host(usize::MAX)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .no_proxy()
        .redirect(Policy::none());
    if !options.http2 {
        builder = builder.http1_only();
    }
    if !options.tls {
        builder = builder.tls_certs_only([]);
    }
    if let Some(socket) = options.socket {
        builder = builder.unix_socket(socket);
    }
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_be_built_in_all_ways_and_twice() {
        let default = ClientOptions::default;
        for options in [
            default(),
            default(),
            ClientOptions {
                http2: false,
                tls: false,
                ..default()
            },
            ClientOptions {
                socket: Some("/run/llama.sock".into()),
                tls: false,
                ..default()
            },
        ] {
            client(options.clone()).unwrap_or_else(|error| panic!("{options:?}: {error:?}"));
        }
    }
}
