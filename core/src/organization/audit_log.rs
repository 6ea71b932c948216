//! The audit log, as it is looked through. How it is written is `insula_tenancy::audit`'s.

use chrono::{DateTime, Utc};
use insula_tenancy::audit::INSTALL;
use insula_tenancy::{AuditLogId, OperatorTx, TenantId, TenantTx};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

/// Which entries are wanted. An empty choice is of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// From then on.
    pub from: Option<DateTime<Utc>>,
    /// Before then.
    pub until: Option<DateTime<Utc>>,
    /// Of these tenants.
    pub projects: Option<Vec<TenantId>>,
    /// Of these events.
    pub events: Option<Vec<String>>,
    /// By these.
    pub actors: Option<Vec<String>>,
    /// Upon these.
    pub resources: Option<Vec<String>>,
}

/// An entry, with what its tenant is called now.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditLog {
    /// Its id.
    pub id: AuditLogId,
    /// Whose chain; [`INSTALL`] for the install's own.
    pub tenant_id: TenantId,
    /// What the tenant is called.
    pub project_name: Option<String>,
    /// Its place in the chain.
    pub seq: i64,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What was done.
    pub event: String,
    /// Who did it.
    pub actor: String,
    /// From where.
    pub address: Option<String>,
    /// Upon what.
    pub resource: String,
    /// A JSON object.
    pub details: String,
    /// The hash, which the next entry's is over, too.
    pub hash: Vec<u8>,
}

impl AuditLog {
    /// The tenant that it was done in; `None`: it is of the install.
    pub fn project(&self) -> Option<TenantId> {
        (self.tenant_id != INSTALL).then_some(self.tenant_id)
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, tenant_id, (select coalesce(t.title, t.name) from tenants t where t.id = audit_logs.tenant_id)
              as project_name,
            seq, created_at, event, actor, address, resource, details, hash"
    from "audit_logs", id "id", cursor "audit_logs where true",
    where "($1::timestamptz is null or created_at >= $1) and ($2::timestamptz is null or created_at < $2)
           and ($3::uuid[] is null or tenant_id = any($3)) and ($4::text[] is null or event = any($4))
           and ($5::text[] is null or actor = any($5)) and ($6::text[] is null or resource = any($6))",
    "$7" "$8" "$9"
);

/// A part of the entries of all chains.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is no entry.
pub async fn of_install(tx: &mut OperatorTx, filter: &AuditFilter, page: Page) -> Result<Listing<AuditLog>> {
    list(tx, filter, page).await
}

/// A part of the entries of the tenant's chain.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of the tenant's entries.
pub async fn of_tenant(tx: &mut TenantTx, filter: &AuditFilter, page: Page) -> Result<Listing<AuditLog>> {
    list(tx, filter, page).await
}

async fn list(connection: &mut PgConnection, filter: &AuditFilter, page: Page) -> Result<Listing<AuditLog>> {
    for (param, id) in page.cursors() {
        if !exists(connection, id).await? {
            return Err(unknown_cursor(param, "one of your audit logs"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(filter.from)
        .bind(filter.until)
        .bind(&filter.projects)
        .bind(&filter.events)
        .bind(&filter.actors)
        .bind(&filter.resources)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(connection)
        .await?;
    Ok(scan.finish(rows))
}

async fn exists(connection: &mut PgConnection, id: Uuid) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("select exists (select from audit_logs where id = $1)")
            .bind(id)
            .fetch_one(connection)
            .await?,
    )
}
