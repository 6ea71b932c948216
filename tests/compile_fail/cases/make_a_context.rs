//! A context that nobody checked a key for.

use std::sync::Arc;

use insula_tenancy::{Actor, Narrowing, OperatorContext, OperatorKeyId, Scope, TenantContext, TenantId};

fn by_its_fields(tenant_id: TenantId, actor: Actor, scopes: Arc<[Scope]>) -> TenantContext {
    let narrowing: Option<Arc<Narrowing>> = None;
    TenantContext { tenant_id, actor, scopes, narrowing, address: None }
}

fn of_the_operator(key_id: OperatorKeyId) -> OperatorContext {
    OperatorContext { key_id, address: None }
}

fn main() {}
