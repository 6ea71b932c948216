//! What the meter does by itself: the heartbeat, giving back what is idle, recording what dead servers left.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::{Inner, journal_error};
use crate::server::{HEARTBEAT, Server};
use crate::usage::{self, UsageEvent, journal};
use crate::{Db, Result, alert};

/// How often idle slices are looked for.
const TIDY: Duration = Duration::from_millis(250);
/// How often the journals of dead servers are looked for.
const ADOPT: Duration = Duration::from_secs(30);
/// Most events of one transaction.
const BATCH: usize = 2_000;

/// Runs until the meter is gone.
pub(super) async fn run(meter: Weak<Inner>) {
    let mut ticks = interval(TIDY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut beaten, mut adopted) = (Instant::now(), Instant::now());
    loop {
        ticks.tick().await;
        let Some(inner) = meter.upgrade() else { return };
        if beaten.elapsed() >= HEARTBEAT {
            match inner.server.beat(&inner.db).await {
                Ok(()) => beaten = Instant::now(),
                Err(error) => tracing::warn!(%error, "heartbeat"),
            }
        }
        // A server that is alone has nobody to give to.
        if inner.server.count() > 1
            && let Err(error) = tidy(&inner).await
        {
            tracing::warn!(%error, "what is idle was not given back");
        }
        if adopted.elapsed() >= ADOPT {
            adopted = Instant::now();
            let done = adopt(&inner.db, &inner.server, &inner.folder).await;
            if let Err(error) = done.and(alert::sweep(&inner.db).await) {
                tracing::warn!(%error, "upkeep of the ledger");
            }
        }
    }
}

async fn tidy(inner: &Inner) -> Result<()> {
    for (_, window) in &inner.accounts.windows {
        window.give_back_if_idle(&inner.db).await?;
    }
    for (_, permits) in &inner.accounts.permits {
        permits.give_back_if_idle(&inner.db, &inner.server).await?;
    }
    for (_, purse) in &inner.accounts.purses {
        purse.give_back_if_idle(&inner.db, &inner.server).await?;
    }
    Ok(())
}

/// Records what servers on this machine left behind. Their calls that had no end count as cancelled, with what was noted.
pub(super) async fn adopt(db: &Db, server: &Arc<Server>, folder: &Path) -> Result<()> {
    while let Some(abandoned) = journal::adopt(folder).map_err(|error| journal_error(folder, &error))? {
        let mut new = 0;
        for batch in abandoned.events.chunks(BATCH) {
            let events: Vec<&UsageEvent> = batch.iter().collect();
            new += usage::record(db, server.id(), &events, &[]).await?.events;
        }
        tracing::info!(new, "recorded usage from the journal of a server that is gone");
        abandoned.remove();
    }
    Ok(())
}
