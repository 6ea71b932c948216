//! Service accounts of a project.

use insula_tenancy::service_account::{self, ServiceAccount};
use insula_tenancy::{OperatorTx, ServiceAccountId, TenantId};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

const PAGES: (&str, &str) = paged!(
    select "id, name, role, created_at"
    from "service_accounts", id "id", cursor "service_accounts where tenant_id = $1",
    where "tenant_id = $1", "$2" "$3" "$4"
);

/// A part of a project's service accounts.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn list(tx: &mut OperatorTx, project: TenantId, page: Page) -> Result<Listing<ServiceAccount>> {
    for (param, id) in page.cursors() {
        if service_account::find(tx, project, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "a service account of this project"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(project)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// A service account of a project.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut OperatorTx, project: TenantId, id: ServiceAccountId) -> Result<ServiceAccount> {
    let found = service_account::find(tx, project, id).await?;
    found.ok_or_else(|| not_found(id))
}

/// The refusal of an id that is none of the project's.
pub fn not_found(id: ServiceAccountId) -> Error {
    Error::not_found("service account in this project", id)
}
