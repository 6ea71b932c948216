//! One guarded request, bounded in time and in size.

use std::error::Error as StdError;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use tokio::sync::OnceCell;
use url::Url;

use crate::guard::{Guard, GuardedResolver, Lookup, Reach, Refused};

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

/// How we introduce ourselves; robots.txt knows us by the first word.
pub(crate) const USER_AGENT: &str = concat!("Insula/", env!("CARGO_PKG_VERSION"));

/// Makes guarded requests.
pub(crate) struct Client {
    pub(crate) guard: Guard,
    lookup: Arc<dyn Lookup>,
    // Made at the first call, so that a machine without root certificates can do everything else.
    web: OnceCell<reqwest::Client>,
    opened: OnceCell<reqwest::Client>,
}

/// A request to be made.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// For everything together, from the look-up of the name to the last byte.
    pub(crate) timeout: Duration,
    /// Most bytes of the answer, on the wire and again after decompression.
    pub(crate) limit: usize,
}

/// An answer with its beginning.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether there was more than the limit.
    pub(crate) cut: bool,
}

/// Why there was no answer. The text is for the tenant's developer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("It did not answer in time.")]
    TimedOut,
    #[error("Its certificate was not accepted.")]
    Certificate,
    #[error("No connection could be made.")]
    NoConnection,
    #[error("The connection broke before the answer was complete.")]
    Broken,
    #[error("This server cannot make calls to the outside.")]
    NoClient,
}

impl Client {
    pub(crate) fn new(guard: Guard, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            guard,
            lookup,
            web: OnceCell::new(),
            opened: OnceCell::new(),
        }
    }

    /// Sends one request and reads its answer up to the limit. No redirect is followed.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answer, Failed> {
        let reach = self.guard.check(request.url)?;
        let (timeout, limit) = (request.timeout, request.limit);
        let exchange = async {
            let client = self.client(reach).await?;
            let response = client
                .request(request.method, request.url.clone())
                .headers(request.headers)
                .header(ACCEPT_ENCODING, "gzip")
                .body(request.body)
                .send()
                .await
                .map_err(|error| explain(&error))?;
            read(response, limit).await
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or(Err(Failed::TimedOut))
    }

    async fn client(&self, reach: Reach) -> Result<&reqwest::Client, Failed> {
        let cell = match reach {
            Reach::Web => &self.web,
            Reach::Opened => &self.opened,
        };
        let build = async || {
            let resolver = GuardedResolver {
                guard: self.guard.clone(),
                reach,
                lookup: Arc::clone(&self.lookup),
            };
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .dns_resolver(resolver)
                .redirect(Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(1)
                .build()
        };
        cell.get_or_try_init(build).await.map_err(|error| {
            tracing::error!(%error, "the HTTP client for calls to the outside cannot be built");
            Failed::NoClient
        })
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Answer, Failed> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = BytesMut::new();
    let mut cut = false;
    while let Some(part) = response.chunk().await.map_err(|_| Failed::Broken)? {
        if body.len() + part.len() > limit {
            body.extend_from_slice(&part[..limit - body.len()]);
            cut = true;
            break;
        }
        body.extend_from_slice(&part);
    }
    let mut answer = Answer {
        status,
        headers,
        body: body.freeze(),
        cut,
    };
    let encoded = answer.headers.get(CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| matches!(encoding.as_bytes(), b"gzip" | b"x-gzip")) {
        let compressed = std::mem::take(&mut answer.body);
        let inflated = tokio::task::spawn_blocking(move || gunzip(&compressed, limit)).await;
        let (body, cut) = inflated.map_err(|_| Failed::Broken)?;
        answer = Answer {
            body,
            cut: answer.cut || cut,
            ..answer
        };
    }
    Ok(answer)
}

/// The beginning of what was compressed, and whether there is more. A damaged end is cut off.
pub(crate) fn gunzip(compressed: &[u8], limit: usize) -> (Bytes, bool) {
    let mut text = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let whole = MultiGzDecoder::new(compressed).take(bound).read_to_end(&mut text);
    let cut = whole.is_err() || text.len() > limit;
    text.truncate(limit);
    (text.into(), cut)
}

fn explain(error: &reqwest::Error) -> Failed {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        // What an io::Error wraps is not among its sources.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        for error in [
            Some(error),
            wrapped.map(|error| error as &(dyn StdError + 'static)),
        ]
        .into_iter()
        .flatten()
        {
            if let Some(refused) = error.downcast_ref::<Refused>() {
                return refused.clone().into();
            }
            if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
                return Failed::Certificate;
            }
        }
        cause = error.source();
    }
    if error.is_timeout() {
        Failed::TimedOut
    } else if error.is_connect() {
        Failed::NoConnection
    } else {
        Failed::Broken
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::guard::{Allowed, System};

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// A server that says these bytes to everybody, then closes, or goes on saying them for ever.
    async fn server(says: Vec<u8>, endless: bool) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let says = says.clone();
                tokio::spawn(async move {
                    let mut head = [0; 1024];
                    _ = connection.read(&mut head).await;
                    while connection.write_all(&says).await.is_ok() && endless {}
                });
            }
        });
        Url::parse(&format!("http://{address}/")).unwrap()
    }

    fn client(allowed: &[&str]) -> Client {
        _ = rustls::crypto::ring::default_provider().install_default();
        let nets: Vec<ipnet::IpNet> = allowed.iter().map(|net| net.parse().unwrap()).collect();
        Client::new(Guard::new(Allowed::new(&nets)), Arc::new(System))
    }

    async fn get(client: &Client, url: &Url, limit: usize) -> Result<Answer, Failed> {
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_millis(1500),
            limit,
        };
        client.send(request).await
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit_on_the_wire_and_after_decompression() {
        let client = client(&["127.0.0.0/8"]);
        let bomb = gzip(&vec![b'a'; 50_000_000]);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        let url = server([head.as_bytes(), &bomb].concat(), false).await;
        let answer = get(&client, &url, 100_000).await.unwrap();
        assert_eq!((answer.body.len(), answer.cut), (100_000, true));

        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
        let url = server(head.to_vec(), true).await;
        let answer = get(&client, &url, 5000).await.unwrap();
        assert_eq!((answer.body.len(), answer.cut), (5000, true));
    }

    #[tokio::test]
    async fn what_does_not_answer_is_given_up_and_what_breaks_is_told() {
        let client = client(&["127.0.0.0/8"]);
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", silent.local_addr().unwrap())).unwrap();
        assert!(matches!(get(&client, &url, 10).await, Err(Failed::TimedOut)));
        drop(silent);
        assert!(matches!(get(&client, &url, 10).await, Err(Failed::NoConnection)));
        let url = server(
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this".to_vec(),
            false,
        )
        .await;
        assert!(matches!(get(&client, &url, 1000).await, Err(Failed::Broken)));
    }

    #[tokio::test]
    async fn nothing_is_connected_to_that_is_not_open() {
        let url = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), false).await;
        let named = Url::parse(&format!("http://localhost:{}/", url.port().unwrap())).unwrap();
        let open = client(&["127.0.0.0/8", "::1/128"]);
        assert!(get(&open, &url, 10).await.is_ok() && get(&open, &named, 10).await.is_ok());
        // Another network is open, so its ports are; this one is not.
        let other = client(&["10.0.0.0/8"]);
        for url in [&url, &named] {
            let refused = get(&other, url, 10).await;
            assert!(matches!(refused, Err(Failed::Refused(_))), "{url}");
        }
    }

    #[test]
    fn what_is_compressed_is_bounded() {
        let bomb = gzip(&vec![0; 50_000_000]);
        assert!(bomb.len() < 100_000);
        let (text, cut) = gunzip(&bomb, 1000);
        assert_eq!((text.len(), cut), (1000, true));
        let (text, cut) = gunzip(&gzip(b"short"), 5);
        assert_eq!((&*text, cut), (&b"short"[..], false));
        assert!(gunzip(b"not gzip", 100).1);
    }
}
