//! Web pages and sitemaps that are read into a vector store, again and again.
//!
//! A source is crawled by a job that takes some addresses at a time from a frontier in the database, so that a crawl
//! survives whatever dies. Each page becomes a file of the store; on a later crawl, what did not change is left alone,
//! what did is replaced once the new version is searchable, and what is gone is taken out.

mod crawl;
mod fetch;
mod files;
mod outcome;
mod refresh;
mod settle;
mod store;

use chrono::{DateTime, Utc};
use insula_tenancy::{SourceId, TenantTx, VectorStoreId};

pub use fetch::{Ask, Fetched, FetchedPage, Fetcher, PageKind, Visit};

pub(crate) use crawl::CrawlSource;
pub(crate) use files::DropFiles;
pub(crate) use refresh::RefreshSource;
pub(crate) use settle::SettleSource;

use crate::page::{Listing, Page, unknown_cursor};
use crate::vector_store::file::Chunking;
use crate::vector_store::{self, Attributes};
use crate::worker::enqueue;
use crate::{Error, Result};

/// Most sources of a tenant.
const MOST: i64 = 200;

/// A page or sitemap that is read into a vector store.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What it is.
    pub settings: NewSource,
    /// How far it is.
    pub status: SourceStatus,
    /// Why nothing could be read, if so.
    pub last_error: Option<String>,
    /// Its addresses by state.
    pub pages: PageCounts,
    /// When it was last read through.
    pub last_crawled_at: Option<DateTime<Utc>>,
    /// When it will be read again by itself.
    pub next_crawl_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Which crawl is under way, or was the last.
    crawl: i32,
}

/// A source to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSource {
    /// Where its files go.
    pub vector_store_id: VectorStoreId,
    /// Where it begins.
    pub url: String,
    /// What is there.
    pub kind: PageKind,
    /// How many links away pages are still read, 0..=3. Without meaning for a sitemap.
    pub max_depth: i32,
    /// How many pages are read at most, 1..=1000.
    pub max_pages: i32,
    /// Hours from one crawl to the next, 1..=8760; `None`: on request only.
    pub refresh_every_hours: Option<i32>,
    /// Attributes of its files, besides their `url`.
    pub attributes: Attributes,
    /// How its files are cut.
    pub chunking: Chunking,
}

/// How far a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceStatus {
    /// A crawl is about to begin.
    Waiting,
    /// A crawl is under way.
    Crawling,
    /// Read through; some of its pages at least.
    Idle,
    /// The last crawl found nothing that could be read.
    Failed,
}

impl SourceStatus {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Crawling => "crawling",
            Self::Idle => "idle",
            Self::Failed => "failed",
        }
    }
}

/// How many addresses of a source are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct PageCounts {
    /// Not asked yet in the crawl that is under way.
    pub queued: i64,
    /// Files of the store.
    pub stored: i64,
    /// Not to be stored: robots.txt, `noindex`, nothing to read.
    pub skipped: i64,
    /// Answered 404 or 410.
    pub gone: i64,
    /// Could not be read; an earlier version may be in the store.
    pub failed: i64,
}

/// An address of a source.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SourcePage {
    /// Canonical.
    pub url: String,
    /// `queued`, `stored`, `redirected`, `skipped`, `gone` or `failed`.
    pub state: String,
    /// How many links from the source's own address.
    pub depth: i32,
    /// Its file, if there is one.
    pub file_id: Option<insula_tenancy::FileId>,
    /// Why there is none, or none that is new.
    pub error: Option<String>,
    /// When it was last asked for.
    pub fetched_at: Option<DateTime<Utc>>,
}

/// Makes a source and begins its first crawl.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store; [`Error::Invalid`] for an address that `fetcher` refuses or values out of
/// range; [`Error::Conflict`] if there are too many already.
pub async fn create(tx: &mut TenantTx, fetcher: &dyn Fetcher, mut new: NewSource) -> Result<Source> {
    new.url = fetcher
        .canonical(&new.url)
        .map_err(|reason| Error::invalid("url", reason))?;
    for (param, value, range) in [
        ("max_depth", new.max_depth, 0..=3),
        ("max_pages", new.max_pages, 1..=1000),
        (
            "refresh_every_hours",
            new.refresh_every_hours.unwrap_or(1),
            1..=8760,
        ),
    ] {
        if !range.contains(&value) {
            let message = format!("Must be between {} and {}.", range.start(), range.end());
            return Err(Error::invalid(param, message));
        }
    }
    new.chunking.check()?;
    if new.attributes.contains_key("url") {
        return Err(Error::invalid(
            "attributes",
            "The attribute 'url' is the page's own.",
        ));
    }
    vector_store::check_attributes(&files::attributes(&new.attributes, &new.url))?;
    vector_store::locate(tx, new.vector_store_id)
        .await
        .map_err(|error| match error {
            Error::NotFound { message, code, .. } => Error::NotFound {
                message,
                code,
                param: Some("vector_store_id".into()),
            },
            other => other,
        })?;
    if store::count(tx).await? >= MOST {
        return Err(Error::Conflict(format!(
            "There are {MOST} sources already; delete one first."
        )));
    }
    let id = store::insert(tx, &new).await?;
    begin(tx, id, 1).await?;
    get(tx, id).await
}

/// The source of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: SourceId) -> Result<Source> {
    store::find(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("source", id))
}

/// A part of the tenant's sources.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a source of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Source>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your sources"));
        }
    }
    store::list(tx, page).await
}

/// All addresses of a source, in the order of their links.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn pages(tx: &mut TenantTx, id: SourceId) -> Result<Vec<SourcePage>> {
    get(tx, id).await?;
    store::pages(tx, id).await
}

/// Begins a crawl, unless one is under way.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn refresh(tx: &mut TenantTx, id: SourceId) -> Result<Source> {
    store::lock(tx, id).await?;
    let source = get(tx, id).await?;
    match source.status {
        SourceStatus::Waiting | SourceStatus::Crawling => Ok(source),
        SourceStatus::Idle | SourceStatus::Failed => {
            begin(tx, id, source.crawl + 1).await?;
            get(tx, id).await
        }
    }
}

/// Deletes a source. Its files are taken out of the store, and deleted where no other store has them, by jobs soon after;
/// or they stay as they are.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut TenantTx, id: SourceId, keep_files: bool) -> Result<()> {
    store::lock(tx, id).await?;
    let source = get(tx, id).await?;
    if !keep_files {
        let files = store::files(tx, id).await?;
        for some in files.chunks(DropFiles::AT_ONCE) {
            enqueue(tx, &DropFiles::new(source.settings.vector_store_id, some)).await?;
        }
    }
    store::delete(tx, id).await
}

/// Puts everything that is known, and the source's own address, into the frontier.
async fn begin(tx: &mut TenantTx, id: SourceId, crawl: i32) -> Result<()> {
    store::begin(tx, id, crawl).await?;
    enqueue(tx, &CrawlSource::new(id, crawl)).await
}
