//! A crawl, some addresses at a time.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use insula_tenancy::job::Lease;
use insula_tenancy::{SourceId, TenantTx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::fetch::{Ask, Fetched};
use super::outcome::{self, Kept};
use super::refresh::RefreshSource;
use super::settle::SettleSource;
use super::store::{self, Queued};
use super::{Source, SourceStatus};
use crate::ingest::ParseError;
use crate::webhook::{self, EventType};
use crate::worker::{Class, Failure, Job, enqueue_after};
use crate::{Result, Services};

/// Addresses of one run. Then others have their turn.
const AT_ONCE: usize = 20;
/// How long one run may go on before it makes room for others.
const RUN_FOR: Duration = Duration::from_secs(10);
/// How long a site that is overloaded is left alone, if it does not say.
const REST: Duration = Duration::from_secs(60);
/// The longest that a site may send us away for.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// Reads some more of a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CrawlSource {
    source_id: Uuid,
    crawl: i32,
}

impl CrawlSource {
    pub(super) fn new(source_id: SourceId, crawl: i32) -> Self {
        Self {
            source_id: source_id.uuid(),
            crawl,
        }
    }
}

/// How a run ended.
enum End {
    /// Nothing is left.
    Done,
    /// There is more, after a pause.
    More(Duration),
}

#[async_trait]
impl Job for CrawlSource {
    const KIND: &'static str = "crawl_source";
    const CLASS: Class = Class::Light;
    // After deliveries of events, which are quick.
    const PRIORITY: i32 = -5;

    fn unique_key(&self) -> Option<String> {
        Some(self.source_id.simple().to_string())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let id = SourceId::from(self.source_id);
        let mut tx = services.db.tenant(&lease.cx).await?;
        let source = store::find(&mut tx, id).await?;
        let Some(source) = source.filter(|source| source.crawl == self.crawl) else {
            // Deleted, or begun anew.
            lease.complete(&mut tx).await?;
            tx.commit().await?;
            return Ok(());
        };
        store::set_crawling(&mut tx, id).await?;
        tx.commit().await?;

        let end = run(services, lease, &source).await?;

        let mut tx = services.db.tenant(&lease.cx).await?;
        // First, so that the next run is not taken for a second one of this.
        lease.complete(&mut tx).await?;
        match end {
            End::More(pause) => enqueue_after(&mut tx, self, pause).await?,
            End::Done => finish(&mut tx, &source).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    async fn buried(&self, tx: &mut TenantTx, _: &ParseError) -> Result<()> {
        let message = "The crawl could not be finished after several attempts. The operator can see why.";
        store::give_up(tx, self.source_id.into(), self.crawl, message).await
    }
}

async fn run(services: &Services, lease: &Lease, source: &Source) -> Result<End> {
    let started = Instant::now();
    let mut visit = services.fetcher.visit();
    for _ in 0..AT_ONCE {
        let mut tx = services.db.tenant(&lease.cx).await?;
        let next = store::next(&mut tx, source.id, source.crawl).await?;
        tx.commit().await?;
        let Some(queued) = next else {
            return Ok(End::Done);
        };
        if started.elapsed() > RUN_FOR {
            break;
        }
        let fetched = visit.get(ask(&queued)).await;
        let rest = match &fetched {
            Fetched::NotYet(pause) => return Ok(End::More(*pause)),
            Fetched::Busy(pause) => Some(pause.unwrap_or(REST).clamp(Duration::from_secs(1), LONGEST_REST)),
            _ => None,
        };
        match outcome::record(services, lease, source, &queued, fetched).await? {
            Kept::Yes => {}
            // Deleted, or begun anew, while we were away.
            Kept::NotWanted => return Ok(End::Done),
        }
        if let Some(rest) = rest {
            return Ok(End::More(rest));
        }
    }
    Ok(End::More(Duration::ZERO))
}

fn ask(queued: &Queued) -> Ask<'_> {
    // Without a file, "unchanged" would be no answer.
    let known = queued.file_id.is_some();
    Ask {
        url: &queued.url,
        kind: queued.kind,
        etag: queued.etag.as_deref().filter(|_| known),
        last_modified: queued.last_modified.as_deref().filter(|_| known),
    }
}

async fn finish(tx: &mut TenantTx, source: &Source) -> Result<()> {
    let Some(status) = store::finish(tx, source.id, source.crawl).await? else {
        return Ok(());
    };
    if let Some(hours) = source.settings.refresh_every_hours {
        let pause = Duration::from_secs(3600 * u64::from(hours.unsigned_abs()));
        enqueue_after(tx, &RefreshSource::new(source.id, source.crawl), pause).await?;
    }
    if store::is_unsettled(tx, source.id).await? {
        SettleSource::plan(tx, source.id).await?;
    }
    let data = json!({
        "source_id": source.id,
        "vector_store_id": source.settings.vector_store_id,
        "status": SourceStatus::as_str(status),
    });
    webhook::emit(tx, EventType::SourceCrawled, data).await
}
