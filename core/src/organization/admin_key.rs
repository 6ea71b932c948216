//! Keys of the operator's.

use insula_tenancy::operator::key::OperatorKey;
use insula_tenancy::{OperatorKeyId, OperatorTx};

use crate::page::{Listing, Page, Scan, paged, unknown_cursor};
use crate::{Error, Result};

/// Without those that were revoked.
const PAGES: (&str, &str) = paged!(
    select "id, name, public_id, created_at, expires_at, revoked_at, last_used_at"
    from "operator_keys", id "id", cursor "operator_keys where true",
    where "revoked_at is null and ($1::uuid is null or id = $1)", "$2" "$3" "$4"
);

/// A part of the keys.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn list(tx: &mut OperatorTx, page: Page) -> Result<Listing<OperatorKey>> {
    for (param, id) in page.cursors() {
        if find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your admin API keys"));
        }
    }
    let scan = page.scan();
    let rows = scanned(tx, None, &scan).await?;
    Ok(scan.finish(rows))
}

/// A key.
///
/// # Errors
/// [`Error::NotFound`]; for one that was revoked, too.
pub async fn get(tx: &mut OperatorTx, id: OperatorKeyId) -> Result<OperatorKey> {
    let found = find(tx, id).await?;
    found.ok_or_else(|| Error::not_found("admin API key", id))
}

async fn find(tx: &mut OperatorTx, id: OperatorKeyId) -> Result<Option<OperatorKey>> {
    let rows = scanned(tx, Some(id), &Page::first(1).scan()).await?;
    Ok(rows.into_iter().next())
}

async fn scanned(tx: &mut OperatorTx, id: Option<OperatorKeyId>, scan: &Scan) -> Result<Vec<OperatorKey>> {
    Ok(sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(id)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?)
}
