//! Searches on their way to the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::{Db, TenantContext, TenantId};
use tokio::sync::mpsc;

use super::{Searched, store};
use crate::guard::Settings;
use crate::{Error, Result, housekeeping};

/// Searches that may wait. Beyond, the newest are not noted.
const WAITING: usize = 4096;
/// How long a batch waits for company.
const GATHER: Duration = Duration::from_millis(100);

struct Entry {
    cx: TenantContext,
    searched: Searched,
    redacted: bool,
}

/// Takes searches and writes them in the background.
#[derive(Clone)]
pub struct Searches {
    entries: mpsc::Sender<Entry>,
}

impl Searches {
    /// Starts the writer. It ends when the last clone is dropped, after what it was given.
    pub fn start(db: Db) -> Self {
        let (entries, mut waiting) = mpsc::channel::<Entry>(WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, WAITING).await > 0 {
                tokio::time::sleep(GATHER).await;
                while batch.len() < WAITING
                    && let Ok(entry) = waiting.try_recv()
                {
                    batch.push(entry);
                }
                for (cx, searches) in by_tenant(&mut batch) {
                    if let Err(error) = write(&db, &cx, searches).await {
                        tracing::warn!(%error, "searches were not noted");
                    }
                }
            }
        });
        Self { entries }
    }

    /// Notes a search soon, as the tenant's `settings` want it. Never waits.
    pub fn record(&self, cx: &TenantContext, settings: &Arc<Settings>, searched: Searched) {
        let minds = |policy: &Arc<crate::guard::Policy>| policy.minds_personal_data();
        let entry = Entry {
            cx: cx.clone(),
            redacted: settings.policy.as_ref().is_some_and(minds),
            searched: Searched {
                query: searched.query.filter(|_| settings.keeps_queries),
                ..searched
            },
        };
        if self.entries.try_send(entry).is_err() {
            tracing::warn!("a search was not noted: too many are waiting");
        }
    }
}

fn by_tenant(batch: &mut Vec<Entry>) -> impl Iterator<Item = (TenantContext, Vec<(Searched, bool)>)> {
    let mut found: HashMap<TenantId, (TenantContext, Vec<(Searched, bool)>)> = HashMap::new();
    for entry in batch.drain(..) {
        let (_, searches) = found
            .entry(entry.cx.tenant_id())
            .or_insert_with(|| (entry.cx, Vec::new()));
        searches.push((entry.searched, entry.redacted));
    }
    found.into_values()
}

async fn write(db: &Db, cx: &TenantContext, searches: Vec<(Searched, bool)>) -> Result<()> {
    let shaping = tokio::task::spawn_blocking(move || {
        let shaped = searches
            .into_iter()
            .map(|(searched, redacted)| searched.shaped(redacted));
        shaped.collect::<Vec<_>>()
    });
    let searches = shaping.await.map_err(Error::internal)?;
    let mut tx = db.tenant_in_passing(cx).await?;
    if searches.iter().any(|search| search.query.is_some()) {
        housekeeping::ensure(&mut tx).await?;
    }
    store::insert(&mut tx, &searches).await?;
    tx.commit().await?;
    Ok(())
}
