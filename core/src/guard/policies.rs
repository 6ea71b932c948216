//! Every tenant's policy, at hand: what a call has to know before it begins, without a query of its own.

use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::{Db, TenantContext, TenantId};
use moka::future::Cache;

use super::{Policy, store};
use crate::request_log::{self, Logging};
use crate::{Error, Result, search_analytics};

/// How long settings may be served from memory: a change is effective on every server within this time.
const CACHE_FOR: Duration = Duration::from_secs(1);
const CACHED_TENANTS: u64 = 100_000;

/// What a tenant wants done to all its calls.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Its guardrails, if it has any.
    pub policy: Option<Arc<Policy>>,
    /// How its calls are logged, if they are.
    pub logging: Option<Logging>,
    /// Whether what it searches for is kept.
    pub keeps_queries: bool,
}

/// The settings of all tenants that have called of late.
#[derive(Clone)]
pub struct Policies {
    cache: Cache<TenantId, Arc<Settings>>,
}

impl Default for Policies {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHED_TENANTS)
            .time_to_live(CACHE_FOR)
            .build();
        Self { cache }
    }
}

impl Policies {
    /// The caller's settings, at most a second old.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn of(&self, db: &Db, cx: &TenantContext) -> Result<Arc<Settings>> {
        if let Some(found) = self.cache.get(&cx.tenant_id()).await {
            return Ok(found);
        }
        let found = self.cache.try_get_with(cx.tenant_id(), load(db, cx)).await;
        found.map_err(|error| match &*error {
            Error::Overloaded { message, retry_after } => Error::Overloaded {
                message: message.clone(),
                retry_after: *retry_after,
            },
            other => Error::internal(format!("loading a tenant's settings: {other:?}")),
        })
    }

    /// Forgets what is remembered of the caller, because it has just been changed.
    pub async fn forget(&self, cx: &TenantContext) {
        self.cache.invalidate(&cx.tenant_id()).await;
    }
}

async fn load(db: &Db, cx: &TenantContext) -> Result<Arc<Settings>> {
    let mut tx = db.tenant(cx).await?;
    let rules = store::find(&mut tx).await?;
    let logging = request_log::logging(&mut tx).await?;
    let keeping = search_analytics::keeping(&mut tx).await?;
    tx.commit().await?;
    Ok(Arc::new(Settings {
        policy: rules.map(Policy::compile).transpose()?.map(Arc::new),
        logging: logging.filter(|logging| logging.enabled),
        keeps_queries: keeping.is_some_and(|keeping| keeping.enabled),
    }))
}
