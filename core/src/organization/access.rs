//! The operator's looks at tenants' data, as they are listed. How one is opened and ended is `insula_tenancy::access`'s.

use insula_tenancy::access::Access;
use insula_tenancy::{OperatorTx, TenantId, TenantTx};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

/// Which are wanted; `None`: all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessFilter {
    /// At this tenant's data.
    pub tenant_id: Option<TenantId>,
    /// Those that go on, or those that are over.
    pub open: Option<bool>,
}

const PAGES: (&str, &str) = paged!(
    select "id, tenant_id,
            (select coalesce(t.title, t.name) from tenants t where t.id = tenant_accesses.tenant_id) as tenant_name,
            reason, opened_by, created_at, expires_at, ended_at, ended_by"
    from "tenant_accesses", id "id", cursor "tenant_accesses where true",
    where "($1::uuid is null or tenant_id = $1)
           and ($2::boolean is null or $2 = (ended_at is null and expires_at > now()))",
    "$3" "$4" "$5"
);

/// A part of all looks.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none.
pub async fn of_install(tx: &mut OperatorTx, filter: AccessFilter, page: Page) -> Result<Listing<Access>> {
    list(tx, filter, page).await
}

/// A part of the looks at the tenant's data.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn of_tenant(tx: &mut TenantTx, page: Page) -> Result<Listing<Access>> {
    list(tx, AccessFilter::default(), page).await
}

async fn list(connection: &mut PgConnection, filter: AccessFilter, page: Page) -> Result<Listing<Access>> {
    for (param, id) in page.cursors() {
        if !exists(connection, id).await? {
            return Err(unknown_cursor(param, "one of the accesses"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(filter.tenant_id)
        .bind(filter.open)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(connection)
        .await?;
    Ok(scan.finish(rows))
}

async fn exists(connection: &mut PgConnection, id: Uuid) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("select exists (select from tenant_accesses where id = $1)")
            .bind(id)
            .fetch_one(connection)
            .await?,
    )
}
