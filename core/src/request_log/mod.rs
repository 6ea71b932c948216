//! What tenants called and what they were answered, for those that want it stored.
//!
//! Off unless a tenant turns it on. Entries are written in the background: no call waits for its own log, and when the
//! database cannot keep up, entries are dropped rather than calls.

mod redact;
mod store;
mod writer;

use chrono::{DateTime, Utc};
use insula_tenancy::audit::{self, Act, Event};
use insula_tenancy::{RequestLogId, TenantTx};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use store::OLD_REQUEST_LOGS;
pub use writer::RequestLogs;

use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result, housekeeping};

/// Most bytes of a request or of an answer that are stored.
const LARGEST: usize = 256 * 1024;

/// How a tenant's calls are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Logging {
    /// Whether they are.
    pub enabled: bool,
    /// How long entries are kept, 1..=365.
    pub retention_days: i32,
    /// Whether personal data is taken out before they are stored.
    pub redact: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            enabled: false,
            retention_days: 30,
            redact: true,
        }
    }
}

/// A call to be logged.
#[derive(Debug, Clone)]
pub struct NewRequestLog {
    /// Its usage event.
    pub usage_event_id: Option<Uuid>,
    /// What was called, as usage events say it.
    pub endpoint: &'static str,
    /// The model that was asked for.
    pub model: String,
    /// What was sent.
    pub request: Value,
    /// What was answered.
    pub response: Value,
}

/// A call that was logged.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct RequestLog {
    /// Its id.
    pub id: RequestLogId,
    /// Its usage event.
    pub usage_event_id: Option<Uuid>,
    /// What was called.
    pub endpoint: String,
    /// The model that was asked for.
    pub model: String,
    /// What was sent; `{"truncated": true}` with the beginning of the text, where it was too large.
    pub request: Value,
    /// What was answered.
    pub response: Value,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// How the tenant's calls are logged; `None` if it never said.
///
/// # Errors
/// When the database is away.
pub async fn logging(tx: &mut TenantTx) -> Result<Option<Logging>> {
    store::logging(tx).await
}

/// Says how the tenant's calls are logged. Entries that are there keep to the new retention.
///
/// # Errors
/// [`Error::Invalid`] for days out of range.
pub async fn set_logging(tx: &mut TenantTx, logging: Logging) -> Result<()> {
    if !(1..=365).contains(&logging.retention_days) {
        return Err(Error::invalid("retention_days", "Must be between 1 and 365."));
    }
    let before = store::logging(tx).await?.unwrap_or_default();
    store::set_logging(tx, logging).await?;
    let act = Act::new(Event::RequestLoggingUpdated, tx.tenant_id());
    Ok(audit::record(tx, act.changed(told(before), told(logging))).await?)
}

fn told(logging: Logging) -> Value {
    let Logging {
        enabled,
        retention_days,
        redact,
    } = logging;
    json!({"enabled": enabled, "retention_days": retention_days, "redact": redact})
}

impl NewRequestLog {
    /// The entry as `logging` wants it: without personal data, and no larger than is stored. Takes its time with large
    /// texts.
    pub fn shaped(self, logging: Logging) -> Self {
        let shape = |value| {
            let value = if logging.redact {
                redact::strings(value)
            } else {
                value
            };
            redact::bound(value, LARGEST)
        };
        Self {
            request: shape(self.request),
            response: shape(self.response),
            ..self
        }
    }
}

/// Writes an entry, which was [`NewRequestLog::shaped`] before.
///
/// # Errors
/// When the database is away.
pub async fn record(tx: &mut TenantTx, new: &NewRequestLog) -> Result<RequestLogId> {
    housekeeping::ensure(tx).await?;
    store::insert(tx, new).await
}

/// The entry of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: RequestLogId) -> Result<RequestLog> {
    store::find(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("request log", id))
}

/// A part of the tenant's entries.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not an entry of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<RequestLog>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your request logs"));
        }
    }
    store::list(tx, page).await
}
