//! The first door: an API key, or a token that it has signed, becomes a tenant context.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};

use crate::access::{self, Looks};
use crate::denial::{self, Denials};
use crate::secret::{self, Kind};
use crate::token::{self, NewToken, ScopedToken};
use crate::{
    AccessError, Actor, Db, Error, KeyId, Notifications, Result, Scope, TenantContext, TenantId, TenantTx,
    VectorStoreId,
};

/// How long a key row may be served from memory. This alone keeps the promise that a revocation is effective on every
/// node within a second; the notification makes it immediate.
const CACHE_FOR: Duration = Duration::from_secs(1);
const CACHED_KEYS: u64 = 100_000;

/// What the database says of one public id.
#[derive(Clone)]
struct KeyRow {
    tenant_id: TenantId,
    id: KeyId,
    secret_sha256: Vec<u8>,
    scopes: Arc<[Scope]>,
    suspended: bool,
    /// The only vector stores that it reaches, if it is bound to some.
    vector_stores: Option<Vec<VectorStoreId>>,
    /// Public half of what signs the key's scoped tokens; `None` for an older key that was not used since.
    token_key: Option<[u8; 32]>,
}

impl KeyRow {
    /// The context of whoever has proved to hold the key.
    fn context(&self) -> Result<TenantContext> {
        if self.suspended {
            return Err(AccessError::Suspended.into());
        }
        let context = TenantContext::new(self.tenant_id, Actor::Key(self.id), Arc::clone(&self.scopes));
        Ok(context.bound_to(self.vector_stores.as_deref()))
    }
}

#[derive(sqlx::FromRow)]
struct FoundKey {
    tenant_id: TenantId,
    id: KeyId,
    secret_sha256: Vec<u8>,
    scopes: Vec<String>,
    vector_store_ids: Option<Vec<VectorStoreId>>,
    suspended: bool,
    token_key: Option<Vec<u8>>,
    note_use: bool,
}

/// Turns presented keys and tokens into contexts.
#[derive(Clone)]
pub struct Authenticator {
    pub(crate) db: Db,
    cache: Cache<String, Option<Arc<KeyRow>>>,
    pub(crate) denials: Denials,
    pub(crate) looks: Looks,
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
        Self {
            db,
            cache,
            denials: denial::none(),
            looks: access::no_looks(),
        }
    }

    /// The context of whoever presents an API key, or a scoped token that one has signed.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] for everything that is not good, without saying why; [`AccessError::TokenExpired`];
    /// [`AccessError::Suspended`] for a good key of a suspended tenant; [`Error::Unavailable`] when the database is away.
    pub async fn authenticate(&self, presented: &str) -> Result<TenantContext> {
        if token::is_token(presented) {
            return self.authenticate_token(presented).await;
        }
        let key = secret::parse(Kind::Tenant, presented).ok_or(AccessError::InvalidKey)?;
        let row = self
            .find(key.public_id)
            .await?
            .filter(|row| key.matches(&row.secret_sha256))
            .ok_or(AccessError::InvalidKey)?;
        if row.token_key.is_none() {
            self.learn_token_key(&row, key.public_id, presented).await?;
        }
        row.context()
    }

    async fn authenticate_token(&self, presented: &str) -> Result<TenantContext> {
        let public_id = token::key_id(presented).ok_or(AccessError::InvalidKey)?;
        let row = self.find(&public_id).await?.ok_or(AccessError::InvalidKey)?;
        let token_key = row.token_key.as_ref().ok_or(AccessError::InvalidKey)?;
        let verified = token::verify(presented, token_key)?;
        let key = row.context()?;
        key.require(Scope::ScopedTokensWrite)?;
        Ok(key.narrowed(&verified.scopes, verified.narrowing))
    }

    /// Makes a scoped token of an API key.
    ///
    /// # Errors
    /// As for [`Authenticator::authenticate`]; [`AccessError::MissingScope`] for a scope that the key does not have;
    /// [`Error::Invalid`] for a lifetime above [`token::MAX_LIFETIME`].
    pub async fn mint(&self, key: &SecretString, new: NewToken) -> Result<ScopedToken> {
        let key = key.expose_secret();
        // A token is not a key, and is refused here.
        let public_id = secret::parse(Kind::Tenant, key)
            .ok_or(AccessError::InvalidKey)?
            .public_id;
        let context = self.authenticate(key).await?;
        context.require(Scope::ScopedTokensWrite)?;
        for scope in &new.scopes {
            context.require(*scope)?;
        }
        token::sign(key, public_id, new)
    }

    /// The row of a public id that may be used right now.
    async fn find(&self, public_id: &str) -> Result<Option<Arc<KeyRow>>> {
        self.cache
            .try_get_with(public_id.to_owned(), look_up(&self.db, public_id))
            .await
            .map_err(|error: Arc<Error>| match &*error {
                Error::Unavailable(reason) => Error::Unavailable(reason.clone()),
                other => Error::Unavailable(format!("key lookup failed: {other}")),
            })
    }

    /// Keeps the public half of a key that was made before there were scoped tokens.
    async fn learn_token_key(&self, row: &KeyRow, public_id: &str, key: &str) -> Result<()> {
        let mut tx = self.db.system().await?;
        sqlx::query(
            "update api_keys set token_key = $3 where tenant_id = $1 and id = $2 and token_key is null",
        )
        .bind(row.tenant_id)
        .bind(row.id)
        .bind(token::public_key(key).as_slice())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.cache.invalidate(public_id).await;
        Ok(())
    }
}

/// Whether the key or session behind `cx` may still be used, for answers that outlive the look at the key: a stream that goes on for
/// hours must end when its key is revoked or its session ended.
///
/// # Errors
/// [`AccessError::InvalidKey`], [`AccessError::NotSignedIn`] or [`AccessError::Suspended`]; when the database is away.
pub async fn recheck(tx: &mut TenantTx, cx: &TenantContext) -> Result<()> {
    let (suspended, gone): (Option<bool>, _) = match cx.actor() {
        Actor::Job(_) | Actor::Operator => return Ok(()),
        Actor::Key(id) => {
            let found = sqlx::query_scalar(
                "select t.status = 'suspended' from api_keys k join tenants t on t.id = k.tenant_id
                 where k.id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())",
            );
            (
                found.bind(id).fetch_optional(&mut **tx).await?,
                AccessError::InvalidKey,
            )
        }
        Actor::Guest { session, access, .. } => {
            let found = sqlx::query_scalar(
                "select t.status = 'suspended' from sessions s join tenant_accesses a on a.person_id = s.person_id
                 join tenants t on t.id = a.tenant_id
                 where s.id = $1 and s.expires_at > now() and a.id = $2 and a.ended_at is null and a.expires_at > now()",
            );
            let found = found.bind(session).bind(access);
            (found.fetch_optional(&mut **tx).await?, AccessError::NotSignedIn)
        }
        Actor::Member { session, .. } => {
            let found = sqlx::query_scalar(
                "select t.status = 'suspended' from sessions s join members m on m.person_id = s.person_id
                 join tenants t on t.id = m.tenant_id where s.id = $1 and s.expires_at > now()",
            );
            (
                found.bind(session).fetch_optional(&mut **tx).await?,
                AccessError::NotSignedIn,
            )
        }
    };
    match suspended {
        Some(false) => Ok(()),
        Some(true) => Err(AccessError::Suspended.into()),
        None => Err(gone.into()),
    }
}

/// Reads the key that may be used right now, and notes its use at most once a minute.
async fn look_up(db: &Db, public_id: &str) -> Result<Option<Arc<KeyRow>>> {
    let mut tx = db.system().await?;
    let row: Option<FoundKey> = sqlx::query_as(
        "select k.tenant_id, k.id, k.secret_sha256, k.scopes, k.vector_store_ids, k.token_key,
                t.status = 'suspended' as suspended,
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
        vector_store_ids,
        suspended,
        token_key,
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
        vector_stores: vector_store_ids,
        suspended,
        token_key: token_key.and_then(|key| key.try_into().ok()),
    })))
}
