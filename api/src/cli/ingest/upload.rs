//! Sending a file, as it is read: whole, or in parts where it is large.

use std::cell::RefCell;
use std::io::{Error, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use http::Method;
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::client::{Api, ONCE, TRIES};
use super::disk::LocalFile;
use super::error::ApiError;
use super::progress::{Progress, Transfer};
use super::remote::{Created, fresh_key};

/// A file of more parts than this is sent in parts.
const WHOLE: u64 = 4;
/// How long a request may take, besides the time that its bytes take at the slowest rate.
const TIMEOUT: Duration = Duration::from_secs(600);
const SLOWEST_BYTES_PER_SECOND: u64 = 32 * 1024;
const READ_AHEAD: usize = 128 * 1024;

/// A file on its way.
pub(super) struct Upload<'a> {
    /// Where to.
    pub(super) api: &'a Api,
    /// Which.
    pub(super) file: &'a LocalFile,
    /// Bytes of a part.
    pub(super) part_size: u64,
    /// Where its bytes are counted.
    pub(super) progress: &'a Progress,
}

impl Upload<'_> {
    /// Sends it. The id of the file.
    ///
    /// # Errors
    /// When it is refused, cannot be read here, or is not the same any more.
    pub(super) async fn send(&self, key: &str) -> Result<String, ApiError> {
        if self.file.bytes > self.part_size.saturating_mul(WHOLE)
            && let Some(id) = self.send_parts(key).await?
        {
            return Ok(id);
        }
        let form = |body: Part| {
            Form::new()
                .text("purpose", "assistants")
                .part("file", body.file_name(self.name()))
        };
        let created: Created = self.stream("/v1/files", key, 0..self.file.bytes, form).await?;
        Ok(created.id)
    }

    fn name(&self) -> String {
        self.file
            .full
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// `None` if the server does not take parts.
    async fn send_parts(&self, key: &str) -> Result<Option<String>, ApiError> {
        let Some(upload) = self.begin(key).await? else {
            return Ok(None);
        };
        match self.fill(&upload, key).await {
            // An upload of an earlier run that the server remembers, and that takes no parts any more.
            Err(error) if matches!(error.status(), Some(400 | 404 | 409)) => {
                let key = fresh_key();
                match self.begin(&key).await? {
                    Some(upload) => self.fill(&upload, &key).await.map(Some),
                    None => Ok(None),
                }
            }
            filled => filled.map(Some),
        }
    }

    async fn begin(&self, key: &str) -> Result<Option<Created>, ApiError> {
        let new = json!({
            "filename": self.name(),
            "purpose": "assistants",
            "bytes": self.file.bytes,
            "mime_type": "application/octet-stream",
        });
        let request = async || {
            Ok(self
                .api
                .request(Method::POST, "/v1/uploads")
                .header(ONCE, key)
                .json(&new))
        };
        match self.api.call(TRIES, request).await {
            Err(error) if matches!(error.status(), Some(404 | 405)) => Ok(None),
            begun => begun.map(Some),
        }
    }

    /// Sends all parts, one after the other. The id of the file that they make.
    async fn fill(&self, upload: &Created, key: &str) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Completed {
            file: Created,
        }
        let path = format!("/v1/uploads/{}/parts", upload.id);
        let mut part_ids = Vec::new();
        let mut start = 0;
        while start < self.file.bytes {
            let end = self.file.bytes.min(start.saturating_add(self.part_size));
            let form = |body: Part| Form::new().part("data", body.file_name("part"));
            let part: Created = self
                .stream(&path, &format!("{key}-{start}"), start..end, form)
                .await?;
            part_ids.push(part.id);
            start = end;
        }
        let path = format!("/v1/uploads/{}/complete", upload.id);
        let (body, key) = (json!({ "part_ids": part_ids }), format!("{key}-complete"));
        let request = async || {
            let request = self.api.request(Method::POST, &path).header(ONCE, &key);
            // The server puts the parts together meanwhile.
            Ok(request.timeout(timeout(self.file.bytes)).json(&body))
        };
        let completed: Completed = self.api.call(TRIES, request).await?;
        Ok(completed.file.id)
    }

    /// Sends some bytes of the file as they are read.
    async fn stream<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        bytes: std::ops::Range<u64>,
        form: impl Fn(Part) -> Form,
    ) -> Result<T, ApiError> {
        let length = bytes.end - bytes.start;
        // The bytes of a try are counted as they go, and taken back when the next one begins.
        let transfer: RefCell<Option<Arc<Transfer>>> = RefCell::new(None);
        let request = async || {
            let mut disk = tokio::fs::File::open(&self.file.full).await?;
            if disk.metadata().await?.len() != self.file.bytes {
                return Err(Error::other("it changed while it was being sent"));
            }
            disk.seek(SeekFrom::Start(bytes.start)).await?;
            let this = Arc::new(self.progress.transfer());
            transfer.replace(Some(Arc::clone(&this)));
            let stream = ReaderStream::with_capacity(disk.take(length), READ_AHEAD)
                .inspect_ok(move |chunk| this.add(chunk.len() as u64));
            let body = Part::stream_with_length(Body::wrap_stream(stream), length);
            let request = self.api.request(Method::POST, path).header(ONCE, key);
            Ok(request.timeout(timeout(length)).multipart(form(body)))
        };
        let answer = self.api.call(TRIES, request).await?;
        if let Some(transfer) = transfer.take() {
            transfer.arrived();
        }
        Ok(answer)
    }
}

fn timeout(bytes: u64) -> Duration {
    TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
}
