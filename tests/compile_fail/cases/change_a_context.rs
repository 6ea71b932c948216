//! A context for another tenant than the key's.

use std::sync::Arc;

use insula_tenancy::{Actor, KeyId, Scope, TenantContext, TenantId};

fn by_the_constructor(tenant_id: TenantId, key: KeyId) -> TenantContext {
    TenantContext::new(tenant_id, Actor::Key(key), Arc::from(Scope::ALL))
}

fn by_its_field(cx: &mut TenantContext, tenant_id: TenantId) {
    cx.tenant_id = tenant_id;
}

fn main() {}
