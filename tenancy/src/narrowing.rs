//! What is left of a caller's access to data: by a scoped token, or by an API key that is bound to vector stores.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::VectorStoreId;

/// Bounds on a caller's access besides its scopes. Whatever hands out data must heed them, or refuse the caller: a
/// context without a narrowing is one of a job, or of an API key that is not bound to anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Narrowing {
    pub(crate) vector_stores: Option<BTreeSet<VectorStoreId>>,
    pub(crate) filter: Option<Value>,
    pub(crate) end_user: Option<String>,
}

impl Narrowing {
    /// Bounds that are vector stores only.
    pub(crate) fn to_stores(stores: impl IntoIterator<Item = VectorStoreId>) -> Self {
        Self {
            vector_stores: Some(stores.into_iter().collect()),
            ..Self::default()
        }
    }

    /// These bounds and those together: what either excludes is excluded.
    pub(crate) fn and(self, outer: &Self) -> Self {
        let both = |one: BTreeSet<_>, other: &BTreeSet<_>| one.intersection(other).copied().collect();
        Self {
            vector_stores: match (self.vector_stores, &outer.vector_stores) {
                (Some(inner), Some(outer)) => Some(both(inner, outer)),
                (inner, outer) => inner.or_else(|| outer.clone()),
            },
            filter: match (self.filter, &outer.filter) {
                (Some(inner), Some(outer)) => Some(json!({"type": "and", "filters": [inner, outer]})),
                (inner, outer) => inner.or_else(|| outer.clone()),
            },
            end_user: outer.end_user.clone().or(self.end_user),
        }
    }

    /// Whether the caller may know of this vector store.
    pub fn allows(&self, store: VectorStoreId) -> bool {
        self.vector_stores
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&store))
    }

    /// The attribute filter that holds besides a search's own, as it is written in a search request.
    pub fn filter(&self) -> Option<&Value> {
        self.filter.as_ref()
    }

    /// The end user that the token was made for.
    pub fn end_user(&self) -> Option<&str> {
        self.end_user.as_deref()
    }

    /// SHA-256 of these bounds, for keys of caches: what was computed within some bounds must not be shown within others.
    pub fn fingerprint(&self) -> [u8; 32] {
        // Plain data with string keys, so it can always be written.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_stores_excludes_all_others_and_an_empty_one_all() {
        let (one, other) = (VectorStoreId::generate(), VectorStoreId::generate());
        let of = |stores: &[VectorStoreId]| Narrowing {
            vector_stores: Some(stores.iter().copied().collect()),
            ..Narrowing::default()
        };
        assert!(Narrowing::default().allows(one));
        assert!(of(&[one]).allows(one) && !of(&[one]).allows(other));
        assert!(!of(&[]).allows(one));
        let both = of(&[one, other]).and(&of(&[other]));
        assert!(both.allows(other) && !both.allows(one));
        assert!(!of(&[one]).and(&of(&[other])).allows(one));
        assert!(!Narrowing::default().and(&of(&[one])).allows(other));
        assert_ne!(of(&[one]).fingerprint(), of(&[other]).fingerprint());
        assert_ne!(of(&[]).fingerprint(), Narrowing::default().fingerprint());
    }
}
