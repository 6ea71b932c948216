//! Spend alerts of a project.

use insula_tenancy::spend::{self, SpendAlert};
use insula_tenancy::{OperatorTx, SpendAlertId, TenantId};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

const PAGES: (&str, &str) = paged!(
    select "id, amount, notification, created_at"
    from "budgets", id "id", cursor "budgets where tenant_id = $1",
    where "tenant_id = $1 and purpose = 'spend_alert'", "$2" "$3" "$4"
);

/// A part of a project's alerts.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn list(tx: &mut OperatorTx, project: TenantId, page: Page) -> Result<Listing<SpendAlert>> {
    for (param, id) in page.cursors() {
        if spend::find_alert(tx, project, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of this project's spend alerts"));
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

/// The refusal of an id that is none of the project's.
pub fn not_found(id: SpendAlertId) -> Error {
    Error::not_found("spend alert in this project", id)
}
