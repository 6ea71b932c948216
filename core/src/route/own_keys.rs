//! Keys of a tenant's own for the providers that a call can come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use insula_tenancy::TenantContext;
use secrecy::SecretString;

use super::Route;
use crate::{Result, Services};

/// A tenant's own keys, by provider: each goes to its own provider and to no other.
#[derive(Debug, Clone, Default)]
pub struct OwnKeys(BTreeMap<Arc<str>, SecretString>);

impl OwnKeys {
    /// Keys of the tenant for the providers behind a route and those that follow from it.
    ///
    /// # Errors
    /// When there is one that cannot be opened: the operator's must not be used, and paid, in its place.
    pub async fn of(services: &Services, cx: &TenantContext, route: &Route) -> Result<Self> {
        let mut providers = BTreeSet::new();
        collect(route, &mut providers);
        let mut keys = BTreeMap::new();
        for provider in providers {
            if let Some(key) = services.vault.provider_key(cx, provider).await? {
                keys.insert(Arc::clone(provider), key);
            }
        }
        Ok(Self(keys))
    }

    /// None at all.
    pub(super) const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// The key for a provider.
    pub(super) fn get(&self, provider: &str) -> Option<&SecretString> {
        self.0.get(provider)
    }

    /// Whether there is one for every provider that a call to this route can come to.
    pub(crate) fn cover(&self, route: &Route) -> bool {
        let mut providers = BTreeSet::new();
        collect(route, &mut providers);
        providers.iter().all(|provider| self.0.contains_key(*provider))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for OwnKeys {
    fn from(keys: [(&str, &str); N]) -> Self {
        Self(keys.map(|(provider, key)| (provider.into(), key.into())).into())
    }
}

fn collect<'a>(route: &'a Route, providers: &mut BTreeSet<&'a Arc<str>>) {
    providers.extend(route.targets.iter().map(|target| &target.provider));
    for other in route.ways.all() {
        collect(other, providers);
    }
}
