//! A context that nobody checked a key for.

use std::sync::Arc;

use insula_tenancy::{Actor, Scope, TenantContext, TenantId};

fn by_its_fields(tenant_id: TenantId, actor: Actor, scopes: Arc<[Scope]>) -> TenantContext {
    TenantContext { tenant_id, actor, scopes }
}

fn main() {}
