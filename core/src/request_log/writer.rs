//! Entries on their way to the database.

use insula_tenancy::{Db, TenantContext};
use tokio::sync::mpsc;

use super::{Logging, NewRequestLog, record};
use crate::{Error, Result};

/// Entries that may wait. Beyond, the newest are dropped.
const WAITING: usize = 1024;

struct Entry {
    cx: TenantContext,
    logging: Logging,
    new: NewRequestLog,
}

/// Takes entries and writes them in the background.
#[derive(Clone)]
pub struct RequestLogs {
    entries: mpsc::Sender<Entry>,
}

impl RequestLogs {
    /// Starts the writer. It ends when the last clone is dropped, after what it was given.
    pub fn start(db: Db) -> Self {
        let (entries, mut waiting) = mpsc::channel::<Entry>(WAITING);
        tokio::spawn(async move {
            while let Some(entry) = waiting.recv().await {
                if let Err(error) = write(&db, entry).await {
                    tracing::warn!(%error, "a request log was lost");
                }
            }
        });
        Self { entries }
    }

    /// Writes an entry soon, as `logging` wants it. Never waits.
    pub fn record(&self, cx: &TenantContext, logging: Logging, new: NewRequestLog) {
        let entry = Entry {
            cx: cx.clone(),
            logging,
            new,
        };
        if self.entries.try_send(entry).is_err() {
            tracing::warn!("a request log was dropped: too many are waiting");
        }
    }
}

async fn write(db: &Db, Entry { cx, logging, new }: Entry) -> Result<()> {
    let shaping = tokio::task::spawn_blocking(move || new.shaped(logging));
    let new = shaping.await.map_err(Error::internal)?;
    let mut tx = db.tenant_in_passing(&cx).await?;
    record(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(())
}
