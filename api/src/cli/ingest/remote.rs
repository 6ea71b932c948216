//! The server, as any client of its API sees it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use http::Method;
use http::header::{HeaderMap, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::disk::LocalFile;
use super::error::ApiError;
use super::progress::{Progress, Transfer};

/// A vector store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Store {
    /// `vs_…`
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
}

/// A file of a vector store.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StoreFile {
    /// `file-…`
    pub(super) id: String,
    /// How far it is.
    pub(super) status: Status,
    /// When it was attached, in Unix seconds.
    pub(super) created_at: i64,
    /// Why it failed.
    pub(super) last_error: Option<LastError>,
    /// What was kept with it.
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, Value>,
}

impl StoreFile {
    /// An attribute, if it is a text.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }
}

/// How far a file of a vector store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Waiting or being read.
    InProgress,
    /// Searchable.
    Completed,
    /// Not readable.
    Failed,
    /// Given up on request.
    Cancelled,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LastError {
    /// Such as `unsupported_file`.
    pub(super) code: String,
    /// For people.
    pub(super) message: String,
}

/// Direction of a list by creation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

/// A part of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    /// At most a hundred.
    pub(super) data: Vec<T>,
    /// Whether more follow.
    pub(super) has_more: bool,
}

/// Whatever has an id.
#[derive(Debug, Deserialize)]
struct Created {
    id: String,
}

/// How often a request is tried while files are under way: over a minute, so that a server may start again.
const TRIES: u32 = 10;
/// How often the first request is tried. Somebody waits, and the address may be wrong.
const FIRST_TRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause that a server may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);
/// How long a request without a file may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// An upload may take this long, and as much again as its bytes take at the slowest rate.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
const SLOWEST_BYTES_PER_SECOND: u64 = 32 * 1024;
const READ_AHEAD: usize = 128 * 1024;

/// A server and the key to it.
#[derive(Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    root: String,
    key: SecretString,
}

impl Api {
    /// `root` is the address with or without `/v1`.
    pub(super) fn new(root: &str, key: SecretString) -> anyhow::Result<Self> {
        let root = root.trim_end_matches('/');
        Ok(Self {
            http: insula_inference::http::client(Default::default())?,
            root: root.strip_suffix("/v1").unwrap_or(root).to_owned(),
            key,
        })
    }

    /// The vector stores with this name. The first request of a run.
    pub(super) async fn stores_named(&self, name: &str) -> Result<Vec<Store>, ApiError> {
        let mut found = Vec::new();
        let (mut after, mut tries) = (String::new(), FIRST_TRIES);
        loop {
            let path = format!("/v1/vector_stores?order=asc&limit=100{after}");
            let page: Page<Store> = self
                .call(tries, async || Ok(self.request(Method::GET, &path)))
                .await?;
            tries = TRIES;
            match page.data.last() {
                Some(last) if page.has_more => after = format!("&after={}", last.id),
                _ => after.clear(),
            }
            found.extend(page.data.into_iter().filter(|store| store.name == name));
            if after.is_empty() {
                return Ok(found);
            }
        }
    }

    /// The vector store with this id. The first request of a run.
    pub(super) async fn store(&self, id: &str) -> Result<Store, ApiError> {
        let path = format!("/v1/vector_stores/{id}");
        self.call(FIRST_TRIES, async || Ok(self.request(Method::GET, &path)))
            .await
    }

    /// Makes a vector store.
    pub(super) async fn create_store(&self, name: &str) -> Result<Store, ApiError> {
        // Another key in every run: a store that was deleted must not be remembered.
        let key = fresh_key();
        let body = json!({ "name": name });
        let request = async || {
            Ok(self
                .request(Method::POST, "/v1/vector_stores")
                .header(KEY, &key)
                .json(&body))
        };
        self.call(TRIES, request).await
    }

    /// A hundred files of a store.
    pub(super) async fn files(
        &self,
        store: &Store,
        status: Option<Status>,
        order: Order,
        after: Option<&str>,
    ) -> Result<Page<StoreFile>, ApiError> {
        let order = match order {
            Order::Asc => "asc",
            Order::Desc => "desc",
        };
        let mut path = format!("/v1/vector_stores/{}/files?limit=100&order={order}", store.id);
        if let Some(status) = status {
            path += &format!("&filter={}", status.as_str());
        }
        if let Some(after) = after {
            path += &format!("&after={after}");
        }
        self.call(TRIES, async || Ok(self.request(Method::GET, &path)))
            .await
    }

    /// Attaches a file to a store. If it replaces another one, that one is found until this one can be.
    pub(super) async fn attach(
        &self,
        store: &Store,
        file_id: &str,
        file: &LocalFile,
        replaces: Option<&str>,
    ) -> Result<StoreFile, ApiError> {
        let path = format!("/v1/vector_stores/{}/files", store.id);
        let attributes = json!({ "path": file.path, "sha256": file.sha256, "mtime": file.modified });
        let mut body = json!({ "file_id": file_id, "attributes": attributes });
        if let Some(replaces) = replaces {
            body["replaces"] = replaces.into();
        }
        self.call(TRIES, async || Ok(self.request(Method::POST, &path).json(&body)))
            .await
    }

    /// Deletes a file, also from its stores. One that is gone is as good.
    pub(super) async fn delete(&self, file_id: &str) -> Result<(), ApiError> {
        let path = format!("/v1/files/{file_id}");
        let deleted: Result<Created, ApiError> = self
            .call(TRIES, async || Ok(self.request(Method::DELETE, &path)))
            .await;
        match deleted {
            Err(error) if error.status() != Some(404) => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a file, in parts of `part_size` bytes if it has more than four of them and the server takes parts. Its id.
    pub(super) async fn upload(
        &self,
        file: &LocalFile,
        key: &str,
        part_size: u64,
        progress: &Progress,
    ) -> Result<String, ApiError> {
        if file.bytes > part_size.saturating_mul(4)
            && let Some(id) = self.upload_in_parts(file, key, part_size, progress).await?
        {
            return Ok(id);
        }
        let form = |body: Part| {
            let name = file
                .full
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            Form::new()
                .text("purpose", "assistants")
                .part("file", body.file_name(name))
        };
        let created: Created = self
            .send("/v1/files", key, file, 0, file.bytes, form, progress)
            .await?;
        Ok(created.id)
    }

    /// `None` if the server does not take parts.
    async fn upload_in_parts(
        &self,
        file: &LocalFile,
        key: &str,
        part_size: u64,
        progress: &Progress,
    ) -> Result<Option<String>, ApiError> {
        #[derive(Deserialize)]
        struct Completed {
            file: Created,
        }
        let name = file.full.file_name().unwrap_or_default().to_string_lossy();
        let new = json!({
            "filename": name, "purpose": "assistants", "bytes": file.bytes, "mime_type": "application/octet-stream",
        });
        let request = async || {
            Ok(self
                .request(Method::POST, "/v1/uploads")
                .header(KEY, key)
                .json(&new))
        };
        let upload: Created = match self.call(TRIES, request).await {
            Err(error) if matches!(error.status(), Some(404 | 405)) => return Ok(None),
            created => created?,
        };
        let mut part_ids = Vec::new();
        for (index, start) in (0..file.bytes).step_by(step(part_size)).enumerate() {
            let path = format!("/v1/uploads/{}/parts", upload.id);
            let bytes = part_size.min(file.bytes - start);
            let form = |body| Form::new().part("data", body);
            let key = format!("{key}-{index}");
            let part: Created = self.send(&path, &key, file, start, bytes, form, progress).await?;
            part_ids.push(part.id);
        }
        let path = format!("/v1/uploads/{}/complete", upload.id);
        let body = json!({ "part_ids": part_ids });
        let key = format!("{key}-complete");
        let request = async || Ok(self.request(Method::POST, &path).header(KEY, &key).json(&body));
        let completed: Completed = self.call(TRIES, request).await?;
        Ok(Some(completed.file.id))
    }

    /// Sends `bytes` of a file from `start` on, as they are read.
    #[expect(
        clippy::too_many_arguments,
        reason = "where to, which bytes, and how they are wrapped"
    )]
    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        file: &LocalFile,
        start: u64,
        bytes: u64,
        form: impl Fn(Part) -> Form,
        progress: &Progress,
    ) -> Result<T, ApiError> {
        let timeout = UPLOAD_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND);
        // The bytes of a try are counted as they go, and taken back when the next one begins.
        let transfer: RefCell<Option<Arc<Transfer>>> = RefCell::new(None);
        let request = async || {
            let mut disk = tokio::fs::File::open(&file.full).await?;
            disk.seek(SeekFrom::Start(start)).await?;
            let this = Arc::new(progress.transfer());
            transfer.replace(Some(Arc::clone(&this)));
            let stream = ReaderStream::with_capacity(disk.take(bytes), READ_AHEAD)
                .inspect_ok(move |chunk| this.add(chunk.len() as u64));
            let body = Part::stream_with_length(Body::wrap_stream(stream), bytes);
            let request = self.request(Method::POST, path).header(KEY, key);
            Ok(request.timeout(timeout).multipart(form(body)))
        };
        let answer = self.call(TRIES, request).await?;
        if let Some(transfer) = transfer.take() {
            transfer.arrived();
        }
        Ok(answer)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.root))
            .timeout(TIMEOUT)
            .bearer_auth(self.key.expose_secret())
    }

    /// Sends a request until there is an answer that is worth having.
    async fn call<T: DeserializeOwned>(
        &self,
        tries: u32,
        request: impl AsyncFn() -> std::io::Result<RequestBuilder>,
    ) -> Result<T, ApiError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let request = request().await.map_err(ApiError::Disk)?;
            let (error, asked) = match request.send().await {
                Ok(response) if response.status().is_success() => match response.json().await {
                    Ok(answer) => return Ok(answer),
                    Err(error) if error.is_decode() => return Err(ApiError::NotInsula(self.root.clone())),
                    Err(error) => (ApiError::unreachable(&self.root, error), None),
                },
                Ok(response) => {
                    let (again, asked) = (may_try_again(&response), retry_after(response.headers()));
                    let error = ApiError::refused(response).await;
                    if !again {
                        return Err(error);
                    }
                    (error, asked)
                }
                Err(error) if error.is_builder() => return Err(ApiError::unreachable(&self.root, error)),
                Err(error) => (ApiError::unreachable(&self.root, error), None),
            };
            if tried >= tries {
                return Err(error);
            }
            tracing::debug!(%error, tried, "trying again");
            tokio::time::sleep(pause(tried, asked, rand::random())).await;
        }
    }
}

const KEY: &str = "idempotency-key";

/// A key for what must not be done twice in this run, and may be done again in the next.
pub(super) fn fresh_key() -> String {
    format!("insula-ingest-{}", insula_tenancy::new_uuid().simple())
}

fn step(part_size: u64) -> usize {
    usize::try_from(part_size).unwrap_or(usize::MAX).max(1)
}

fn may_try_again(response: &Response) -> bool {
    if let Some(advice) = response.headers().get("x-should-retry") {
        return advice == "true";
    }
    matches!(response.status().as_u16(), 408 | 429 | 500..)
}

/// What the server asked for: milliseconds if it says so, otherwise seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let milliseconds = number("retry-after-ms").map(Duration::from_millis);
    milliseconds.or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs))
}

/// How long to wait after so many tries: as long as the server asked for, otherwise twice as long each time; and up to a
/// quarter longer, `jitter` being from 0 to 1, so that many do not come back at once.
fn pause(tried: u32, asked: Option<Duration>, jitter: f64) -> Duration {
    let grown = FIRST_PAUSE
        .saturating_mul(1 << tried.saturating_sub(1).min(16))
        .min(LONGEST_PAUSE);
    let pause = asked.map_or(grown, |asked| asked.min(LONGEST_RETRY_AFTER));
    pause.mul_f64(1.0 + jitter / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_with_or_without_the_version() {
        for address in ["http://a:1", "http://a:1/", "http://a:1/v1", "http://a:1/v1/"] {
            assert_eq!(Api::new(address, "k".into()).unwrap().root, "http://a:1");
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_the_server_has_the_word() {
        let pauses: Vec<f64> = (1..=7)
            .map(|tried| pause(tried, None, 0.0).as_secs_f64())
            .collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]);
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), 0.0).as_secs();
        assert_eq!((asked(0), asked(7), asked(3600)), (0, 7, 120));
        assert_eq!(pause(3, None, 1.0), Duration::from_millis(2500));
        assert_eq!(pause(u32::MAX, None, 0.0), LONGEST_PAUSE);
    }

    #[test]
    fn the_servers_wish_is_read_in_both_forms() {
        let wish = |headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            retry_after(&headers.collect())
        };
        assert_eq!(
            wish(&[("retry-after", "2"), ("retry-after-ms", "1200")]),
            Some(Duration::from_millis(1200))
        );
        assert_eq!(wish(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wish(&[("retry-after", "Fri, 01 Jan 2027 00:00:00 GMT")]), None);
    }
}
