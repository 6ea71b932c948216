//! What a crawl needs of the web, without HTTP.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// Reads the web for tenants: nothing that is not public, unless the operator opened it, and politely.
pub trait Fetcher: Send + Sync + 'static {
    /// The one spelling of an address (no fragment, no default port, sorted out dots), if it may be asked at all.
    ///
    /// # Errors
    /// What is wrong with it, for the tenant's developer. A name is looked up only when it is asked.
    fn canonical(&self, url: &str) -> Result<String, String>;

    /// Begins a visit, which remembers what the sites it comes to allow.
    fn visit(&self) -> Box<dyn Visit>;
}

/// Some requests in a row for one crawl.
#[async_trait]
pub trait Visit: Send {
    /// Asks for one address. Follows no redirect: where it leads is asked for, and checked, like any other address.
    async fn get(&mut self, ask: Ask<'_>) -> Fetched;
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// A canonical address.
    pub url: &'a str,
    /// What is expected there.
    pub kind: PageKind,
    /// Of the version that is known.
    pub etag: Option<&'a str>,
    /// Of the version that is known.
    pub last_modified: Option<&'a str>,
}

/// What an address of a crawl holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// Something to be read.
    Page,
    /// A list of pages, or of further sitemaps.
    Sitemap,
}

impl PageKind {
    /// The stored form.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Sitemap => "sitemap",
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub enum Fetched {
    /// A document.
    Page(FetchedPage),
    /// Addresses of the sitemap's own site, canonical.
    Sitemap {
        /// Pages.
        pages: Vec<String>,
        /// Further sitemaps.
        sitemaps: Vec<String>,
    },
    /// The known version still holds.
    Unchanged,
    /// There is nothing any more: 404 or 410.
    Gone,
    /// It is elsewhere now.
    Redirect {
        /// Canonical.
        to: String,
        /// Whether scheme, host and port stay the same.
        same_site: bool,
    },
    /// It is there, but is not to be stored: robots.txt or the page itself says so, or it holds nothing to read.
    Skipped {
        /// Why, for the tenant's developer.
        reason: String,
        /// Addresses of the same site that it leads to, canonical.
        links: Vec<String>,
    },
    /// The site is to be asked later, because of how fast it may be asked. Nothing was sent.
    NotYet(Duration),
    /// The site said that it is overloaded.
    Busy(Option<Duration>),
    /// No answer, or none that is of use.
    Failed {
        /// Why, for the tenant's developer.
        reason: String,
        /// Whether another try may help.
        passing: bool,
    },
}

/// A document of the web.
#[derive(Debug)]
pub struct FetchedPage {
    /// Its bytes, decompressed.
    pub body: Bytes,
    /// How a file of this content would be called.
    pub filename: String,
    /// Addresses of the same site that it leads to, canonical, each once.
    pub links: Vec<String>,
    /// For asking again.
    pub etag: Option<String>,
    /// For asking again.
    pub last_modified: Option<String>,
}
