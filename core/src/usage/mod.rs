//! What a tenant used, by the ledger.

mod events;
mod histogram;
mod sums;

use insula_tenancy::TenantTx;

pub use events::{EventFilter, TracedEntry, UsageEntry, event, events};
pub use histogram::Histogram;
pub use sums::{Bucket, By, Of, UsageQuery, UsageSum, UsageSums, sums};

use crate::{Result, housekeeping};

/// Sees to it that events past the tenant's retention are removed.
///
/// # Errors
/// When the database is away.
pub async fn keep_house(tx: &mut TenantTx) -> Result<()> {
    housekeeping::ensure(tx).await
}
