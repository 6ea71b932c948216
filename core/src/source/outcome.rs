//! What an address turned out to hold, put on record.

use insula_tenancy::TenantTx;
use insula_tenancy::job::Lease;

use super::Source;
use super::fetch::{Fetched, PageKind};
use super::files::{self, Document};
use super::store::{self, Known, Queued};
use crate::{Error, Result, Services};

/// How often an address is asked within one crawl.
const TRIES: i32 = 3;
/// Redirects that are followed from an address that was linked.
const HOPS: i32 = 3;
/// How deep indexes of sitemaps may be nested, and how many sitemaps are read in a crawl.
const SITEMAP_DEPTH: i32 = 2;
const SITEMAPS: i64 = 50;

/// Whether there still was something to put on record.
pub(super) enum Kept {
    /// It is on record.
    Yes,
    /// The source is gone, or was begun anew.
    NotWanted,
}

/// Puts it on record, all in one transaction.
pub(super) async fn record(
    services: &Services,
    lease: &Lease,
    source: &Source,
    queued: &Queued,
    fetched: Fetched,
) -> Result<Kept> {
    let mut links = Vec::new();
    let stored = match fetched {
        Fetched::Page(page) => {
            links = page.links;
            let document = Document {
                body: page.body,
                filename: page.filename,
                etag: page.etag,
                last_modified: page.last_modified,
            };
            match files::keep(services, lease, source, queued, document, &links).await {
                // The page is at fault, or the tenant's quota; the crawl goes on.
                Err(
                    error @ (Error::Invalid { .. }
                    | Error::NotFound { .. }
                    | Error::Conflict(_)
                    | Error::TooLarge(_)
                    | Error::QuotaExceeded(_)
                    | Error::BudgetExceeded(_)
                    | Error::LimitReached { .. }),
                ) => Fetched::Failed {
                    reason: error.to_string(),
                    passing: false,
                },
                other => return other,
            }
        }
        other => other,
    };
    let mut tx = services.db.tenant(&lease.cx).await?;
    // Under the lease: a worker that lost it must not write.
    lease.payload(&mut tx).await?;
    if !store::is_queued(&mut tx, source.id, source.crawl, &queued.url).await? {
        return Ok(Kept::NotWanted);
    }
    match stored {
        Fetched::Page(_) | Fetched::NotYet(_) => {}
        Fetched::Unchanged => {
            files::confirm(&mut tx, source, queued).await?;
            store::set_unchanged(&mut tx, source.id, &queued.url).await?;
        }
        Fetched::Sitemap { pages, sitemaps } => {
            add_sitemaps(&mut tx, source, queued, &sitemaps).await?;
            store::add_pages(&mut tx, source, &pages, queued.depth + 1).await?;
            store::set_stored(&mut tx, source.id, &queued.url, &Known::default()).await?;
        }
        Fetched::Gone => {
            files::drop_page(&mut tx, source, queued).await?;
            store::set_state(
                &mut tx,
                source.id,
                &queued.url,
                "gone",
                "There is nothing any more.",
            )
            .await?;
        }
        Fetched::Skipped { reason, links } => {
            add_links(&mut tx, source, queued, &links).await?;
            files::drop_page(&mut tx, source, queued).await?;
            store::set_state(&mut tx, source.id, &queued.url, "skipped", &reason).await?;
        }
        Fetched::Redirect { to, same_site } => redirect(&mut tx, source, queued, &to, same_site).await?,
        Fetched::Busy(_) => again(&mut tx, source, queued, "The site is overloaded.").await?,
        Fetched::Failed {
            reason,
            passing: true,
        } => again(&mut tx, source, queued, &reason).await?,
        Fetched::Failed {
            reason,
            passing: false,
        } => {
            add_links(&mut tx, source, queued, &links).await?;
            store::set_state(&mut tx, source.id, &queued.url, "failed", &reason).await?;
        }
    }
    tx.commit().await?;
    Ok(Kept::Yes)
}

/// Links of a page, if it is not at the source's depth already.
pub(super) async fn add_links(
    tx: &mut TenantTx,
    source: &Source,
    queued: &Queued,
    links: &[String],
) -> Result<()> {
    let follows = source.settings.kind == PageKind::Page && queued.depth < source.settings.max_depth;
    if follows {
        store::add_pages(tx, source, links, queued.depth + 1).await?;
    }
    Ok(())
}

async fn add_sitemaps(
    tx: &mut TenantTx,
    source: &Source,
    queued: &Queued,
    sitemaps: &[String],
) -> Result<()> {
    if queued.depth < SITEMAP_DEPTH {
        store::add_sitemaps(tx, source, sitemaps, queued.depth + 1, SITEMAPS).await?;
    }
    Ok(())
}

async fn redirect(
    tx: &mut TenantTx,
    source: &Source,
    queued: &Queued,
    to: &str,
    same_site: bool,
) -> Result<()> {
    let refused = if queued.hops >= HOPS {
        Some("It redirects too often.")
    } else if !same_site && !queued.is_seed {
        // Only the source's own address may say where its site is.
        Some("It redirects to another site.")
    } else {
        None
    };
    match refused {
        Some(reason) => store::set_state(tx, source.id, &queued.url, "skipped", reason).await?,
        None => {
            store::add_target(tx, source, queued, to).await?;
            let note = format!("It redirects to {to}.");
            store::set_state(tx, source.id, &queued.url, "redirected", &note).await?;
        }
    }
    files::drop_page(tx, source, queued).await
}

/// Asks once more later in this crawl, or gives the address up for this time. A version that is known stays.
async fn again(tx: &mut TenantTx, source: &Source, queued: &Queued, reason: &str) -> Result<()> {
    if queued.tries + 1 < TRIES {
        store::set_again(tx, source.id, &queued.url, reason).await
    } else {
        store::set_state(tx, source.id, &queued.url, "failed", reason).await
    }
}
