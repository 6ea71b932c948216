//! API keys that a tenant makes for itself. Whoever makes one gives it nothing that it does not have.

use std::time::Duration;

use serde_json::json;

use super::row::{self, NewRow};
use super::{CreatedKey, NewKey, check};
use crate::audit::{Act, Event, record};
use crate::limit::Limit;
use crate::{Actor, KeyId, Result, Scope, TenantContext, TenantTx, VectorStoreId};

/// What a tenant's own key has besides what every key has.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// The only vector stores that it reaches; `None`: all.
    pub vector_stores: Option<Vec<VectorStoreId>>,
    /// Limits besides those that the operator has set.
    pub limit: Limit,
}

/// Makes a key of the caller's tenant.
///
/// # Errors
/// [`crate::AccessError::MissingScope`] for a scope that the caller lacks; [`crate::Error::Invalid`] as for
/// [`super::create`].
pub async fn create(
    tx: &mut TenantTx,
    cx: &TenantContext,
    new: &NewKey,
    bounds: &Bounds,
) -> Result<CreatedKey> {
    check(new)?;
    for scope in &new.scopes {
        cx.require(*scope)?;
    }
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let row = NewRow {
        tenant_id: tx.tenant_id(),
        owner: None,
        name: &new.name,
        scopes: &scopes,
        vector_stores: bounds.vector_stores.as_deref(),
        limit: bounds.limit.tightest(limit_of(tx, cx).await?),
        expires_in_seconds: new.expires_in.map(|duration| duration.as_secs_f64()),
    };
    let origin = tx.origin();
    let (created, act) = row::insert(tx, origin, &row).await?;
    record(tx, act).await?;
    Ok(created)
}

/// What [`update`] can change.
#[derive(sqlx::FromRow)]
struct Named {
    name: String,
    #[sqlx(flatten)]
    limit: Limit,
}

/// Names a key anew, or limits it otherwise; what is `None` stays. Servers follow within a second. `false`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn update(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: KeyId,
    name: Option<&str>,
    limit: Option<Limit>,
) -> Result<bool> {
    let before: Option<Named> = sqlx::query_as(
        "select name, requests_per_minute, tokens_per_minute, concurrency from api_keys where id = $1
         for no key update",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(Named {
        name: old_name,
        limit: old,
    }) = before
    else {
        return Ok(false);
    };
    let new = match limit {
        Some(limit) => limit.tightest(limit_of(tx, cx).await?),
        None => old,
    };
    let new_name = name.unwrap_or(&old_name);
    if (new_name, new) == (old_name.as_str(), old) {
        return Ok(true);
    }
    sqlx::query(
        "update api_keys set name = $2, requests_per_minute = $3, tokens_per_minute = $4, concurrency = $5
         where id = $1",
    )
    .bind(id)
    .bind(new_name)
    .bind(new.requests_per_minute)
    .bind(new.tokens_per_minute)
    .bind(new.concurrency)
    .execute(&mut **tx)
    .await?;
    let told = |name: &str, limit| json!({"name": name, "limits": row::told(limit)});
    let act = Act::new(Event::ApiKeyUpdated, id).changed(told(&old_name, old), told(new_name, new));
    record(tx, act).await?;
    Ok(true)
}

/// Makes a successor that can do what the key can, and lets the key live for `grace` longer. `None`: there is no such key,
/// or it is revoked, expired or rotated already.
///
/// # Errors
/// [`crate::AccessError::MissingScope`] for a key that can do more than the caller, who would get it into their hands.
pub async fn rotate(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: KeyId,
    grace: Duration,
) -> Result<Option<CreatedKey>> {
    let Some(mut old) = row::to_rotate(tx, id).await? else {
        return Ok(None);
    };
    // A scope that this version does not know cannot be told to be the caller's.
    old.scopes.retain(|name| name.parse::<Scope>().is_ok());
    for scope in old.scopes.iter().filter_map(|name| name.parse().ok()) {
        cx.require(scope)?;
    }
    old.limit = old.limit.tightest(limit_of(tx, cx).await?);
    let origin = tx.origin();
    let (successor, acts) = row::succeed(tx, origin, id, &old, grace).await?;
    for act in acts {
        record(tx, act).await?;
    }
    Ok(Some(successor))
}

/// Revokes a key: every server refuses it within a second. One that is revoked stays so. `false`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn revoke(tx: &mut TenantTx, id: KeyId) -> Result<bool> {
    let revoked: Option<bool> =
        sqlx::query_scalar("select revoked_at is not null from api_keys where id = $1 for no key update")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    match revoked {
        None => return Ok(false),
        Some(true) => return Ok(true),
        Some(false) => {}
    }
    sqlx::query("update api_keys set revoked_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    record(tx, Act::new(Event::ApiKeyDeleted, id)).await?;
    Ok(true)
}

/// What the caller's own key is limited to, which no key that it makes may go beyond.
async fn limit_of(tx: &mut TenantTx, cx: &TenantContext) -> Result<Limit> {
    let Actor::Key(id) = cx.actor() else {
        return Ok(Limit::default());
    };
    let found = sqlx::query_as(
        "select requests_per_minute, tokens_per_minute, concurrency from api_keys where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.unwrap_or_default())
}
