//! A tenant transaction for a tenant that was only named.

use insula_tenancy::{Db, OperatorTx, TenantId, TenantTx};

async fn by_the_inner_function(db: &Db, tenant_id: TenantId) {
    let _ = db.begin_tenant(tenant_id).await;
}

async fn by_an_id(db: &Db, tenant_id: TenantId) {
    let _ = db.tenant(&tenant_id).await;
}

fn by_its_fields(operator: OperatorTx, tenant_id: TenantId) -> TenantTx {
    TenantTx { unit: operator.unit, tenant_id, origin: operator.origin }
}

fn main() {}
