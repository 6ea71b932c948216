//! The proof of who calls.

use std::net::IpAddr;
use std::sync::Arc;

use crate::audit::{By, Origin};
use crate::{
    AccessError, AccessId, JobId, KeyId, Narrowing, PersonId, Scope, SessionId, TenantId, VectorStoreId,
};

/// Who acts inside a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A request with this API key.
    Key(KeyId),
    /// Background work on behalf of the tenant.
    Job(JobId),
    /// The operator, seeing to the tenant's background work.
    Operator,
    /// A member who is signed in.
    Member {
        /// Who.
        person: PersonId,
        /// With which session.
        session: SessionId,
    },
    /// Somebody who runs the install and looks in, where the tenant sees it.
    Guest {
        /// Who.
        person: PersonId,
        /// With which session.
        session: SessionId,
        /// By which access.
        access: AccessId,
    },
}

/// A caller whose tenant and permissions are established.
///
/// The fields are private and the constructor is not visible outside this crate: holding one *is* the proof that a
/// key was checked, a member has signed in or a job was leased.
#[derive(Debug, Clone)]
pub struct TenantContext {
    tenant_id: TenantId,
    actor: Actor,
    scopes: Arc<[Scope]>,
    narrowing: Option<Arc<Narrowing>>,
    address: Option<IpAddr>,
}

impl TenantContext {
    pub(crate) fn new(tenant_id: TenantId, actor: Actor, scopes: Arc<[Scope]>) -> Self {
        Self {
            tenant_id,
            actor,
            scopes,
            narrowing: None,
            address: None,
        }
    }

    /// The same caller with those of its scopes only, and within these bounds: a context can become narrower and never
    /// wider.
    pub(crate) fn narrowed(&self, scopes: &[Scope], narrowing: Narrowing) -> Self {
        let kept = self.scopes.iter().copied().filter(|scope| scopes.contains(scope));
        let narrowing = match self.narrowing() {
            Some(outer) => narrowing.and(outer),
            None => narrowing,
        };
        Self {
            scopes: kept.collect(),
            narrowing: Some(Arc::new(narrowing)),
            ..self.clone()
        }
    }

    /// The same caller, known to call from this address: the audit log says it.
    pub fn from_address(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// Who acts, for the audit log.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            by: By::Tenant(self.actor),
            address: self.address,
        }
    }

    /// The tenant that the caller acts for.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// The same caller, with these vector stores only if there are any to be bound to.
    pub(crate) fn bound_to(self, stores: Option<&[VectorStoreId]>) -> Self {
        let Some(stores) = stores else { return self };
        let scopes = Arc::clone(&self.scopes);
        self.narrowed(&scopes, Narrowing::to_stores(stores.iter().copied()))
    }

    /// The bounds of a scoped token, or of an API key that is bound to vector stores; `None` for other keys and jobs.
    /// Whoever hands out data to a narrowed caller must heed them.
    pub fn narrowing(&self) -> Option<&Narrowing> {
        self.narrowing.as_deref()
    }

    /// The end user that a scoped token was made for, who counts in place of any that a request names.
    pub fn end_user(&self) -> Option<&str> {
        self.narrowing()?.end_user()
    }

    /// All that the caller may do.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Passes if the caller carries `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), AccessError> {
        if self.scopes.contains(&scope) {
            Ok(())
        } else {
            Err(AccessError::MissingScope(scope))
        }
    }
}
