//! API keys, as the operator manages them; [`own`] has what a tenant does itself. How a key is checked is
//! [`crate::Authenticator`]'s.

pub mod own;
mod row;

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use self::row::NewRow;
use crate::audit::{Act, Event, record_by_operator};
use crate::limit::Limit;
use crate::{Error, KeyId, OperatorTx, Result, Scope, ServiceAccountId, TenantId};

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
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
pub struct CreatedKey {
    /// Its id.
    pub id: KeyId,
    /// What the caller sends. This is the only time that anybody sees it.
    pub key: SecretString,
}

/// What a new key may do, and for how long.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// A name for people.
    pub name: String,
    /// Its permissions; at least one.
    pub scopes: Vec<Scope>,
    /// Lifetime from now; `None` for a key that does not expire.
    pub expires_in: Option<Duration>,
}

impl NewKey {
    /// A key with every scope that does not expire.
    pub fn all_scopes(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scopes: Scope::ALL.to_vec(),
            expires_in: None,
        }
    }
}

/// Makes a key for a tenant.
///
/// # Errors
/// [`Error::Invalid`] without a scope or with an expiry that is not in the future.
pub async fn create(tx: &mut OperatorTx, tenant_id: TenantId, new: &NewKey) -> Result<CreatedKey> {
    create_owned(tx, tenant_id, new, None).await
}

/// As [`create`], for a service account of the tenant.
///
/// # Errors
/// As for [`create`].
pub async fn create_owned(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    new: &NewKey,
    owner: Option<ServiceAccountId>,
) -> Result<CreatedKey> {
    check(new)?;
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let row = NewRow {
        tenant_id,
        owner,
        name: &new.name,
        scopes: &scopes,
        vector_stores: None,
        limit: Limit::default(),
        expires_in_seconds: new.expires_in.map(|duration| duration.as_secs_f64()),
    };
    let origin = tx.origin();
    let (created, act) = row::insert(tx, origin, &row).await?;
    record_by_operator(tx, tenant_id, act).await?;
    Ok(created)
}

/// Whether a key can be made so.
fn check(new: &NewKey) -> Result<()> {
    if new.scopes.is_empty() {
        return Err(Error::Invalid("a key needs at least one scope".into()));
    }
    if new.expires_in == Some(Duration::ZERO) {
        return Err(Error::Invalid("a key cannot expire at once".into()));
    }
    Ok(())
}

/// The keys of a tenant, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Vec<ApiKey>> {
    Ok(sqlx::query_as(
        "select id, name, public_id, scopes, created_at, expires_at, revoked_at, last_used_at
         from api_keys where tenant_id = $1 order by created_at desc, id desc",
    )
    .bind(tenant_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Revokes a key. Every server refuses it within a second.
///
/// # Errors
/// [`Error::Invalid`] if there is no such key, or it is revoked already.
pub async fn revoke(tx: &mut OperatorTx, id: KeyId) -> Result<()> {
    let tenant: Option<TenantId> = sqlx::query_scalar(
        "update api_keys set revoked_at = now() where id = $1 and revoked_at is null returning tenant_id",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    let tenant = tenant.ok_or_else(|| Error::Invalid(format!("there is no active key '{id}'")))?;
    record_by_operator(tx, tenant, Act::new(Event::ApiKeyDeleted, id)).await
}

/// Revokes a key of a tenant. `false`: there is none that is good.
///
/// # Errors
/// When the database is away.
pub async fn revoke_of(tx: &mut OperatorTx, tenant_id: TenantId, id: KeyId) -> Result<bool> {
    let done = sqlx::query(
        "update api_keys set revoked_at = now() where tenant_id = $1 and id = $2 and revoked_at is null",
    )
    .bind(tenant_id)
    .bind(id)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    record_by_operator(tx, tenant_id, Act::new(Event::ApiKeyDeleted, id)).await?;
    Ok(true)
}

/// Revokes all keys of a service account.
pub(crate) async fn revoke_of_service_account(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    owner: ServiceAccountId,
) -> Result<()> {
    let revoked: Vec<KeyId> = sqlx::query_scalar(
        "update api_keys set revoked_at = now()
         where tenant_id = $1 and service_account_id = $2 and revoked_at is null returning id",
    )
    .bind(tenant_id)
    .bind(owner)
    .fetch_all(&mut **tx)
    .await?;
    for id in revoked {
        record_by_operator(tx, tenant_id, Act::new(Event::ApiKeyDeleted, id)).await?;
    }
    Ok(())
}

/// What is to be changed of a key.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// Its permissions; at least one.
    pub scopes: Option<Vec<Scope>>,
    /// Its lifetime from now.
    pub expires_in: Option<Duration>,
}

/// Changes a key of a tenant. Every server heeds it within a second. `false`: there is none that is good.
///
/// # Errors
/// As for [`create`].
pub async fn update(tx: &mut OperatorTx, tenant_id: TenantId, id: KeyId, change: &KeyChange) -> Result<bool> {
    if change.scopes.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::Invalid("a key needs at least one scope".into()));
    }
    if change.expires_in == Some(Duration::ZERO) {
        return Err(Error::Invalid("a key cannot expire at once".into()));
    }
    let before: Option<(Vec<String>, Option<DateTime<Utc>>)> = sqlx::query_as(
        "select scopes, expires_at from api_keys
         where tenant_id = $1 and id = $2 and revoked_at is null and (expires_at is null or expires_at > now())
         for no key update",
    )
    .bind(tenant_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some((scopes, expires_at)) = before else {
        return Ok(false);
    };
    let named = |scopes: &Vec<Scope>| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
    let new_scopes = change.scopes.as_ref().map(named);
    let lifetime = change.expires_in.map(|duration| duration.as_secs_f64());
    sqlx::query(
        "update api_keys set scopes = coalesce($3, scopes),
                expires_at = coalesce(now() + make_interval(secs => $4), expires_at)
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(&new_scopes)
    .bind(lifetime)
    .execute(&mut **tx)
    .await?;
    let before = json!({"scopes": scopes, "expires_at": expires_at.map(|at| at.timestamp())});
    let after = json!({"scopes": new_scopes, "expires_in_seconds": lifetime});
    let act = Act::new(Event::ApiKeyUpdated, id).changed(before, after);
    record_by_operator(tx, tenant_id, act).await?;
    Ok(true)
}

/// Makes a successor that can do what the key can, and lets the key live for `grace` longer, so that clients can be changed
/// without a gap. An expiry that it had carries over to the successor as the same lifetime.
///
/// # Errors
/// [`Error::Invalid`] if there is no such key, or it is revoked, expired or rotated already.
pub async fn rotate(tx: &mut OperatorTx, id: KeyId, grace: Duration) -> Result<CreatedKey> {
    let Some(old) = row::to_rotate(tx, id).await? else {
        let message = format!("there is no active key '{id}' that was not rotated yet");
        return Err(Error::Invalid(message));
    };
    let origin = tx.origin();
    let (successor, acts) = row::succeed(tx, origin, id, &old, grace).await?;
    for act in acts {
        record_by_operator(tx, old.tenant_id, act).await?;
    }
    Ok(successor)
}
