//! A context that nobody checked a key for.

use std::sync::Arc;

use insula_tenancy::{Actor, KeyId, Scope, TenantContext, TenantId};

fn by_its_fields(tenant_id: TenantId, actor: Actor, scopes: Arc<[Scope]>) -> TenantContext {
    TenantContext { tenant_id, actor, scopes }
}

fn by_its_constructor(tenant_id: TenantId, key: KeyId) -> TenantContext {
    TenantContext::new(tenant_id, Actor::Key(key), Arc::from(Scope::ALL))
}

fn by_moving_to_another_tenant(cx: &mut TenantContext, tenant_id: TenantId) {
    cx.tenant_id = tenant_id;
}

fn main() {}
