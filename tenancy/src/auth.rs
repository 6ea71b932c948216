//! The first door: an API key becomes a tenant context.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use uuid::Uuid;

use crate::secret;
use crate::{
    AccessError, Actor, Db, Error, KeyId, Notifications, Result, Scope, TenantContext, TenantId, TenantTx,
};

/// How long a key row may be served from memory. This alone keeps the promise that a revocation is effective on every
/// node within a second; the notification makes it immediate.
const CACHE_FOR: Duration = Duration::from_secs(1);
const CACHED_KEYS: u64 = 100_000;

/// What the database says of one public id.
#[derive(Clone)]
struct KeyRow {
    tenant_id: Uuid,
    id: Uuid,
    secret_sha256: Vec<u8>,
    scopes: Arc<[Scope]>,
    suspended: bool,
}

#[derive(sqlx::FromRow)]
struct FoundKey {
    tenant_id: Uuid,
    id: Uuid,
    secret_sha256: Vec<u8>,
    scopes: Vec<String>,
    suspended: bool,
    note_use: bool,
}

/// Turns presented keys into contexts.
#[derive(Clone)]
pub struct Authenticator {
    db: Db,
    cache: Cache<String, Option<Arc<KeyRow>>>,
}

impl Authenticator {
    /// An authenticator whose cache follows `notifications`.
    pub fn new(db: Db, notifications: &Notifications) -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHED_KEYS)
            .time_to_live(CACHE_FOR)
            .build();
        let mut changed = notifications.changed_keys();
        let followed = cache.clone();
        tokio::spawn(async move {
            loop {
                match changed.recv().await {
                    Ok(public_id) if !public_id.is_empty() => followed.invalidate(&public_id).await,
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                        followed.invalidate_all()
                    }
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        Self { db, cache }
    }

    /// The context of whoever presents `key`.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] for every key that is not good, without saying why; [`AccessError::Suspended`] for
    /// a good key of a suspended tenant; [`Error::Unavailable`] when the database is away.
    pub async fn authenticate(&self, key: &str) -> Result<TenantContext> {
        let presented = secret::parse(key).ok_or(AccessError::InvalidKey)?;
        let row = self
            .cache
            .try_get_with(
                presented.public_id.to_owned(),
                look_up(&self.db, presented.public_id),
            )
            .await
            .map_err(|error: Arc<Error>| match &*error {
                Error::Unavailable(reason) => Error::Unavailable(reason.clone()),
                other => Error::Unavailable(format!("key lookup failed: {other}")),
            })?;
        let row = row
            .filter(|row| presented.matches(&row.secret_sha256))
            .ok_or(AccessError::InvalidKey)?;
        if row.suspended {
            return Err(AccessError::Suspended.into());
        }
        let (tenant_id, key_id) = (TenantId::from(row.tenant_id), KeyId::from(row.id));
        Ok(TenantContext::new(
            tenant_id,
            Actor::Key(key_id),
            Arc::clone(&row.scopes),
        ))
    }
}

/// Whether the key behind `cx` may still be used, for answers that outlive the look at the key: a stream that goes on for
/// hours must end when its key is revoked.
///
/// # Errors
/// [`AccessError::InvalidKey`] or [`AccessError::Suspended`]; when the database is away.
pub async fn recheck(tx: &mut TenantTx, cx: &TenantContext) -> Result<()> {
    let Actor::Key(id) = cx.actor() else {
        return Ok(());
    };
    let suspended: Option<bool> = sqlx::query_scalar(
        "select t.status = 'suspended' from api_keys k join tenants t on t.id = k.tenant_id
         where k.id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    match suspended {
        Some(false) => Ok(()),
        Some(true) => Err(AccessError::Suspended.into()),
        None => Err(AccessError::InvalidKey.into()),
    }
}

/// Reads the key that may be used right now, and notes its use at most once a minute.
async fn look_up(db: &Db, public_id: &str) -> Result<Option<Arc<KeyRow>>> {
    let mut tx = db.system().await?;
    let row: Option<FoundKey> = sqlx::query_as(
        "select k.tenant_id, k.id, k.secret_sha256, k.scopes, t.status = 'suspended' as suspended,
                coalesce(k.last_used_at < now() - interval '1 minute', true) as note_use
         from api_keys k join tenants t on t.id = k.tenant_id
         where k.public_id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())",
    )
    .bind(public_id)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(FoundKey {
        tenant_id,
        id,
        secret_sha256,
        scopes,
        suspended,
        note_use,
    }) = row
    else {
        return Ok(None);
    };
    if note_use {
        sqlx::query("update api_keys set last_used_at = now() where tenant_id = $1 and id = $2")
            .bind(tenant_id)
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    // A scope that this version does not know grants nothing.
    let scopes = scopes.iter().filter_map(|name| name.parse().ok()).collect();
    Ok(Some(Arc::new(KeyRow {
        tenant_id,
        id,
        secret_sha256,
        scopes,
        suspended,
    })))
}
