//! A context that nobody checked a key for.

use std::sync::Arc;

use insula_tenancy::{Actor, Narrowing, OperatorContext, Scope, TenantContext, TenantId};

fn by_its_fields(tenant_id: TenantId, actor: Actor, scopes: Arc<[Scope]>) -> TenantContext {
    let narrowing: Option<Arc<Narrowing>> = None;
    TenantContext { tenant_id, actor, scopes, narrowing, address: None }
}

fn of_the_operator() -> OperatorContext {
    OperatorContext { by: anything(), address: None }
}

fn anything<T>() -> T {
    unimplemented!()
}

fn main() {}
