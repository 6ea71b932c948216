//! Keys of tenants' own for the providers behind chat and embedding models: written, used, and never shown again.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Vault;
use crate::audit::{self, Act, Event};
use crate::{ProviderKeyId, Result, TenantContext, TenantTx};

/// What their sealed values are bound to, besides tenant and row.
const PURPOSE: &str = "provider key";
/// Most that a tenant can leave.
pub const MAX_PROVIDER_KEYS: i64 = 100;
/// A key shorter than this shows none of its characters.
const SHOWN_FROM: usize = 16;

/// What may be told of a provider's key.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ProviderKey {
    /// Its id; a key that replaces another has a new one.
    pub id: ProviderKeyId,
    /// The provider's name in `routes.toml`.
    pub provider: String,
    /// The end of the key, to recognise it by; empty for a short key.
    pub last_four: String,
    /// When it was left.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Vault {
    /// Keeps a key for a provider, in place of the one that was there. `None` if the tenant has
    /// [`MAX_PROVIDER_KEYS`] others already.
    ///
    /// Call [`Vault::forget`] once the transaction is committed.
    ///
    /// # Errors
    /// As for [`Vault::seal`].
    pub async fn put(
        &self,
        tx: &mut TenantTx,
        provider: &str,
        key: &SecretString,
    ) -> Result<Option<ProviderKey>> {
        let id = ProviderKeyId::generate();
        let sealed = self.seal(tx, PURPOSE, id.uuid(), key).await?;
        let kept: Option<ProviderKey> = sqlx::query_as(
            "insert into provider_keys (id, provider, sealed, last_four)
             select $1, $2, $3, $4
             where (select count(*) from provider_keys where provider <> $2) < $5
             on conflict (tenant_id, provider) do update
               set id = excluded.id, sealed = excluded.sealed, last_four = excluded.last_four, created_at = now(),
                   last_used_at = null
             returning id, provider, last_four, created_at, last_used_at",
        )
        .bind(id)
        .bind(provider)
        .bind(sealed)
        .bind(last_four(key))
        .bind(MAX_PROVIDER_KEYS)
        .fetch_optional(&mut **tx)
        .await?;
        if kept.is_some() {
            let act = Act::new(Event::ProviderKeyCreated, id).data(json!({"provider": provider}));
            audit::record(tx, act).await?;
        }
        Ok(kept)
    }

    /// Has this server look again at its next use of a provider's key; other servers do within a second.
    pub async fn forget(&self, cx: &TenantContext, provider: &str) {
        self.provider_keys
            .invalidate(&(cx.tenant_id(), provider.to_owned()))
            .await;
    }
}

/// All of a tenant's keys, by provider.
///
/// # Errors
/// When the database is away.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<ProviderKey>> {
    Ok(sqlx::query_as(
        "select id, provider, last_four, created_at, last_used_at from provider_keys order by provider",
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Deletes a key. The name of its provider, if there was such a key.
///
/// # Errors
/// When the database is away.
pub async fn delete(tx: &mut TenantTx, id: ProviderKeyId) -> Result<Option<String>> {
    let provider: Option<String> =
        sqlx::query_scalar("delete from provider_keys where id = $1 returning provider")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    if let Some(provider) = &provider {
        let act = Act::new(Event::ProviderKeyDeleted, id).removed(json!({"provider": provider}));
        audit::record(tx, act).await?;
    }
    Ok(provider)
}

/// Opens the key for a provider, and notes its use at most once a minute.
pub(super) async fn look_up(
    vault: &Vault,
    cx: &TenantContext,
    provider: &str,
) -> Result<Option<SecretString>> {
    let mut tx = vault.db.tenant(cx).await?;
    let row: Option<(ProviderKeyId, Vec<u8>, bool)> = sqlx::query_as(
        "select id, sealed, coalesce(last_used_at < now() - interval '1 minute', true)
         from provider_keys where provider = $1",
    )
    .bind(provider)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((id, sealed, note_use)) = row else {
        return Ok(None);
    };
    let key = vault.open(&mut tx, PURPOSE, id.uuid(), &sealed).await?;
    if note_use {
        sqlx::query("update provider_keys set last_used_at = now() where id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(Some(key))
}

fn last_four(key: &SecretString) -> String {
    let characters: Vec<char> = key.expose_secret().chars().collect();
    match characters.len().checked_sub(4) {
        Some(start) if characters.len() >= SHOWN_FROM => characters[start..].iter().collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_short_key_nothing_is_shown() {
        assert_eq!(last_four(&"sk-0123456789abcdef".into()), "cdef");
        assert_eq!(last_four(&"sk-123456".into()), "");
    }
}
