//! The proof of who calls.

use std::sync::Arc;

use crate::{AccessError, JobId, KeyId, Scope, TenantId};

/// Who acts inside a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A request with this API key.
    Key(KeyId),
    /// Background work on behalf of the tenant.
    Job(JobId),
}

/// A caller whose tenant and permissions are established.
///
/// The fields are private and the constructor is not visible outside this crate: holding one *is* the proof that a
/// key was checked or a job was leased.
#[derive(Debug, Clone)]
pub struct TenantContext {
    tenant_id: TenantId,
    actor: Actor,
    scopes: Arc<[Scope]>,
}

impl TenantContext {
    pub(crate) fn new(tenant_id: TenantId, actor: Actor, scopes: Arc<[Scope]>) -> Self {
        Self {
            tenant_id,
            actor,
            scopes,
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

    /// Passes if the caller carries `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), AccessError> {
        if self.scopes.contains(&scope) {
            Ok(())
        } else {
            Err(AccessError::MissingScope(scope))
        }
    }
}
