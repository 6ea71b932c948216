//! Projects: tenants, in the order of their making.

use insula_tenancy::tenant::{self, Tenant};
use insula_tenancy::{OperatorTx, TenantId};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

const PAGES: (&str, &str) = paged!(
    select "id, name, coalesce(title, name) as title, status, created_at, archived_at, erasing_at, erased_at"
    from "tenants", id "id", cursor "tenants where true",
    where "(archived_at is null or $1) and erased_at is null", "$2" "$3" "$4"
);

/// A part of the projects, with archived ones or without.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is no project.
pub async fn list(tx: &mut OperatorTx, archived: bool, page: Page) -> Result<Listing<Tenant>> {
    for (param, id) in page.cursors() {
        if find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your projects"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(archived)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// A project.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut OperatorTx, id: TenantId) -> Result<Tenant> {
    let found = find(tx, id).await?;
    found.ok_or_else(|| Error::not_found("project", id))
}

/// A project that is about to be changed. Others that would change it wait for the end of the transaction.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for one that is archived.
pub async fn to_change(tx: &mut OperatorTx, id: TenantId) -> Result<Tenant> {
    let found = tenant::lock(tx, id).await?;
    let project = found.ok_or_else(|| Error::not_found("project", id))?;
    if project.archived_at.is_some() {
        return Err(Error::Invalid {
            message: format!("The project '{id}' is archived and cannot be changed any more."),
            param: None,
            code: Some("project_archived"),
        });
    }
    Ok(project)
}

async fn find(tx: &mut OperatorTx, id: TenantId) -> Result<Option<Tenant>> {
    let found = tenant::find(tx, &id.to_string()).await?;
    Ok(found.filter(|tenant| tenant.erased_at.is_none()))
}
