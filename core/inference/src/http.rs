//! The HTTP client that all providers share.

use std::time::Duration;

use reqwest::redirect::Policy;

/// How connections to providers are made.
#[derive(Debug, Clone, Copy)]
pub struct ClientOptions {
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// The client could not be built, for example because the machine has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for providers cannot be built")]
pub struct ClientError(#[from] reqwest::Error);

/// Builds the client. One is enough for a process; clones share its connections.
///
/// It obeys no proxy variables and follows no redirects, so that keys and texts go where the configuration says
/// and nowhere else. Total time is bounded per call, not here, because streams may be long.
pub fn client(options: ClientOptions) -> Result<reqwest::Client, ClientError> {
    // Fails when a provider has been installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .user_agent(concat!("insula/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(options.idle_timeout)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .no_proxy()
        .redirect(Policy::none())
        .build()?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_be_built_twice() {
        client(ClientOptions::default()).expect("first");
        client(ClientOptions::default()).expect("second");
    }
}
