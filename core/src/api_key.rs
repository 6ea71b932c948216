//! A tenant's API keys, as the tenant sees them. What is done to them is [`insula_tenancy::key::own`]'s.

use chrono::{DateTime, Utc};
use insula_tenancy::limit::Limit;
use insula_tenancy::{KeyId, TenantTx, VectorStoreId};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

/// What may be told of a key. The secret is stored hashed and cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// A name for people.
    pub name: String,
    /// The part of the key that is not secret.
    pub public_id: String,
    /// Names of its scopes.
    pub scopes: Vec<String>,
    /// The only vector stores that it reaches; `None`: all.
    pub vector_store_ids: Option<Vec<VectorStoreId>>,
    /// What the tenant has limited it to.
    #[sqlx(flatten)]
    pub limit: Limit,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Who made it, as the audit log names them; `None` where nobody wrote it down.
    pub created_by: Option<String>,
}

const PAGES: (&str, &str) = paged!(
    select "id, name, public_id, scopes, vector_store_ids, requests_per_minute, tokens_per_minute, concurrency, created_at,
            expires_at, revoked_at, last_used_at, created_by"
    from "api_keys", id "id", cursor "api_keys where true", where "($1::uuid is null or id = $1)", "$2" "$3" "$4"
);

/// A part of the tenant's keys, those that were revoked among them.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<ApiKey>> {
    for (param, id) in page.cursors() {
        if find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your API keys"));
        }
    }
    scanned(tx, None, page).await
}

/// A key of the tenant.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: KeyId) -> Result<ApiKey> {
    find(tx, id).await?.ok_or_else(|| not_found(id))
}

/// The refusal of an id that is none of the tenant's.
pub fn not_found(id: KeyId) -> Error {
    Error::not_found("API key", id)
}

async fn find(tx: &mut TenantTx, id: KeyId) -> Result<Option<ApiKey>> {
    Ok(scanned(tx, Some(id), Page::first(1))
        .await?
        .data
        .into_iter()
        .next())
}

async fn scanned(tx: &mut TenantTx, id: Option<KeyId>, page: Page) -> Result<Listing<ApiKey>> {
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(id)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}
