//! API keys of a project, with whose they are.

use chrono::{DateTime, Utc};
use insula_tenancy::service_account::{ServiceAccount, ServiceAccountRole};
use insula_tenancy::{KeyId, OperatorTx, ServiceAccountId, TenantId};

use crate::page::{Listing, Page, Scan, paged, unknown_cursor};
use crate::{Error, Result};

/// A key of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectKey {
    /// Its id.
    pub id: KeyId,
    /// A name for people.
    pub name: String,
    /// The part of the key that is not secret.
    pub public_id: String,
    /// Names of its scopes.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whose it is; `None`: of no service account.
    pub owner: Option<ServiceAccount>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: KeyId,
    name: String,
    public_id: String,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    owner_id: Option<ServiceAccountId>,
    owner_name: Option<String>,
    owner_role: Option<ServiceAccountRole>,
    owner_since: Option<DateTime<Utc>>,
}

impl From<Row> for ProjectKey {
    fn from(row: Row) -> Self {
        let owner = match (row.owner_id, row.owner_name, row.owner_role, row.owner_since) {
            (Some(id), Some(name), Some(role), Some(created_at)) => Some(ServiceAccount {
                id,
                name,
                role,
                created_at,
            }),
            _ => None,
        };
        Self {
            id: row.id,
            name: row.name,
            public_id: row.public_id,
            scopes: row.scopes,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            owner,
        }
    }
}

/// Of one project, or of one key in it; without those that were revoked.
const PAGES: (&str, &str) = paged!(
    select "id, name, public_id, scopes, created_at, expires_at, last_used_at, owner_id, owner_name, owner_role,
            owner_since"
    from "(select k.id, k.name, k.public_id, k.scopes, k.created_at, k.expires_at, k.last_used_at, s.id as owner_id,
                  s.name as owner_name, s.role as owner_role, s.created_at as owner_since
           from api_keys k
           left join service_accounts s on s.tenant_id = k.tenant_id and s.id = k.service_account_id
           where k.tenant_id = $1 and k.revoked_at is null) keys",
    id "id", cursor "api_keys where tenant_id = $1",
    where "($2::uuid is null or id = $2)", "$3" "$4" "$5"
);

/// A part of a project's keys.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn list(tx: &mut OperatorTx, project: TenantId, page: Page) -> Result<Listing<ProjectKey>> {
    for (param, id) in page.cursors() {
        if find(tx, project, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "an API key of this project"));
        }
    }
    let scan = page.scan();
    let rows = scanned(tx, project, None, &scan).await?;
    Ok(scan.finish(rows).map(ProjectKey::from))
}

/// A key of a project.
///
/// # Errors
/// [`Error::NotFound`]; for one that was revoked, too.
pub async fn get(tx: &mut OperatorTx, project: TenantId, id: KeyId) -> Result<ProjectKey> {
    find(tx, project, id).await?.ok_or_else(|| not_found(id))
}

/// The refusal of an id that is none of the project's.
pub fn not_found(id: KeyId) -> Error {
    Error::not_found("API key in this project", id)
}

async fn find(tx: &mut OperatorTx, project: TenantId, id: KeyId) -> Result<Option<ProjectKey>> {
    let rows = scanned(tx, project, Some(id), &Page::first(1).scan()).await?;
    Ok(rows.into_iter().next().map(ProjectKey::from))
}

async fn scanned(tx: &mut OperatorTx, project: TenantId, id: Option<KeyId>, scan: &Scan) -> Result<Vec<Row>> {
    Ok(sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(project)
        .bind(id)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?)
}
