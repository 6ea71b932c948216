//! What has been computed for a tenant before, kept in memory. The tenant is part of every key by construction: there is
//! no way to make one without a tenant context, so that what one tenant asked is never another's answer.

mod gather;
mod query;
mod response;

use insula_tenancy::{TenantContext, TenantId};
use sha2::{Digest, Sha256};

pub use gather::Gather;
pub use query::QueryEmbeddings;
pub use response::{CachedAnswer, Responses, Slot, Wanted, replay};

/// What something is kept under: whose it is, and a digest of everything that decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    tenant_id: TenantId,
    digest: [u8; 32],
}

/// Collects what decides an answer. Every part is set apart from the next.
pub(crate) struct KeyBuilder {
    tenant_id: TenantId,
    digest: Sha256,
}

impl KeyBuilder {
    pub(crate) fn new(cx: &TenantContext, what: &str) -> Self {
        Self::of(cx.tenant_id(), what)
    }

    fn of(tenant_id: TenantId, what: &str) -> Self {
        let builder = Self {
            tenant_id,
            digest: Sha256::new(),
        };
        builder.part(what)
    }

    pub(crate) fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.digest.update((part.len() as u64).to_le_bytes());
        self.digest.update(part);
        self
    }

    pub(crate) fn finish(self) -> Key {
        Key {
            tenant_id: self.tenant_id,
            digest: self.digest.finalize().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn two_tenants_never_share_a_key(parts in proptest::collection::vec(".{0,20}", 0..6)) {
            let key = |tenant| parts.iter().fold(KeyBuilder::of(tenant, "x"), KeyBuilder::part).finish();
            let (ada, bob) = (TenantId::generate(), TenantId::generate());
            prop_assert_eq!(key(ada), key(ada));
            prop_assert_ne!(key(ada), key(bob));
        }

        #[test]
        fn parts_do_not_run_into_each_other(a in ".{0,8}", b in ".{1,8}", c in ".{0,8}") {
            let tenant = TenantId::generate();
            let split = |first: &str, second: &str| {
                KeyBuilder::of(tenant, "x").part(first).part(second).finish()
            };
            prop_assert_ne!(split(&format!("{a}{b}"), &c), split(&a, &format!("{b}{c}")));
        }
    }
}
