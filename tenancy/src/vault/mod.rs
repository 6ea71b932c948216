//! Secrets that tenants leave with the server, sealed.
//!
//! A value is sealed with its tenant's data key, bound to the tenant, the row and the purpose; the data key is kept
//! wrapped by the operator's master key, bound to the tenant. The master key is not in the database: neither a copy of the
//! database nor a row that was moved gives a secret away. Changing the master key wraps data keys anew and touches no
//! value.

mod data_key;
mod master;
mod provider_key;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub use self::data_key::rewrap;
pub use self::master::MasterKeys;
pub use self::provider_key::{MAX_PROVIDER_KEYS, ProviderKey, delete, list};
use self::seal::{Key, Place};
use crate::{Db, Error, Result, TenantContext, TenantId, TenantTx};

/// How long a provider's key may be used from memory: this keeps the promise that a deleted one is gone from every server
/// within a second.
const CACHE_FOR: Duration = Duration::from_secs(1);
const CACHED_KEYS: u64 = 100_000;

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    db: Db,
    master: Option<MasterKeys>,
    provider_keys: Cache<(TenantId, String), Option<SecretString>>,
}

impl Vault {
    /// A vault with these master keys. Without any, nothing can be sealed or opened.
    pub fn new(db: Db, master: Option<MasterKeys>) -> Self {
        let provider_keys = Cache::builder()
            .max_capacity(CACHED_KEYS)
            .time_to_live(CACHE_FOR)
            .build();
        Self {
            db,
            master,
            provider_keys,
        }
    }

    /// Seals a value for a row. It opens only for the same tenant, row and purpose.
    ///
    /// # Errors
    /// [`Error::NoMasterKey`]; [`Error::Vault`] if the tenant's data key cannot be unwrapped.
    pub async fn seal(
        &self,
        tx: &mut TenantTx,
        purpose: &str,
        row: Uuid,
        value: &SecretString,
    ) -> Result<Vec<u8>> {
        let key = self.data_key(tx).await?;
        let place = place(tx.tenant_id(), purpose, row);
        seal::seal(&key, &place, value.expose_secret().as_bytes())
    }

    /// Opens what was sealed for this row.
    ///
    /// # Errors
    /// As for [`Vault::seal`], and [`Error::Vault`] if it was sealed for another row or was changed.
    pub async fn open(
        &self,
        tx: &mut TenantTx,
        purpose: &str,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<SecretString> {
        let key = self.data_key(tx).await?;
        let opened = seal::open(&key, &place(tx.tenant_id(), purpose, row), sealed)?;
        let text = std::str::from_utf8(opened.expose_secret())
            .map_err(|_| Error::Vault("a sealed value is not a text".into()))?;
        Ok(text.into())
    }

    /// The tenant's own key for a provider, if it has left one. For whoever is about to call that provider; served from
    /// memory for up to a second.
    ///
    /// # Errors
    /// [`Error::NoMasterKey`] or [`Error::Vault`] if there is one and it cannot be opened: the operator's key must not be
    /// used in its place.
    pub async fn provider_key(&self, cx: &TenantContext, provider: &str) -> Result<Option<SecretString>> {
        self.provider_keys
            .try_get_with(
                (cx.tenant_id(), provider.to_owned()),
                provider_key::look_up(self, cx, provider),
            )
            .await
            .map_err(|error: Arc<Error>| match &*error {
                Error::NoMasterKey => Error::NoMasterKey,
                Error::Unavailable(reason) => Error::Unavailable(reason.clone()),
                other => Error::Vault(other.to_string()),
            })
    }

    /// The tenant's data key, made at first use.
    async fn data_key(&self, tx: &mut TenantTx) -> Result<Key> {
        let master = self.master.as_ref().ok_or(Error::NoMasterKey)?;
        data_key::get(tx, master).await
    }
}

fn place(tenant: TenantId, purpose: &str, row: Uuid) -> Place {
    Place::new(&[
        b"value",
        purpose.as_bytes(),
        tenant.uuid().as_bytes(),
        row.as_bytes(),
    ])
}
