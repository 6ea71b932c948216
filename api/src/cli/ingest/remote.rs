//! What is asked of the server: stores and their files, as any client of the API sees them.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Api, FIRST_TRIES, ONCE, TRIES};
use super::disk::LocalFile;
use super::error::ApiError;

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
pub(super) struct Created {
    /// The id.
    pub(super) id: String,
}

impl Api {
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
                .header(ONCE, &key)
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
}

/// A key for what must not be done twice in this run, and may be done again in the next.
pub(super) fn fresh_key() -> String {
    format!("insula-ingest-{}", insula_tenancy::new_uuid().simple())
}
