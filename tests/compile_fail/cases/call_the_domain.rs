//! Work on a tenant's data without a tenant's transaction.

use insula_tenancy::job::{self, NewJob};
use insula_tenancy::{Db, OperatorTx, TenantContext};

async fn with_the_operators(tx: &mut OperatorTx, new: NewJob<'_>) {
    let _ = job::enqueue(tx, new).await;
}

async fn with_none(db: &Db, new: NewJob<'_>) {
    let _ = job::enqueue(db, new).await;
}

async fn with_a_context_only(cx: &TenantContext, new: NewJob<'_>) {
    let _ = job::enqueue(cx, new).await;
}

fn main() {}
