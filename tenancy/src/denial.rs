//! Refusals for want of a scope, for the audit log: somebody tried what it may not do.

use std::time::Duration;

use moka::sync::Cache;

use crate::audit::{self, Act, Event};
use crate::{Authenticator, Db, Result, Scope, TenantContext, TenantId};

/// One caller and one scope are logged once in so long: a program that goes on trying does not fill the log.
const ONCE_IN: Duration = Duration::from_secs(60);
/// Most that is remembered.
const REMEMBERED: u64 = 10_000;

/// What was logged of late.
pub(crate) type Denials = Cache<(TenantId, String, Scope), ()>;

/// Nothing was logged yet.
pub(crate) fn none() -> Denials {
    Cache::builder()
        .max_capacity(REMEMBERED)
        .time_to_live(ONCE_IN)
        .build()
}

impl Authenticator {
    /// Logs that a caller lacked `scope`. If that fails, the caller is refused all the same.
    pub async fn record_denial(&self, cx: &TenantContext, scope: Scope) {
        let who = (cx.tenant_id(), cx.origin().by.to_string(), scope);
        if !self.denials.entry(who).or_insert(()).is_fresh() {
            return;
        }
        if let Err(error) = record(&self.db, cx, scope).await {
            tracing::warn!(%error, "a refusal was not logged");
        }
    }
}

async fn record(db: &Db, cx: &TenantContext, scope: Scope) -> Result<()> {
    let mut tx = db.tenant(cx).await?;
    audit::record(&mut tx, Act::new(Event::AccessDenied, scope)).await?;
    tx.commit().await
}
