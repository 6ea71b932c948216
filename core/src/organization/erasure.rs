//! Removals of tenants, as they are listed. How one goes is `insula_tenancy::erasure`'s.

use insula_tenancy::erasure::{self, Erasure};
use insula_tenancy::{ErasureId, OperatorTx};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

const PAGES: (&str, &str) = paged!(
    select "id, of_tenant, name, requested_by, created_at, completed_at, deleted, billed, audit_head, digest"
    from "erasures", id "id", cursor "erasures where true", where "true", "$1" "$2" "$3"
);

/// A part of the removals.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none.
pub async fn list(tx: &mut OperatorTx, page: Page) -> Result<Listing<Erasure>> {
    for (param, id) in page.cursors() {
        if erasure::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your erasures"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// A removal.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut OperatorTx, id: ErasureId) -> Result<Erasure> {
    let found = erasure::find(tx, id).await?;
    found.ok_or_else(|| Error::not_found("erasure", id))
}
